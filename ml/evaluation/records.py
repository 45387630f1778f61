"""Stored walk-forward reports: the only writer of `evaluations`, and readers of the latest one."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ml.models import Evaluation


def record_evaluation(
    report: Mapping[str, Any], *, as_of: date, estimator: str, parameters: Mapping[str, Any], seconds: float
) -> Evaluation:
    """Store a report, replacing an earlier one of the same data and parameters (``Entry.as_json`` of each entry).

    ``as_of`` is the last session of the data; ``seconds`` the computation time, in which reused folds cost none.
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
    """Newest report of an estimator, as of a session if given."""
    rows = Evaluation.objects.filter(estimator=estimator)
    if as_of is not None:
        rows = rows.filter(as_of__lte=as_of)
    return rows.order_by("-as_of", "-created_at").first()


def evaluation_of(estimator: str, recipe: str) -> Evaluation | None:
    """Newest report of an estimator that judged this recipe of it."""
    rows = Evaluation.objects.filter(estimator=estimator, report__rows__has_key=estimator)
    return rows.filter(**{f"report__rows__{estimator}__recipe": recipe}).order_by("-as_of", "-created_at").first()


def headline(estimator: str, as_of: date | None = None) -> dict[str, Any] | None:
    """Key figures of the newest report, shown beside each training.

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
    figures = rows[estimator]
    return {
        "as_of": row.as_of.isoformat(),
        "first_test": row.first_test.isoformat(),
        "last_test": row.last_test.isoformat(),
        "rank_ic": figures["rank_ic"]["mean"],
        "half_width_95": figures["rank_ic"]["half_width_95"],
        "by_year": figures["by_year"],
        "baselines": {name: entry["rank_ic"]["mean"] for name, entry in rows.items() if entry["kind"] == "baseline"},
        "controls": {
            "mean": controls["mean"],
            "standard_error": controls["standard_error"],
            "passed": controls["passed_zero"] and controls["passed_below"],
        },
    }
