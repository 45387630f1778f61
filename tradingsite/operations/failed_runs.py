"""Runs that failed or were cancelled and that nothing has made good since: the menu's count, the home page, the filter.

All of them read `market_data.runs.queries.unresolved_runs`, so that a count always is the length of the list behind it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from market_data.models import PipelineRun
from market_data.runs.queries import unresolved_runs
from market_data.runs.saga import job_title

PARAMETER: Final = "unresolved"
_SHOWN: Final = 5


class UnresolvedFilter(admin.SimpleListFilter):
    """Filter of the list of runs: those that still need somebody."""

    title = "still open"
    parameter_name = PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Failed or cancelled, nothing good since")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[PipelineRun]") -> "QuerySet[PipelineRun]":
        return queryset.filter(pk__in=unresolved_runs().values("pk")) if self.value() else queryset


def failed_runs_url() -> str:
    """Address of the list that `failed_run_count` counts."""
    return f"{reverse('admin:market_data_pipelinerun_changelist')}?{PARAMETER}=yes"


def failed_run_count() -> int:
    return unresolved_runs().count()


@dataclass(frozen=True)
class FailedRuns:
    """Those runs as the home page shows them: the newest few, and how many there are in words, empty for none."""

    words: str
    shown: list[tuple[str, PipelineRun]]
    more: int
    url: str


def failed_runs() -> FailedRuns:
    runs = list(unresolved_runs())
    statuses = Counter(run.status for run in runs)
    words = [f"{count} run{'' if count == 1 else 's'} {status}" for status, count in sorted(statuses.items())[::-1]]
    shown = [(job_title(run.job), run) for run in runs[:_SHOWN]]
    return FailedRuns(" and ".join(words), shown, len(runs) - len(shown), failed_runs_url())
