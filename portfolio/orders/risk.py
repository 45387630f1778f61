"""The checks before sending: evidence in, refusals out; pure.

Plans, pages, paper, live and backtest ask this one function; the checks are in `market_checks` and `account_checks`.

Sales are checked for what can be sold and whether the market takes them, never for limits or a quarantine: nothing of
ours keeps a person in a share. A sale of more than is held is `not_delivered`, so no sale opens a position.

What follows where a fact is not known (None):

====================== ========================================================================================
session_closed         refused: beyond the calendar nothing is guessed
phase                  refused, where shares with and without derivatives differ at that moment, or no row speaks
not_tradable           series, and for a purchase kind and quarantine: refused; suspension: passes, the exchange
                       itself refuses
trade_to_trade         judged by the series alone, whose absence is `not_tradable`
band                   passes: the exchange itself refuses a price outside
lot                    SM and ST: refused, the lot is only in the list of symbols; other series trade by the share
tick                   a price must be a multiple of the day's finest step; the exchange judges the rest
order_value,           pass while the limit is unset; once it is set, a value, equity, sector, count or profit
position_share,        that is not known refuses the purchase
sector_share,
orders_a_day,
daily_loss, drawdown
stale_data             refused, also where the latest session is not known; a sale with a price of its own passes
funds                  refused, where cash or the price of a purchase are not known
not_authorised_to_sell live: refused; paper needs no authorisation
not_delivered          refused
duplicate              refused
unknown_open           refused
account_blocked        refused
kill_switch            refused: counts as on
static_ip              live: refused; paper leaves from no address
rate                   passes: the sender counts again when it sends
market_protection      refused: no protection is none
====================== ========================================================================================
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from brokers.charges import Side
from portfolio.orders import account_checks, market_checks
from portfolio.orders.evidence import Draft, Evidence

Check = Callable[[Draft, Evidence], str]

CHECKS: Final[dict[str, Check]] = {
    "session_closed": market_checks.session_closed,
    "phase": market_checks.phase,
    "not_tradable": market_checks.not_tradable,
    "trade_to_trade": market_checks.trade_to_trade,
    "band": market_checks.band,
    "lot": market_checks.lot,
    "tick": market_checks.tick,
    "order_value": account_checks.order_value,
    "position_share": account_checks.position_share,
    "sector_share": account_checks.sector_share,
    "orders_a_day": account_checks.orders_a_day,
    "daily_loss": account_checks.daily_loss,
    "drawdown": account_checks.drawdown,
    "stale_data": market_checks.stale_data,
    "funds": account_checks.funds,
    "not_authorised_to_sell": account_checks.not_authorised_to_sell,
    "not_delivered": account_checks.not_delivered,
    "duplicate": account_checks.duplicate,
    "unknown_open": account_checks.unknown_open,
    "account_blocked": account_checks.account_blocked,
    "kill_switch": account_checks.kill_switch,
    "static_ip": account_checks.static_ip,
    "rate": account_checks.rate,
    "market_protection": market_checks.market_protection,
}
"""By code, in the order in which they are reported."""

LIMITS: Final = ("order_value", "position_share", "sector_share", "orders_a_day", "daily_loss", "drawdown")
"""What an operator may set for an account; `Limits` has a field for each."""

OF_PURCHASES: Final = frozenset((*LIMITS, "funds"))
"""What no sale is asked for: no limit of ours stops one."""


class Refusal(NamedTuple):
    """Why an order is not sent: the check's code, and a sentence with the value and the remedy."""

    code: str
    sentence: str


def refusals(draft: Draft, evidence: Evidence) -> list[Refusal]:
    """Return all that keeps an order from being sent, in the order of `CHECKS`; empty when it may be sent."""
    skipped = OF_PURCHASES if draft.side is Side.SELL else frozenset[str]()
    sentences = ((code, check(draft, evidence)) for code, check in CHECKS.items() if code not in skipped)
    return [Refusal(code, sentence) for code, sentence in sentences if sentence]


def limit_refusals(draft: Draft, evidence: Evidence) -> list[Refusal]:
    """Return the account's limits that an order would break, in the order of `CHECKS`: all that a backtest asks."""
    if draft.side is Side.SELL:
        return []
    sentences = ((code, CHECKS[code](draft, evidence)) for code in LIMITS)
    return [Refusal(code, sentence) for code, sentence in sentences if sentence]
