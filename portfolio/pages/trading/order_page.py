"""What one order's page shows: all of it is read from what is stored."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Side
from portfolio.accounts.postings import fill_reference
from portfolio.accounts.readings import last_closes, postings_of
from portfolio.ledger.holdings import lots_or_none
from portfolio.ledger.postings import stem
from portfolio.ledger.tax_entries import tax_entries
from portfolio.ledger.tax_lots import Disposal, Lot
from portfolio.models import LedgerEntry, Order, OrderAlarm, Plan, Trade
from portfolio.orders.asking import Question, refusal
from portfolio.orders.projection import Pending, State
from portfolio.pages.trading.placing import BY_HAND
from portfolio.pages.trading.timeline import checks_of, timeline

_PICK: Final = {
    "date": "List of",
    "strategy": "List",
    "rank": "Rank",
    "place": "Place among all that passed",
    "selection_score": "Score",
    "ml_prediction_score": "Model score",
    "ml_probability": "Chance to beat the median share",
    "predicted_return": "Expected excess, %",
    "expected_entry": "Expected entry, ₹",
    "target_price": "Target, ₹",
    "stop_loss": "Stop, ₹",
    "recommendation": "Recommendation",
    "model": "Model",
    "recipe": "Recipe",
    "reason": "Why it was picked",
}


def order_context(order: Order) -> dict[str, Any]:
    """Everything about an order, from the pick it came from to its ledger entries."""
    events = list(order.events.all())
    trades = list(Trade.objects.filter(order=order).select_related("order").order_by("traded_at"))
    return {
        "order": order,
        "pick": pick_lines(order.pick),
        "plan": plan_of(order),
        "checks": [sentence for row in events for sentence in checks_of(row)],
        "moments": timeline(events),
        "trades": trades,
        "entries": entries_of(order, trades),
        "outcome": outcome_of(order, trades),
        "alarms_of_order": list(OrderAlarm.objects.filter(order=order)),
        "may": may_be_asked(order),
    }


def pick_lines(pick: dict[str, Any] | None) -> list[tuple[str, Any]]:
    """What a pick says, in words; keys that have none here are left out."""
    return [(words, pick[name]) for name, words in _PICK.items() if (pick or {}).get(name) is not None] if pick else []


def plan_of(order: Order) -> Plan | None:
    """The plan that an order carries out."""
    if order.strategy is None or order.intent is None or order.intent.purpose.startswith(BY_HAND):
        return None
    plans = Plan.objects.filter(account=order.account, strategy=order.strategy, trades_on=order.session)
    return plans.select_related("approved_by").exclude(status="withdrawn").first()


def entries_of(order: Order, trades: list[Trade]) -> list[LedgerEntry]:
    """The ledger's entries of an order's fills, with their corrections."""
    references = {fill_reference(trade) for trade in trades}
    days = {trade.date for trade in trades}
    rows = LedgerEntry.objects.filter(account=order.account, day__in=days, kind__in=("fill", "correction"))
    return [row for row in rows if stem(row.reference) in references]


def may_be_asked(order: Order) -> dict[str, bool]:
    """By question: whether the order may be asked it now; of orders placed elsewhere nothing is asked."""
    pending = Pending(order.pending) if order.pending else None
    return {
        question.value: not order.is_external and refusal(question, State(order.status), pending) is None
        for question in (Question.CANCEL, Question.MODIFY, Question.ABANDON)
    }


@dataclass(frozen=True)
class Outcome:
    """What became of an order's shares: the lots of its purchase that are left, or what its sale disposed of."""

    lots: tuple[Lot, ...] = ()
    disposals: tuple[Disposal, ...] = ()
    profit: Decimal | None = None
    """₹: of what is left at the newest close before charges, or what its sales gained; None: not known."""


def outcome_of(order: Order, trades: list[Trade]) -> Outcome | None:
    """Lots and profit of an order's fills; None where it has none, or the ledger's entries contradict each other.

    The tax lots are of days: another order of the share on the same day is among them.
    """
    days = {trade.date for trade in trades}
    if not days:
        return None
    known = lots_or_none(tax_entries(postings_of(order.account, date.max, symbols={order.symbol})))
    if known is None:
        return None
    if order.side == Side.SELL.value:
        sold = tuple(each for each in known.disposals if each.sold_on in days)
        return Outcome(disposals=sold, profit=sum((each.gain for each in sold), Decimal(0)))
    lots = tuple(lot for lot in known.lots if lot.bought_on in days)
    close = last_closes([order.symbol], date.max).get(order.symbol)
    profit = None if close is None else sum((close.price * lot.quantity - lot.cost for lot in lots), Decimal(0))
    return Outcome(lots=lots, profit=profit)
