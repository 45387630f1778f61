"""The only writer of picks and publications: all strategies are published in one transaction, or none.

A publication is a version. A newer version of the same session supersedes it and replaces its rows in
`daily_suggested_stocks`; `publications.picks` keeps the superseded list as it was published.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from django.db.models import Max

from market_data.models import PipelineRun
from ml.models import PickOutcome
from ml.pick_history import writer as history_writer
from stocks.models import Publication, SuggestedStock
from stocks.picks import heads
from stocks.picks.standings import Departure
from stocks.storage import bulk

PICK_COLUMNS = (
    *("symbol", "stock_name", "current_price", "market_cap", "selection_score", "rank"),
    *("ml_prediction_score", "ml_price_target", "ml_confidence", "ml_probability", "ml_risk_score"),
    *("predicted_return", "excess_low", "excess_high", "round_trip_cost_pct", "predicted_drawdown"),
    *("rsi_14", "macd", "sma_50", "sma_200"),
    *("pe_ratio", "pb_ratio", "roe", "eps", "beta", "revenue_growth", "earnings_growth", "operating_margin"),
    *("expected_entry", "target_price", "target_probability", "stop_loss", "stop_probability", "reward_to_risk"),
    *("recommendation", "reason", "score_parts", "sector", "market_cap_category"),
    *("place", "standing", "listed_since"),
)


@dataclass(frozen=True)
class DayOfPicks:
    """The lists of one session, ready to publish.

    ``valid_for`` is the session the picks are meant for, None where the calendar ends; ``model_id`` is None when no
    model is in force. By strategy, ``picks`` are ranked (`PICK_COLUMNS`; an empty frame abstains) and ``reasons`` say
    why nothing, or fewer than fifty picks, are published, and ``abstentions`` are codes of `public_state.Abstention` of
    those that are withheld. ``previous`` are the ids of the lists that they were compared with, and
    ``departures`` what left those.
    """

    session: date
    valid_for: date | None
    model_id: str | None
    picks: Mapping[str, pd.DataFrame]
    reasons: Mapping[str, str]
    abstentions: Mapping[str, str] = field(default_factory=dict)
    previous: Mapping[str, int] = field(default_factory=dict)
    departures: Mapping[str, Sequence[Departure]] = field(default_factory=dict)


def publish_picks(day: DayOfPicks, run_id: str, published_at: datetime) -> int:
    """Publish every strategy's list as a new version and return the number of picks.

    Runs inside the caller's transaction: readers see either all previous versions or all new ones.
    """
    return sum(_publish(day, strategy, picks, run_id, published_at) for strategy, picks in sorted(day.picks.items()))


def _publish(day: DayOfPicks, strategy: str, picks: pd.DataFrame, run_id: str, published_at: datetime) -> int:
    rows = picks.reindex(columns=list(PICK_COLUMNS))
    versions = Publication.objects.filter(date=day.session, strategy=strategy)
    versions.filter(superseded_at=None).update(superseded_at=published_at)
    publication = Publication(
        date=day.session,
        strategy=strategy,
        version=(versions.aggregate(last=Max("version"))["last"] or 0) + 1,
        valid_for=day.valid_for,
        published_at=published_at,
        run_id=run_id,
        model_id=day.model_id,
        count=len(rows),
        abstention=day.abstentions.get(strategy, ""),
        reason=day.reasons.get(strategy, ""),
        picks=_json_rows(rows),
        previous_hash=_last_head_hash(strategy),
        previous_id=day.previous.get(strategy),
        departures=list(day.departures.get(strategy, ())),
    )
    publication.head_hash = heads.head_hash(publication, publication.previous_hash)
    publication.save(force_insert=True)
    history_writer.record_publication(publication)
    bulk.delete("daily_suggested_stocks", "t.date = %s AND t.strategy = %s", [day.session, strategy], run_id)
    stored = rows.assign(
        date=pd.Timestamp(day.session),
        strategy=strategy,
        valid_for=pd.to_datetime(pd.Series([day.valid_for] * len(rows), index=rows.index, dtype=object)),
        listed_since=pd.to_datetime(rows["listed_since"]),
        publication_id=publication.pk,
        score_parts=rows["score_parts"].map(json.dumps, na_action="ignore"),
    )
    return bulk.upsert("daily_suggested_stocks", stored, ("date", "symbol", "strategy"), run_id, undo=False).inserted


def _last_head_hash(strategy: str) -> str:
    """Hash of the head that was published last on a list, whatever its session and whether it is in force."""
    newest = Publication.objects.filter(strategy=strategy).order_by("-pk").values_list("head_hash", flat=True)
    return newest.first() or ""


def _json_rows(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Rows as JSON values; missing values are null."""
    values = rows.astype(object).where(rows.notna(), None)
    return [{str(name): _json_value(value) for name, value in row.items()} for row in values.to_dict("records")]


def _json_value(value: Any) -> object:
    if isinstance(value, date):
        return value.isoformat()
    # NumPy's scalars are not JSON; `item` gives the Python number.
    return value.item() if hasattr(value, "item") else value


def restore_publications(run_id: str, superseded_at: datetime) -> int:
    """Supersede a run's publications and put the previous versions back in force; return the rows changed."""
    undone = list(Publication.objects.filter(run_id=run_id, superseded_at=None))
    restored = 0
    for publication in undone:
        publication.superseded_at = superseded_at
        publication.save(update_fields=["superseded_at"])
        previous = _previous_version(publication)
        if previous:
            restored += Publication.objects.filter(pk=previous.pk).update(superseded_at=None)
    return len(undone) + restored


def publications_to_restore(run_id: str) -> int:
    """Number of rows that `restore_publications` would change."""
    undone = list(Publication.objects.filter(run_id=run_id, superseded_at=None))
    return len(undone) + sum(_previous_version(publication) is not None for publication in undone)


def _previous_version(publication: Publication) -> Publication | None:
    """Newest earlier version that was not rolled back."""
    rolled_back = PipelineRun.objects.filter(status=PipelineRun.Status.ROLLED_BACK).values_list("pk", flat=True)
    earlier = Publication.objects.filter(
        date=publication.date, strategy=publication.strategy, version__lt=publication.version
    )
    return earlier.exclude(run_id__in=list(rolled_back)).order_by("-version").first()


def purge_picks(before: date) -> int:
    """Delete picks and publications of sessions before a day; return the number of picks deleted.

    A list in force stays as a publication until all its picks are judged, however late the bars for that come. Of a
    list's chain of heads only the oldest links go: what was published after one that stays, stays too.
    """
    count, _ = SuggestedStock.objects.filter(publication__date__lt=before).delete()
    staying: set[str] = set()
    for publication in Publication.objects.order_by("pk").defer("picks"):
        if publication.date >= before or _is_waiting(publication):
            staying.add(publication.strategy)
        elif publication.strategy not in staying:
            publication.delete()
    return count


def _is_waiting(publication: Publication) -> bool:
    if publication.superseded_at is not None or not publication.count:
        return False
    outcomes = PickOutcome.objects.filter(date=publication.date, strategy=publication.strategy)
    return outcomes.values("symbol").distinct().count() < publication.count
