"""What the triggers said of a session, as its selection stored it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from market_data.models import PipelineRun


def stored_readings(session: date) -> Sequence[dict[str, Any]]:
    """The readings of a session's latest selection, by title: title, value, limit, detail, fires; empty without one."""
    runs = PipelineRun.objects.filter(job="selection", session=session, status=PipelineRun.Status.COMPLETED)
    summary = runs.exclude(is_replay=True).order_by("-sequence").values_list("summary", flat=True).first() or {}
    return [{"title": title} | reading for title, reading in sorted(summary.get("triggers", {}).items())]
