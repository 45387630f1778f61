"""What keeps an account, or a share of it, from new orders."""

from datetime import date, datetime, time

from django.db.models import QuerySet

from brokers.protocol import IST
from portfolio.models import Difference, OrderAlarm, TradingAccount
from portfolio.reconciliation.comparison import BLOCKING, DifferenceKind


def open_alarms(account: TradingAccount) -> QuerySet[OrderAlarm]:
    """Contradictions in its orders that nobody has closed, the oldest first."""
    return OrderAlarm.objects.filter(order__account=account, closed_at=None).select_related("order").order_by("id")


def open_differences(account: TradingAccount) -> QuerySet[Difference]:
    """Differences that are there or wait for an operator, the oldest first."""
    return Difference.objects.filter(account=account, closed_at=None).order_by("id")


def blocking_differences(account: TradingAccount, session: date | None = None) -> QuerySet[Difference]:
    """Open differences that block an account's orders for a session: those since an earlier day; None: all."""
    rows = open_differences(account).filter(kind__in=BLOCKING)
    return rows if session is None else rows.filter(since__lt=datetime.combine(session, time(), IST))


def blocks_of(account: TradingAccount, session: date | None = None) -> list[str]:
    """Why an account takes no new orders for a session: its open alarms and blocking differences, each a sentence.

    A difference blocks from the day after it came up on; without a session every open one counts.
    """
    alarms = [f"alarm {row.alarm} of order {row.order_id} ({row.order.symbol})" for row in open_alarms(account)]
    return alarms + [f"difference {row.kind}: {row.subject}" for row in blocking_differences(account, session)]


def blocked_shares(account: TradingAccount) -> set[str]:
    """Shares with an order that the broker's book does not have although it was taken in."""
    rows = open_differences(account).filter(kind=DifferenceKind.ORDER_MISSING_THERE.value)
    return {row.ours["symbol"] for row in rows}
