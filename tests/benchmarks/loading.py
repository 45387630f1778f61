"""Loading bars, against a bare COPY of the same rows into the same table."""

from collections.abc import Sequence
from datetime import date
from functools import partial

import pandas as pd
from django.db import transaction

from market_data.models import SourceFile
from market_data.prices.bars import checked_bars
from market_data.providers import Provider
from market_data.steps.historical_data import SESSIONS_PER_CHUNK
from market_data.storage import writer as market_writer
from market_data.storage.writer import ReadSession
from stocks.universe import writer as universe_writer
from tests.benchmarks.bare_copy import Rows, copy_in, copy_out, execute
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, alternated
from tests.benchmarks.place import Place

RUN = "pipeline_20260430_210000"
_STORED = (
    "symbol, date, series, open, high, low, close, adj_close, volume, prev_close, last_price, vwap, turnover_lakh,"
    " trades, delivered_quantity, source, run_id"
)


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """A whole load into the empty table, and one session into the full one."""
    place.use("bench_loading")
    feed, days = market.source(), market.offered()
    place.say(f"reading {len(days)} sessions of the {feed.name}")
    read = [_read(feed, day) for day in days]
    with transaction.atomic():
        universe_writer.record_traded_symbols(pd.concat([evening.bars for evening in read], ignore_index=True), RUN)
    load(read)
    whole = copy_out(f"SELECT {_STORED} FROM historical_data ORDER BY id")
    evening = copy_out(f"SELECT {_STORED} FROM historical_data WHERE date = '{read[-1].session}' ORDER BY id")
    return [_whole_load(place, read, whole, rounds), _evening(place, read[-1], evening, rounds)]


def _read(feed: Provider, day: date) -> ReadSession:
    fingerprint, raw = feed.fingerprint(day), feed.bars(day)
    bars, rejects = checked_bars(raw.frame, session=day)
    file = SourceFile(
        session=day,
        name=fingerprint.name,
        size=fingerprint.size,
        mtime_ns=fingerprint.mtime_ns,
        sha256=fingerprint.sha256,
    )
    aside = pd.concat([raw.rejects, rejects], ignore_index=True)
    return ReadSession(day, file, bars.sort_values("symbol", ignore_index=True), aside)


def load(read: Sequence[ReadSession]) -> None:
    """Store sessions as the pipeline does: one transaction a chunk of days."""
    for start in range(0, len(read), SESSIONS_PER_CHUNK):
        chunk = read[start : start + SESSIONS_PER_CHUNK]
        adj_close = pd.concat([evening.bars["close"] for evening in chunk], ignore_index=True)
        with transaction.atomic():
            market_writer.record_bars(chunk, adj_close, RUN)


def _whole_load(place: Place, read: Sequence[ReadSession], rows: Rows, rounds: int) -> Figure:
    place.say(f"whole load of {rows.number:,} bars")
    pair = alternated(
        partial(load, read),
        partial(copy_in, "historical_data", _STORED, rows),
        rounds,
        before=_empty_tables,
        say=place.say,
    )
    return Figure(
        "load, whole: speed / bare COPY",
        pair.faster(),
        *pair.seconds(),
        target=0.5,
        aim=0.8,
        note=f"{rows.number:,} bars through ingest.record_bars, {SESSIONS_PER_CHUNK} sessions a transaction; the bare"
        " COPY has the rows as ready CSV in memory and one transaction. Same constraints, indexes, foreign key.",
    )


def _evening(place: Place, evening: ReadSession, rows: Rows, rounds: int) -> Figure:
    place.say(f"evening of {rows.number:,} bars")
    pair = alternated(
        partial(load, [evening]),
        partial(copy_in, "historical_data", _STORED, rows),
        3 * rounds,
        before=partial(_without, evening),
        say=place.say,
    )
    return Figure(
        "load, evening: speed / bare COPY",
        pair.faster(),
        *pair.seconds(),
        target=0.5,
        aim=0.8,
        note=f"{rows.number:,} bars of one session into the full table; ours also keeps the source file, totals and"
        f" rejected rows. Median of {3 * rounds}.",
    )


def _empty_tables() -> None:
    execute("TRUNCATE historical_data, source_files, table_totals, rejected_rows", "CHECKPOINT")


def _without(evening: ReadSession) -> None:
    execute(
        f"DELETE FROM historical_data WHERE date = '{evening.session}'",
        f"DELETE FROM source_files WHERE session = '{evening.session}'",
        "VACUUM historical_data",
        "CHECKPOINT",
    )
