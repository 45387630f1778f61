"""Evidence from the daily files about what a symbol is, cached by year: an evening opens one file, not thousands.

To tell shares from funds (`security_kinds`) every daily file counts: who traded, in which series, under which ISIN, at
which price steps. These counts add up, so each year's sum is cached with the list of its files. An evening's new file
is added to its year; a revised or late file makes its year be counted again. Without a cache, or with a damaged one,
the result is the same and takes longer.
"""

import contextlib
import json
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from market_data.prices.bars import SERIES_ORDER
from market_data.providers import SourceUnreadable
from market_data.providers.nse.files import TRADED_SCHEMA, Layout, content_of, traded_prices
from market_data.providers.nse.security_kinds import TICK_COUNTS, tick_counts
from stocks.storage.durable_files import replace_file

_FILES = b"daily files"
_WORDS = ("symbol", "series", "isin")


class DailyFile(NamedTuple):
    """One session's file."""

    session: date
    path: Path
    layout: Layout

    def identity(self) -> list[str | int]:
        """Return what distinguishes a revised file from the one counted before."""
        state = self.path.stat()
        return [self.session.isoformat(), str(self.path.absolute()), state.st_size, state.st_mtime_ns]


def traded_evidence(files: Sequence[DailyFile], folder: Path | None = None) -> pd.DataFrame:
    """Return the evidence that daily files, one per session and ascending, hold about their symbols.

    Index symbol, every one that traded in a series of shares; isin (the latest known, else None), surveilled (traded in
    another series than EQ), and ``TICK_COUNTS``. Unreadable files are skipped: they are reported when their bars are
    read. `folder` is the cache of yearly sums; without it every file is opened.
    """
    years = [
        _year(list(of_year), folder / f"traded-{year}.parquet" if folder else None)
        for year, of_year in groupby(files, key=lambda file: file.session.year)
    ]
    return _summed(years)


def _year(files: Sequence[DailyFile], kept_in: Path | None) -> pd.DataFrame:
    current = [file.identity() for file in files]
    known, summed = _kept(kept_in) if kept_in else ([], _summed([]))
    if known != current[: len(known)]:
        # A query for an earlier day must not shorten the cached sum for the next evening.
        keep = not known or str(current[-1][0]) >= str(known[-1][0])
        known, summed = [], _summed([])
    else:
        keep = len(known) < len(current)
    if len(known) < len(current):
        summed = _summed([summed, _read(files[len(known) :])])
    if keep and kept_in:
        _keep(kept_in, current, summed)
    return summed


def _read(files: Iterable[DailyFile]) -> pd.DataFrame:
    parts = [TRADED_SCHEMA.empty_table()]
    for session, path, layout in files:
        with contextlib.suppress(SourceUnreadable):
            parts.append(traded_prices(content_of(path), name=path.name, layout=layout, session=session))
    table = pa.concat_tables(parts)
    for place, column in enumerate(table.column_names):
        if column in _WORDS:
            table = table.set_column(place, column, pc.utf8_trim_whitespace(table[column]))
    table = table.filter(pc.is_in(table["series"], pa.array(SERIES_ORDER)))
    # Many rows with few distinct texts: as categories they cost a tenth of the time and memory.
    traded = table.to_pandas(strings_to_categorical=True)
    traded["symbol"] = traded["symbol"].astype("object")
    by_symbol = pd.DataFrame(index=pd.Index(sorted(traded["symbol"].unique()), name="symbol", dtype="object"))
    isins = traded.loc[traded["isin"].notna(), ["symbol", "isin"]].astype("object")
    by_symbol["isin"] = isins.drop_duplicates("symbol", keep="last").set_index("symbol")["isin"]
    by_symbol["surveilled"] = by_symbol.index.isin(traded.loc[traded["series"].ne("EQ"), "symbol"])
    counts = tick_counts(traded).reindex(by_symbol.index).fillna(0).astype("int64")
    return by_symbol.join(counts)


def _summed(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the sum of the parts; of two ISINs the later part's wins."""
    every = pd.concat([part for part in parts if len(part)] or [_NOTHING])
    groups = every.groupby(level="symbol", sort=True)
    # GroupBy.last skips missing values, as intended here.
    summed = pd.DataFrame({"isin": groups["isin"].last(), "surveilled": groups["surveilled"].any()})
    summed["isin"] = summed["isin"].astype("object").where(summed["isin"].notna(), None)
    return summed.join(groups[list(TICK_COUNTS)].sum())


_NOTHING = pd.DataFrame(
    {"isin": pd.Series(dtype="object"), "surveilled": pd.Series(dtype=bool)}
    | {name: pd.Series(dtype="int64") for name in TICK_COUNTS}
).rename_axis("symbol")


def _kept(path: Path) -> tuple[list[list[str | int]], pd.DataFrame]:
    try:
        table = pq.read_table(path)
        files: list[list[str | int]] = json.loads(table.schema.metadata[_FILES])
        return files, table.to_pandas().set_index("symbol")
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        return [], _summed([])


def _keep(path: Path, files: list[list[str | int]], summed: pd.DataFrame) -> None:
    """Put the sum in place whole; where nothing can be written, the next evening reads the files again."""
    table = pa.Table.from_pandas(summed.reset_index(), preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FILES: json.dumps(files)})
    with contextlib.suppress(OSError), replace_file(path) as temporary:
        pq.write_table(table, temporary)
