"""How an account stands just before an order is sent: its orders, its money and shares, what blocks it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings

from brokers.charges import Side
from brokers.protocol import SellAuthorisation
from market_data.trading_phases import IST
from portfolio.live.permissions import why_not_live
from portfolio.models import Order, OrderEvent, Strategy, TradingAccount
from portfolio.orders.events import Kind
from portfolio.orders.evidence import Draft, Limits, Share, Standing
from portfolio.orders.projection import UNFINISHED, State
from portfolio.orders.worth import Worth
from portfolio.reconciliation.blocks import blocked_shares, blocks_of

_OF_UNKNOWN_FATE: Final = (State.UNKNOWN, State.SENDING)
_ENDED_UNFILLED: Final = (State.REFUSED, State.REJECTED, State.ABANDONED, State.CANCELLED, State.EXPIRED)
"""Of these nothing more is filled: what they left may be ordered anew."""


def standing_of(
    account: TradingAccount,
    draft: Draft,
    share: Share,
    limits: Limits,
    at: datetime,
    *,
    own: Order | None = None,
    strategy: Strategy | None = None,
    prices: Mapping[str, Decimal] | None = None,
) -> Standing:
    """Return how the account stands at a moment for a draft, its own order (`own`) left out.

    What only a limit asks for is gathered where that limit is set.
    """
    others = Order.objects.filter(account=account, session=draft.session)
    if own is not None:
        others = others.exclude(pk=own.pk)
    in_the_market = list(others.filter(status__in=UNFINISHED))
    worth = Worth(account, at, in_the_market, dict(prices or {}))
    of_side = others.filter(symbol=draft.symbol, side=draft.side.value).exclude(status__in=_ENDED_UNFILLED)
    return Standing(
        is_live=account.is_live,
        holding=worth.holding(draft.symbol) if draft.side is Side.SELL else None,
        cash=worth.free_cash() if draft.side is Side.BUY else None,
        orders_today=others.exclude(status__in=(State.REFUSED, State.CREATED)).count(),
        orders_last_second=_sent_since(account, at - timedelta(seconds=1)),
        same_orders=of_side.count(),
        unknown_symbols=unknown_symbols(account, own),
        blocked_by=_blocks(account, strategy, at),
        sell_authorisation=SellAuthorisation(account.sell_authorisation),
        authorised_on=account.sell_authorised_on,
        outgoing_ip=settings.OUTGOING_IP or None,
        registered_ips=_registered_ips(account),
        **_limited_facts(worth, draft, share, limits),
    )


def unknown_symbols(account: TradingAccount, own: Order | None = None) -> frozenset[str]:
    """The shares of orders of which nobody knows what became, or that the book has lost, of whatever session."""
    orders = Order.objects.filter(account=account, status__in=_OF_UNKNOWN_FATE)
    if own is not None:
        orders = orders.exclude(pk=own.pk)
    return frozenset({*orders.values_list("symbol", flat=True), *blocked_shares(account)})


def _blocks(account: TradingAccount, strategy: Strategy | None, at: datetime) -> list[str]:
    """What keeps an order of the account from being sent: alarms, differences, its being off, live trading off."""
    blocks = blocks_of(account, at.astimezone(IST).date())
    if not account.is_active:
        blocks.append("its being switched off")
    if account.is_live and (reason := why_not_live(account, strategy, at)):
        blocks.append(reason)
    return blocks


def _limited_facts(worth: Worth, draft: Draft, share: Share, limits: Limits) -> dict[str, Any]:
    """The facts that set limits ask for; others are left unknown."""
    facts: dict[str, Any] = {}
    if draft.side is Side.SELL:
        return facts
    shares = limits.position_share is not None or limits.sector_share is not None
    if shares or limits.drawdown is not None:
        facts["equity"] = worth.equity()
    if limits.position_share is not None:
        facts["position_value"] = worth.value_in({draft.symbol})
    if limits.sector_share is not None and share.sector:
        facts["sector_value"] = worth.value_in_sector(share.sector)
    if limits.daily_loss is not None:
        facts["profit_today"] = worth.profit_today()
    if limits.drawdown is not None:
        facts["peak"] = worth.peak()
    return facts


def _sent_since(account: TradingAccount, since: datetime) -> int:
    return OrderEvent.objects.filter(order__account=account, kind=Kind.SEND.value, at__gt=since).count()


def _registered_ips(account: TradingAccount) -> tuple[str, ...] | None:
    configuration = account.configuration
    return None if configuration is None else tuple(configuration.registered_ips)
