"""Computing and writing the indicators, against reading what they need and writing what they give by bare COPY."""

from collections.abc import Sequence
from datetime import date
from functools import partial

from django.db import transaction

from market_data.models import PipelineRun, PipelineStep
from market_data.prices.indicators import INDICATOR_COLUMNS, WARM_UP_ROWS
from market_data.runs.saga import StepContext
from market_data.steps.indicators import indicator_chunks
from market_data.steps.pending import PendingWork
from tests.benchmarks.bare_copy import copy_in, copy_out, execute
from tests.benchmarks.loading import RUN
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, alternated
from tests.benchmarks.place import Place

_WRITTEN = ", ".join(("symbol", "date", *INDICATOR_COLUMNS, "run_id"))
_READ = "symbol, date, high, low, close"


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """All sessions at once, as a first load does, and one session, as an evening does."""
    market.fill(place)
    days = market.offered()
    return [
        _figure(
            place,
            rounds,
            name="indicators, whole: time / COPY out and in",
            days=days,
            read=f'SELECT {_READ} FROM historical_data ORDER BY symbol COLLATE "C", date',
            clear=("TRUNCATE technical_indicators",),
        ),
        _figure(
            place,
            rounds,
            name="indicators, evening: time / COPY out and in",
            days=days[-1:],
            read=f"SELECT h.* FROM historical_data t CROSS JOIN LATERAL (SELECT {_READ} FROM historical_data h"
            f" WHERE h.symbol = t.symbol AND h.date <= t.date ORDER BY h.date DESC LIMIT {WARM_UP_ROWS}) h"
            f" WHERE t.date = '{days[-1]}'",
            clear=(f"DELETE FROM technical_indicators WHERE date = '{days[-1]}'", "VACUUM technical_indicators"),
        ),
    ]


def compute(days: Sequence[date]) -> None:
    """Do the pipeline's step for sessions that were just loaded."""
    run = PipelineRun(id=RUN, session=days[-1], options=PendingWork(loaded=frozenset(days)).to_json())
    context = StepContext(run, PipelineStep(name="TECHNICAL_INDICATORS"), None)
    for chunk in indicator_chunks(context):
        frame = chunk.compute(context)
        with transaction.atomic():
            chunk.record(context, frame)


def _figure(place: Place, rounds: int, *, name: str, days: Sequence[date], read: str, clear: Sequence[str]) -> Figure:
    written = copy_out(
        f"SELECT {_WRITTEN} FROM technical_indicators WHERE date BETWEEN '{days[0]}' AND '{days[-1]}' ORDER BY id"
    )
    place.say(f"{name} ({written.number:,} rows)")

    def theirs() -> None:
        copy_out(read)
        copy_in("technical_indicators", _WRITTEN, written)

    pair = alternated(
        partial(compute, days), theirs, rounds, before=partial(execute, *clear, "CHECKPOINT"), say=place.say
    )
    return Figure(
        name,
        pair.slower(),
        *pair.seconds(),
        target=2.5,
        aim=1.3,
        at_least=False,
        note=f"{written.number:,} rows by the pipeline's own step. The yardstick reads {_READ} of the same bars and"
        " writes the same rows as ready CSV, both by COPY.",
    )
