"""Stored reports: the only writer of `evaluations`, and readers of the latest one; and the folds kept for them.

Pages and API show what is stored here, to the last digit. Both kinds have one structure: `report["rows"][estimator]` is
``rows.figures_row`` with kind, note, recipe and expectations; a walk-forward (``report.report``) also has the rows of
baselines, `report["controls"]`, `report["ablations"]` and pairs; a report of stored predictions
(``stored_report.stored_report``) has `report["lists"]` (``lists.lists``).
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from ml.models import Evaluation

FOLDS_KEPT_DAYS = 30


def record_evaluation(
    report: Mapping[str, Any], *, as_of: date, estimator: str, parameters: Mapping[str, Any], seconds: float
) -> Evaluation:
    """Store a walk-forward report, replacing an earlier one of the same data and parameters.

    ``parameters`` are ``Estimator.as_json`` of each estimator; ``as_of`` is the last session of the data; ``seconds``
    the computation time, in which reused folds cost none.
    """
    key = {"as_of": as_of, "estimator": estimator, "data_hash": report["data_hash"], "parameters": dict(parameters)}
    return _record(Evaluation.Kind.WALK_FORWARD, key, report, seconds)


def record_stored_report(report: Mapping[str, Any], seconds: float) -> Evaluation:
    """Store a report of all stored predictions of a recipe, replacing an earlier one as of the same session."""
    [(estimator, row)] = report["rows"].items()
    key = {"as_of": date.fromisoformat(report["as_of"]), "estimator": estimator, "recipe": row["recipe"]}
    return _record(Evaluation.Kind.STORED, key, report, seconds)


def _record(kind: Evaluation.Kind, key: Mapping[str, Any], report: Mapping[str, Any], seconds: float) -> Evaluation:
    facts = {
        "first_test": date.fromisoformat(report["first_test"]),
        "last_test": date.fromisoformat(report["last_test"]),
        "recipe": report["rows"][key["estimator"]].get("recipe", ""),
        "report": dict(report),
        "seconds": seconds,
    }
    return Evaluation.objects.update_or_create(kind=kind, **key, defaults=facts)[0]


def latest_evaluation(estimator: str, as_of: date | None = None) -> Evaluation | None:
    """Newest walk-forward report of an estimator, as of a session if given."""
    return _newest_first(as_of, kind=Evaluation.Kind.WALK_FORWARD, estimator=estimator).first()


def latest_stored_report(recipe: str, as_of: date | None = None) -> Evaluation | None:
    """Newest report of a recipe's stored predictions, as of a session if given."""
    return _newest_first(as_of, kind=Evaluation.Kind.STORED, recipe=recipe).first()


def stored_reports(recipe: str) -> "QuerySet[Evaluation]":
    """Reports of a recipe's stored predictions, the newest first."""
    return _newest_first(kind=Evaluation.Kind.STORED, recipe=recipe)


def _newest_first(as_of: date | None = None, **of: str) -> "QuerySet[Evaluation]":
    rows = Evaluation.objects.filter(**of).order_by("-as_of", "-created_at")
    return rows if as_of is None else rows.filter(as_of__lte=as_of)


def evaluation_of(estimator: str, recipe: str) -> Evaluation | None:
    """Newest walk-forward report of an estimator that judged this recipe of it."""
    rows = _newest_first(kind=Evaluation.Kind.WALK_FORWARD, estimator=estimator)
    of_recipe = {"report__rows__has_key": estimator, f"report__rows__{estimator}__recipe": recipe}
    return rows.filter(**of_recipe).first()


def purge_folds(directory: Path, now: datetime) -> int:
    """Remove kept predictions of walk-forwards that nobody has used for ``FOLDS_KEPT_DAYS``; return their number."""
    before = (now - timedelta(days=FOLDS_KEPT_DAYS)).timestamp()
    old = [path for path in directory.glob("*.parquet") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def headline(estimator: str, as_of: date | None = None) -> dict[str, Any] | None:
    """Key figures of the newest report, shown beside each training.

    Returns
    -------
    dict or None
        as_of, first_test, last_test, rank_ic and half_width_95 of the estimator, by_year, net_excess_pct and
        liquid_net_excess_pct (with intervals), baselines (name → rank_ic), controls (mean, standard_error, passed);
        None where no walk-forward report is stored.
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
        "net_excess_pct": figures.get("net_excess_pct"),
        "liquid_net_excess_pct": figures.get("liquid_net_excess_pct"),
        "baselines": {name: entry["rank_ic"]["mean"] for name, entry in rows.items() if entry["kind"] == "baseline"},
        "controls": {
            "mean": controls["mean"],
            "standard_error": controls["standard_error"],
            "passed": controls["passed_zero"] and controls["passed_below"] and controls.get("passed_money", True),
        },
    }
