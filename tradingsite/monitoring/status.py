"""The facts an operator asks for first, gathered without counting a big table."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django_q.models import Schedule

from market_data.models import PipelineRun, TableTotal
from market_data.runs import queries as run_queries
from market_data.runs.prerequisites import outstanding
from market_data.storage.queries import latest_loaded_session
from ml.champions import queries as champions
from ml.evening_facts import exclusions_by_check, finding_counts, lists_in_force, newest_model
from ml.models import Evaluation
from stocks.models import Stock
from tradingsite.clusters.states import cluster_states
from tradingsite.schedule import scheduled_jobs


def system_status(now: datetime) -> dict[str, Any]:
    """Return the state of data, jobs, clusters, models and picks as plain values; ages count from `now`."""
    latest = latest_loaded_session()
    return {
        "market": {"provider": settings.MARKET_DATA_PROVIDER, "kind": settings.PROVIDER_KIND},
        "stocks": stock_counts(),
        "tables": _tables(),
        "latest_session": latest,
        "jobs": [_job(saga.job, now) for saga in scheduled_jobs()],
        "clusters": [
            {"cluster": cluster.name, "heartbeat_age_seconds": cluster.age_seconds, "queued": cluster.queued}
            for cluster in cluster_states(now)
        ],
        "findings": finding_counts(latest) if latest else {},
        "kept_out": exclusions_by_check(latest) if latest else {},
        "model": _model(),
        "champion": _champion(),
        "evaluation": _evaluation(),
        "picks": _picks(),
    }


def stock_counts() -> dict[str, Any]:
    """Return how many stocks there are, how many of them have a price and a market cap, and the latest update."""
    counts: dict[str, Any] = Stock.objects.aggregate(
        total=Count("pk"),
        with_price=Count("pk", filter=Q(current_price__isnull=False)),
        with_market_cap=Count("pk", filter=Q(market_cap__isnull=False)),
    )
    newest = Stock.objects.exclude(last_updated=None).order_by("-last_updated").first()
    return counts | {"last_updated": newest.last_updated if newest else None}


def _tables() -> dict[str, dict[str, Any]]:
    return {
        total.table_name: {"records": total.rows, "latest_date": total.latest_date}
        for total in TableTotal.objects.order_by("table_name")
    }


def _job(name: str, now: datetime) -> dict[str, Any]:
    standing = run_queries.latest_standing(name)
    last, rerun = (standing.run, standing.rerun) if standing else (None, None)
    schedule = Schedule.objects.filter(name=name).first()
    return {
        "job": name,
        "next": schedule.next_run if schedule else None,
        "last_run": last.id if last else None,
        "session": last.session if last else None,
        "status": last.status if last else "never run",
        "waits_for": list(map(str, outstanding(last))) if last and last.status == PipelineRun.Status.WAITING else [],
        "ended_at": last.ended_at if last else None,
        "reason": last.reason if last else "",
        "rerun": _rerun(rerun) if rerun else None,
    }


def _rerun(run: PipelineRun) -> dict[str, Any]:
    """A later run that could not replace the job's good result."""
    return {"run": run.id, "status": run.status, "reason": run.reason, "ended_at": run.ended_at}


def _model() -> dict[str, Any] | None:
    model = newest_model()
    if model is None:
        return None
    return {"id": model.pk, "session": model.session, "status": model.status, "metrics": model.metrics}


def _champion() -> dict[str, Any] | None:
    """Which recipe picks and since when, and how the challenger stands."""
    champion, challenger = champions.champion(), champions.challenger()
    if champion is None:
        return None
    facts = {"estimator": champion.estimator, "recipe": champion.recipe, "since": champion.session}
    return facts | {"reason": champion.reason, "challenger": challenger and challenger.as_json()}


def _evaluation() -> dict[str, Any] | None:
    newest = Evaluation.objects.order_by("-created_at").first()
    return {"as_of": newest.as_of, "first_test": newest.first_test, "last_test": newest.last_test} if newest else None


def _picks() -> dict[str, Any]:
    lists = list(lists_in_force())
    if not lists:
        return {}
    counts = {publication.strategy: publication.count for publication in lists}
    return {"date": lists[0].date, "valid_for": lists[0].valid_for} | counts
