"""Orders of unknown fate, alarms and blocking differences: one symptom for each sort and account."""

from collections import defaultdict
from typing import Final

from django.urls import reverse

from brokers.log_in import site_address
from portfolio.reconciliation.open_troubles import OpenTrouble, open_troubles
from tradingsite.alerts.symptoms import CheckContext, ConditionResult, Symptom

_NAME: Final = "orders"


def order_troubles(_: CheckContext) -> ConditionResult:
    """Return one symptom for each account with orders of unknown fate, with alarms, or with blocking differences."""
    groups: dict[tuple[str, int], list[OpenTrouble]] = defaultdict(list)
    for trouble in open_troubles():
        groups[trouble.sort.word, trouble.account].append(trouble)
    return ConditionResult([_symptom(group) for group in groups.values()])


def _symptom(group: list[OpenTrouble]) -> Symptom:
    first, more = group[0], len(group) - 1
    others = f", and {more} more" if more else ""
    page = site_address() + reverse("portfolio:account-differences", args=[first.account])
    return Symptom(
        f"{_NAME}:{first.sort.word}:{first.account}",
        f"The account {first.account_name}: {first.sentence}{others}.",
        f"Its owner opens {page}; the runbook's entry {first.sort.runbook} says what to do.",
    )
