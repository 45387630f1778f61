"""An account's limits in a backtest: each purchase is judged as the desk judges it, before it is carried out; pure.

Prices are the session's openings, where a share has none its last close; worth is after the charges of the day so far.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from portfolio.orders.evidence import Draft, Evidence, Limits, Share, Standing
from portfolio.orders.risk import limit_refusals
from portfolio.trading.account import NOTHING, Account, Execution, Quote, at_the_opening
from portfolio.trading.session import Market
from stocks.universe.sectors import same_sector

_OPENING = time(9, 15)


class RefusedPurchase(NamedTuple):
    """A purchase that the limits refused, by the codes of the checks."""

    session: date
    symbol: str
    quantity: Decimal
    checks: tuple[str, ...]


@dataclass
class LimitedExecution:
    """Carries out the orders of an account within limits.

    Attributes
    ----------
    sectors
        Each share's sector, where it is known.
    closes
        The account's worth at each close so far, in ₹; it grows with the simulation.
    paid_in
        ₹ at the start.
    refused
        What was refused so far.
    """

    account: Account
    limits: Limits
    sectors: Mapping[str, str]
    closes: Sequence[Decimal]
    paid_in: Decimal
    refused: list[RefusedPurchase] = field(default_factory=list)
    _orders: int = 0

    def begin_session(self, session: date, market: Market) -> None:
        self._session, self._market, self._orders = session, market, 0

    def __call__(self, side: Side, symbol: str, quantity: Decimal, quote: Quote, price: Decimal) -> Execution | None:
        """Carry an order out, unless it is a purchase that the limits refuse."""
        if side is Side.BUY and (checks := self._checks(symbol, quantity, quote, price)):
            self.refused.append(RefusedPurchase(self._session, symbol, quantity, checks))
            return None
        self._orders += 1
        return at_the_opening(side, symbol, quantity, quote, price)

    def _checks(self, symbol: str, quantity: Decimal, quote: Quote, price: Decimal) -> tuple[str, ...]:
        draft = Draft("", self._session, symbol, Side.BUY, int(quantity), OrderType.LIMIT, price)
        worth, sector = self._worth(), self.sectors.get(symbol)
        standing = Standing(
            is_live=False,
            equity=worth,
            peak=max([worth, self.paid_in, *self.closes]),
            profit_today=worth - (self.closes[-1] if self.closes else self.paid_in),
            position_value=self.account.holdings.get(symbol, NOTHING) * quote.bar.open,
            sector_value=self._sector_value(sector) if sector else None,
            orders_today=self._orders,
        )
        at = datetime.combine(self._session, _OPENING, tzinfo=IST)
        evidence = Evidence(at, None, Share(sector=sector), standing, limits=self.limits)
        return tuple(refusal.code for refusal in limit_refusals(draft, evidence))

    def _worth(self) -> Decimal:
        note = self.account.note(self._session)
        worth = self.account.cash - (note.total + note.dp if note else NOTHING)
        return worth + sum((n * self._price(symbol) for symbol, n in self.account.holdings.items()), NOTHING)

    def _sector_value(self, sector: str) -> Decimal | None:
        """What is held of a sector in ₹; None where the sector of a holding is not known."""
        value = NOTHING
        for symbol, quantity in self.account.holdings.items():
            own = self.sectors.get(symbol)
            if not own:
                return None
            if same_sector(own, sector):
                value += quantity * self._price(symbol)
        return value

    def _price(self, symbol: str) -> Decimal:
        quote = self._market.quote(symbol)
        return self._market.last_close(symbol) if quote is None else quote.bar.open
