"""Checks of an order against its account: limits, money, delivery, what blocks it; pure.

Each returns a sentence with the value and the remedy; an empty one where nothing is wrong. What follows from
unknown facts is in `risk`.
"""

from decimal import Decimal
from typing import Final

from brokers.charges import Side
from brokers.protocol import SellAuthorisation
from portfolio.orders.evidence import Draft, Evidence, value_of, worst_price
from portfolio.orders.market_checks import TRADE_TO_TRADE
from portfolio.trading.sizing import Sizing

MOST_A_SECOND: Final = 10
_WITH_RESERVE: Final = Sizing(whole=True, reserve=True)


# --- the account's limits, of purchases alone (`risk.OF_PURCHASES`) ---------------------------------------------------
def order_value(draft: Draft, evidence: Evidence) -> str:
    limit, value = evidence.limits.order_value, value_of(draft, evidence)
    if limit is None:
        return ""
    if value is None:
        return f"What the order comes to is not known, and ₹{limit} is the limit; give it a price."
    return f"The order comes to ₹{value}, above the limit of ₹{limit}; order fewer." if value > limit else ""


def position_share(draft: Draft, evidence: Evidence) -> str:
    held, limit = evidence.standing.position_value, evidence.limits.position_share
    return _share_of_equity(draft, evidence, held, limit, draft.symbol)


def sector_share(draft: Draft, evidence: Evidence) -> str:
    sector = evidence.share.sector
    held = evidence.standing.sector_value if sector else None
    return _share_of_equity(draft, evidence, held, evidence.limits.sector_share, f"the sector {sector or 'unknown'}")


def _share_of_equity(draft: Draft, evidence: Evidence, held: Decimal | None, limit: Decimal | None, what: str) -> str:
    if limit is None:
        return ""
    equity, value = evidence.standing.equity, value_of(draft, evidence)
    if held is None or value is None or equity is None or equity <= 0:
        return f"What part of the account {what} would be is not known, and {limit:%} is the limit; load its values."
    part = (held + value) / equity
    return (
        f"{what} would be {part:.2%} of the account, above the limit of {limit:%}; order fewer." if part > limit else ""
    )


def orders_a_day(draft: Draft, evidence: Evidence) -> str:
    limit, made = evidence.limits.orders_a_day, evidence.standing.orders_today
    if limit is None:
        return ""
    if made is None:
        return f"How many orders today has is not known, and {limit} is the limit; reconcile the account."
    return f"Today has {made} orders and the limit is {limit}; wait for the next session." if made >= limit else ""


def daily_loss(draft: Draft, evidence: Evidence) -> str:
    limit, profit = evidence.limits.daily_loss, evidence.standing.profit_today
    if limit is None:
        return ""
    if profit is None:
        return f"What today has lost is not known, and ₹{limit} is the limit; load its prices."
    return (
        f"Today has lost ₹{-profit}, and the limit is ₹{limit}; only sales are sent today." if -profit >= limit else ""
    )


def drawdown(draft: Draft, evidence: Evidence) -> str:
    limit, equity, peak = evidence.limits.drawdown, evidence.standing.equity, evidence.standing.peak
    if limit is None:
        return ""
    if equity is None or peak is None or peak <= 0:
        return f"How far the account is below its peak is not known, and {limit:%} is the limit; load its values."
    down = 1 - equity / peak
    if down >= limit:
        return f"The account is {down:.2%} below its peak of ₹{peak}, and the limit is {limit:%}; only sales are sent."
    return ""


# --- what the account can pay and deliver -----------------------------------------------------------------------------
def funds(draft: Draft, evidence: Evidence) -> str:
    if draft.quantity <= 0:
        return ""
    standing, price = evidence.standing, worst_price(draft, evidence)
    if standing.cash is None:
        return "What cash is free is not known; ask the broker for the account's funds first."
    if price is None:
        return f"What {draft.quantity} {draft.symbol} cost is not known; give the order a price, or load one."
    value = price * draft.quantity
    reserved = _WITH_RESERVE.cost(Decimal(draft.quantity), price)
    cost = reserved if standing.charges is None else value + standing.charges
    if cost > standing.cash:
        return f"The order needs ₹{cost} with its charges and ₹{standing.cash} is free; order fewer or pay in."
    return ""


