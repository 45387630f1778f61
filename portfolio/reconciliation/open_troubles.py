"""What an operator is shown first: orders of unknown fate, alarms and blocking differences, of all accounts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import CharField, F, IntegerField, QuerySet, Value
from django.db.models.expressions import Combinable

from portfolio.models import Difference, Order, OrderAlarm
from portfolio.orders.projection import State
from portfolio.reconciliation.comparison import BLOCKING


@dataclass(frozen=True)
class Sort:
    """A sort of trouble: a word, what it says of one, and the entry of the runbook that helps."""

    word: str
    sentence: str
    runbook: str


SORTS: Final = (
    Sort("unknown", "nobody knows what became of order {}", runbook="order-unknown"),
    Sort("alarm", "the alarm {}", runbook="order-alarm"),
    Sort("difference", "the broker's book differs: {}", runbook="difference-blocks"),
)


@dataclass(frozen=True)
class OpenTrouble:
    """One of them, of an account."""

    sort: Sort
    account: int
    account_name: str
    kind: str
    subject: str
    since: datetime

    @property
    def sentence(self) -> str:
        return self.sort.sentence.format(f"{self.kind} {self.subject}".strip())


def open_troubles() -> list[OpenTrouble]:
    """All of them, orders of unknown fate first, then the oldest, then by account, kind and subject; of no replays."""
    unknown = Order.objects.filter(status=State.UNKNOWN.value, account__is_replay=False)
    alarms = OrderAlarm.objects.filter(closed_at=None, order__account__is_replay=False)
    differences = Difference.objects.filter(closed_at=None, kind__in=BLOCKING, account__is_replay=False)
    rows = _columns(unknown, 0, "account", Value("", CharField()), F("symbol"), F("created_at")).union(
        _columns(alarms, 1, "order__account", F("alarm"), F("order__symbol"), F("since")),
        _columns(differences, 2, "account", F("kind"), F("subject"), F("since")),
        all=True,
    )
    in_order = rows.order_by("place", "moment", "of_account", "word", "what")
    return [OpenTrouble(SORTS[place], *facts) for place, *facts in in_order]


def _columns(
    rows: "QuerySet[Any]", place: int, account: str, word: Combinable, what: Combinable, moment: Combinable
) -> "QuerySet[Any, Any]":
    """The same columns of each sort, so that one statement reads all."""
    columns = {
        "place": Value(place, IntegerField()),
        "of_account": F(account),
        "of_name": F(f"{account}__name"),
        "word": word,
        "what": what,
        "moment": moment,
    }
    named: QuerySet[Any, Any] = rows.order_by().annotate(**columns).values_list(*columns)
    return named
