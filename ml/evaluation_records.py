"""Stored walk-forward reports: the only writer of `evaluations`, and what others show of the latest one."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ml.models import Evaluation


def record_evaluation(
    report: Mapping[str, Any], *, as_of: date, estimator: str, parameters: Mapping[str, Any], seconds: float
) -> Evaluation:
    """Store a report; one of the same data and parameters replaces what was stored of it before.

    Parameters
    ----------
    report
        Result of ``evaluation.report``.
    as_of
        Last session of the data.
    estimator
        The default estimator, which the report is about.
    parameters
        What decided its figures.
    seconds
        How long it took; of a report put together from kept folds only the time of that.

    Returns
    -------
    Evaluation
        The row.
    """
    row, _ = Evaluation.objects.update_or_create(
        as_of=as_of,
        estimator=estimator,
        data_hash=report["data_hash"],
        parameters=dict(parameters),
        defaults={
            "first_test": date.fromisoformat(report["first_test"]),
            "last_test": date.fromisoformat(report["last_test"]),
            "report": dict(report),
            "seconds": seconds,
        },
    )
    return row


def latest_evaluation(estimator: str, as_of: date | None = None) -> Evaluation | None:
    """Return the newest report of an estimator, none later than a session; None where there is none."""
    rows = Evaluation.objects.filter(estimator=estimator)
    if as_of is not None:
        rows = rows.filter(as_of__lte=as_of)
    return rows.order_by("-as_of", "-created_at").first()


def headline(estimator: str, as_of: date | None = None) -> dict[str, Any] | None:
    """Short figures of the newest report, to stand beside each training.

    Returns
    -------
    dict or None
        as_of, first_test, last_test, rank_ic and half_width_95 of the estimator, by_year, baselines (name → rank_ic),
        controls (mean, standard_error, passed); None where no report is stored.
    """
    row = latest_evaluation(estimator, as_of)
    if row is None:
        return None
    rows, controls = row.report["rows"], row.report["controls"]
    own = rows[estimator]
    return {
        "as_of": row.as_of.isoformat(),
        "first_test": row.first_test.isoformat(),
        "last_test": row.last_test.isoformat(),
        "rank_ic": own["rank_ic"]["mean"],
        "half_width_95": own["rank_ic"]["half_width_95"],
        "by_year": own["by_year"],
        "baselines": {name: each["rank_ic"]["mean"] for name, each in rows.items() if each["kind"] == "baseline"},
        "controls": {
            "mean": controls["mean"],
            "standard_error": controls["standard_error"],
            "passed": controls["passed_zero"] and controls["passed_below"],
        },
    }