def not_authorised_to_sell(draft: Draft, evidence: Evidence) -> str:
    standing = evidence.standing
    if draft.side is Side.BUY or not standing.is_live or standing.sell_authorisation is SellAuthorisation.STANDING:
        return ""
    if standing.sell_authorisation is SellAuthorisation.UNKNOWN:
        return "Whether the account may sell without its owner is not known; test the account on the page Brokers."
    if standing.authorised_on == draft.session:
        return ""
    last = f"the last was of {standing.authorised_on}" if standing.authorised_on else "there is none"
    return f"Sales need the owner's eDIS authorisation of {draft.session}, and {last}; give it at the broker."


def not_delivered(draft: Draft, evidence: Evidence) -> str:
    if draft.side is Side.BUY or draft.quantity <= 0:
        return ""
    holding, symbol = evidence.standing.holding, draft.symbol
    if holding is None:
        return f"How many {symbol} the account holds is not known; reconcile it first."
    waits = evidence.share.series in TRADE_TO_TRADE
    sellable = holding.delivered + (0 if waits else holding.arriving)
    if draft.quantity <= sellable:
        return ""
    why = [f"{holding.arriving} of series {evidence.share.series} arrive later"] if waits and holding.arriving else []
    why += [f"a bonus of {holding.bonus_due} is not credited yet"] if holding.bonus_due else []
    because = f" ({', '.join(why)})" if why else ""
    return f"{sellable} {symbol} can be sold{because}, and the order sells {draft.quantity}; sell at most {sellable}."


# --- what stands in the way of any order ------------------------------------------------------------------------------
def duplicate(draft: Draft, evidence: Evidence) -> str:
    same, what = evidence.standing.same_orders, f"{draft.symbol} ({draft.side}, {draft.session})"
    if same is None:
        return f"Whether {what} was ordered already is not known; reconcile the account first."
    return f"{what} was ordered already in account {draft.account}; change or cancel it, or wait a day." if same else ""


def unknown_open(draft: Draft, evidence: Evidence) -> str:
    unknown = evidence.standing.unknown_symbols
    if unknown is None:
        return f"Whether an order of {draft.symbol} is of unknown fate is not known; reconcile the account first."
    if draft.symbol in unknown:
        return f"An order of {draft.symbol} is of unknown fate; wait until it is found, or abandon it."
    return ""


def account_blocked(draft: Draft, evidence: Evidence) -> str:
    blocked_by = evidence.standing.blocked_by
    if blocked_by is None:
        return f"Whether account {draft.account} is blocked is not known; reconcile it first."
    if blocked_by:
        return f"Account {draft.account} is blocked by {', '.join(blocked_by)}; an operator closes it with a reason."
    return ""


def kill_switch(draft: Draft, evidence: Evidence) -> str:
    if evidence.stopped_by is None:
        return "Whether the kill switch is on is not known, which counts as on; see kill_switch."
    if evidence.stopped_by:
        return f"The kill switch is on ({evidence.stopped_by}); turn it off with kill_switch off --reason TEXT."
    return ""


def static_ip(draft: Draft, evidence: Evidence) -> str:
    standing = evidence.standing
    if not standing.is_live:
        return ""
    if not standing.outgoing_ip:
        return "The address that calls leave from is not known; the operator sets OUTGOING_IP."
    if not standing.registered_ips:
        return "Which addresses the broker has registered is not known; enter them in the account."
    if standing.outgoing_ip not in standing.registered_ips:
        known = " and ".join(standing.registered_ips)
        return f"Calls leave from {standing.outgoing_ip}, and the broker takes orders from {known}; register it there."
    return ""


def rate(draft: Draft, evidence: Evidence) -> str:
    sent = evidence.standing.orders_last_second
    if sent is not None and sent >= MOST_A_SECOND:
        return f"{sent} orders were sent within a second, and {MOST_A_SECOND} are allowed; wait a second."
    return ""
