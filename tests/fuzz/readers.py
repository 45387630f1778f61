"""Every reader of input files: a valid file, checks of what is read, and the writer that stores it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from django.core.management.base import CommandError

from market_data.management.commands.import_market_days import imported_days
from market_data.models import SourceFile
from market_data.prices.bars import BAR_DTYPES, MAX_PRICE, MAX_QUANTITY, checked_bars
from market_data.prices.events import official_events
from market_data.providers import SourceUnreadable
from market_data.providers.nse import lists as nse_lists
from market_data.providers.nse.files import LAYOUTS, content_of, layout_of, parsed_bars, traded_prices
from market_data.providers.simulator import Simulator, write_archive
from market_data.steps.fundamentals import record_rejects
from market_data.storage import writer as market_writer
from market_data.trading_calendar import CalendarError, record_imported_days, record_market_days
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.files import FundamentalsUnreadableError, Reading, read_snapshots, read_statements
from stocks.picks.filters import FiltersInvalid
from stocks.picks.screening import STRATEGIES, load_filters
from stocks.universe import writer as universe_writer
from stocks.universe.renames import renames
from tests.fuzz.uploads import upload_readers
from tests.stocks import fundamentals_folder as folders

DAY = date(2024, 3, 8)
LINES = 10
RUN = "fuzz"


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes
    ----------
    path
        The file's path below the folder passed to `read`.
    valid
        Text of a valid file, unpacked.
    read
        Takes the folder, returns what it read.
    check
        Asserts the invariants of what was read.
    store
        Writes it, as the nightly run or the command does.
    errors
        Errors that reading or storing may raise.
    """

    name: str
    path: str
    valid: bytes
    read: Callable[[Path], Any]
    check: Callable[[Any], None]
    store: Callable[[Any], object]
    errors: tuple[type[Exception], ...] = (SourceUnreadable,)
    packing: str = "plain"


@cache
def readers() -> dict[str, Reader]:
    """All readers by name; the valid files come from the simulated market and from the layouts of the screener."""
    with tempfile.TemporaryDirectory(prefix="nse-fuzz-") as place:
        folder = Path(place)
        market = Simulator(symbols=40, sessions=60, seed=6, series="all")
        readers: list[Reader] = []
        for layout in LAYOUTS:
            (written,) = write_archive(market, folder / layout.name, [DAY], layout=layout.name)
            readers.append(_daily_reader(written))
        readers += _lists(folder / "full")
        readers += _fundamentals(folder)
    return {reader.name: reader for reader in [*readers, _market_days(), _filters(), *upload_readers(Reader)]}


def _daily_reader(path: Path) -> Reader:
    recognised = layout_of(path.name)
    assert recognised is not None
    layout, day = recognised

    def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        content = content_of(folder / path.name)
        raw = parsed_bars(content, name=path.name, layout=layout, session=day)
        bars, rejects = checked_bars(raw.frame, session=day)
        traded = traded_prices(content, name=path.name, layout=layout, session=day)
        lines = len(raw.frame) + len(raw.rejects) + sum(raw.out_of_scope.values())
        assert len(bars) + len(rejects) == len(raw.frame)
        assert traded.num_rows <= lines
        return bars, pd.concat([raw.rejects, rejects], ignore_index=True)

    packing = "zip" if path.suffix == ".zip" else "plain"
    valid = b"\n".join(content_of(path).split(b"\n")[:LINES]) + b"\n"
    return Reader(f"daily_{layout.name}", path.name, valid, read, _check_bars, _store_bars, packing=packing)


def _check_bars(read: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    bars, rejects = read
    assert {column: str(kind) for column, kind in bars.dtypes.items()} == BAR_DTYPES
    price = bars[["open", "high", "low", "close"]].to_numpy()
    assert np.isfinite(price).all()
    assert ((price > 0) & (price <= MAX_PRICE)).all()
    assert (bars["low"].to_numpy()[:, None] <= price).all()
    assert (bars["high"].to_numpy()[:, None] >= price).all()
    for column in ("prev_close", "last_price", "vwap", "turnover_lakh"):
        assert (bars[column].isna() | (np.isfinite(bars[column]) & (bars[column] >= 0))).all(), column
    for column in ("volume", "trades", "delivered_quantity"):
        known = bars[column].dropna()
        assert known.between(0, MAX_QUANTITY).all(), column
    assert not bars.duplicated(["symbol", "date"]).any()
    assert bars["date"].eq(pd.Timestamp(DAY)).all()
    assert bars["symbol"].str.fullmatch(r"[A-Z0-9][A-Z0-9&_.-]*").all()
    assert bars["isin"].dropna().str.fullmatch(r"[A-Z]{2}[A-Z0-9]{9}[0-9]").all()
    assert rejects["reason"].str.len().gt(0).all()


def _store_bars(read: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    bars, rejects = read
    file = SourceFile(session=DAY, name="fuzz.csv", size=1, mtime_ns=1, sha256="0" * 64)
    universe_writer.record_traded_symbols(bars, RUN)
    market_writer.record_bars([market_writer.ReadSession(DAY, file, bars, rejects)], bars["close"], RUN)
    stored = SourceFile.objects.get(session=DAY)
    assert (stored.rows, stored.rejected) == (len(bars), len(rejects))


def _list_reader(name: str, path: Path, folder: Path, read: Callable[[Path], pd.DataFrame], store: Any) -> Reader:
    lines = path.read_bytes().split(b"\n")
    valid = b"\n".join(lines[:LINES]).rstrip(b"\n") + b"\n"
    return Reader(name, path.relative_to(folder).as_posix(), valid, read, _check_symbols, store)


def _check_symbols(frame: Any) -> None:
    if "symbol" in frame:
        assert frame["symbol"].str.fullmatch(r"[A-Z0-9][A-Z0-9&_.-]*").all()
    for column in frame.columns[[kind.kind == "f" for kind in frame.dtypes]]:
        assert not np.isinf(frame[column]).any(), column


def _lists(folder: Path) -> list[Reader]:
    lists = folder / "lists"
    pack = folder / "reports" / f"{DAY}"
    packed = {stem: next(pack.glob(f"{stem}*.csv")) for stem in ("mcap", "PE_", "pd", "series_change")}
    packed["bc"] = pack / "bc08032024.csv"
    lines = ["SERIES,SYMBOL,SECURITY,RECORD_DT,BC_STRT_DT,BC_END_DT,EX_DT,ND_STRT_DT,ND_END_DT,PURPOSE"]
    lines += [f"EQ,S{n},Share,2024-03-12,,,2024-03-1{n},,,DIVIDEND - RS {n} PER SHARE" for n in range(1, 5)]
    lines += ["EQ,S7,Share,2024-03-12,,,2024-03-12,,,BONUS 1:2"]
    packed["bc"].write_text("\n".join(lines))

    def in_pack(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        return lambda at: read(at / "reports" / f"{DAY}")

    def in_lists(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        return lambda at: read(at / "lists")

    def store_facts(frame: pd.DataFrame) -> None:
        universe_writer.record_exchange_facts(frame, DAY, RUN)

    closed = next(lists.glob(nse_lists.HOLIDAYS))
    (lists / "symbolchange.csv").write_text("Simulated,OLD,NEW,01-Mar-2024\nA, Limited,AAA,BBB,05-MAR-2024\n")
    return [
        _list_reader(
            "equities", lists / nse_lists.EQUITIES, folder, in_lists(nse_lists.listed_equities), _store_listed
        ),
        _list_reader(
            "index_list", lists / "ind_nifty500list.csv", folder, in_lists(nse_lists.index_members), _store_listed
        ),
        _list_reader("actions", lists / nse_lists.ACTIONS, folder, in_lists(nse_lists.listed_actions), _store_actions),
        _list_reader("announced", packed["bc"], folder, _announced, _store_actions),
        _list_reader("renames", lists / nse_lists.CHANGES, folder, in_lists(nse_lists.symbol_changes), _store_renames),
        _list_reader("capital", packed["mcap"], folder, in_pack(nse_lists.daily_facts), store_facts),
        _list_reader("ratios", packed["PE_"], folder, in_pack(nse_lists.daily_facts), store_facts),
        _list_reader("capital_names", packed["mcap"], folder, in_pack(nse_lists.issued_capital), _store_listed),
        _list_reader("traded_names", packed["pd"], folder, in_pack(nse_lists.traded_as_equity), _store_listed),
        _list_reader("series_changes", packed["series_change"], folder, in_pack(_moved), lambda frame: None),
        _list_reader("holidays", closed, folder, in_lists(nse_lists.holidays), _store_holidays),
    ]


def _announced(at: Path) -> pd.DataFrame:
    return nse_lists.announced_actions(at / "reports")


def _moved(pack: Path) -> pd.DataFrame:
    return pd.DataFrame({"symbol": sorted(nse_lists.changed_series(pack))}, dtype=object)


def _store_listed(frame: pd.DataFrame) -> None:
    listed = frame.rename(columns={"industry": "sector"}) if "index" in frame else frame
    universe_writer.record_symbols(listed.assign(source="fuzz", kind="unknown"), RUN, DAY)


def _store_actions(frame: pd.DataFrame) -> None:
    market_writer.record_official_events(official_events(frame), RUN)


def _store_renames(frame: pd.DataFrame) -> None:
    """Apply the renames of a list on a day on which every new symbol trades and no old one does."""
    bars = pd.DataFrame({column: [1.0] * len(frame) for column in ("open", "close", "prev_close")})
    today = bars.assign(symbol=frame["to_symbol"], date=pd.Timestamp("2100-12-31"))
    before = bars.assign(symbol=frame["from_symbol"], date=pd.Timestamp("2100-12-30"))
    universe_writer.apply_renames(renames(today, before, set(before["symbol"]), {}, frame), RUN)


def _store_holidays(frame: pd.DataFrame) -> None:
    days = [
        (stamp.date(), kind, kind != "holiday", None, None, f"list, {reason}"[:60])
        for stamp, reason, kind in frame.to_numpy()
    ]
    columns = ["date", "kind", "is_session", "open", "close", "source"]
    record_market_days(pd.DataFrame.from_records(days, columns=columns), None)


def _fundamentals(folder: Path) -> list[Reader]:
    quarters = ("Dec-23", "Sep-23", "Jun-23", "Mar-23")
    income = [folders.income("ACME", month, 100 + n, 80, 25, 10, 9.5, 1) for n, month in enumerate(quarters)]
    balance = ["ACME,Mar-23,500,0,10,100,610,1110,700,400,1110,1,1,10,50,x"]
    balance += ["B-C,Mar-22,50,0,1,10,6,11,70,40,111,1,1,1,5,x"]
    cashflow = ["ACME,Mar-23,40,1,1,1,1,1,x", "B-C,Mar-22,-4,1,1,1,1,1,x"]
    evenings = folder / "fundamentals"
    evenings.mkdir()
    folders.write_snapshots(evenings, {}, {"symbol": "M&M", "debt_to_equity": 0.0}, {"symbol": "X", "pe_ratio": -3.0})
    files = {
        "statements_income_quarterly.csv.gz": (folders.INCOME_HEADER, income),
        "statements_balance_yearly.csv.gz": (folders.BALANCE_HEADER, balance),
        "statements_cashflow_yearly.csv.gz": (folders.CASHFLOW_HEADER, cashflow),
    }
    errors = (FundamentalsUnreadableError,)
    readers = [
        Reader(
            name.split(".")[0],
            name,
            "\n".join([head, *rows]).encode(),
            read_statements,
            _check_statements,
            _store_statements,
            errors,
            "gz",
        )
        for name, (head, rows) in files.items()
    ]
    name = "fundamentals_2026-04-30.csv"
    valid = (evenings / name).read_bytes()
    for file, packing in ((name, "plain"), ("snapshots_2026-04.parquet", "parquet")):
        readers.append(
            Reader(
                f"snapshot_{Path(file).suffix[1:]}",
                file,
                valid,
                read_snapshots,
                _check_statements,
                _store_snapshots,
                errors,
                packing,
            )
        )
    return readers


def _store_statements(reading: Reading) -> None:
    fundamentals_writer.record_statements(reading.rows, RUN)
    record_rejects(reading.rejects, RUN)


def _store_snapshots(reading: Reading) -> None:
    fundamentals_writer.record_snapshots(reading.rows, RUN)
    record_rejects(reading.rejects, RUN)


def _check_statements(reading: Any) -> None:
    rows = reading.rows
    key = ["symbol", "snapshot"] if "snapshot" in rows else ["symbol", "period_end", "kind"]
    assert not rows.duplicated(key).any()
    assert not rows[key].isna().any(axis=None)
    _check_symbols(rows)
    for column in ("revenue", "close", "market_cap", "total_assets"):
        if column in rows:
            assert not (rows[column] < 0).any(), column
    if "published_on" in rows and len(rows):
        assert (rows["published_on"] > rows["period_end"]).all()


def _market_days() -> Reader:
    valid = b"date,kind,is_session,open,close\n2027-01-26,holiday,no,,\n2027-10-29,muhurat,yes,18:00,19:00\n"
    valid += b"2027-01-25,normal,1,09:15,15:30\n"

    def check(days: pd.DataFrame) -> None:
        assert all(type(day) is date for day in days["date"])

    def store(days: pd.DataFrame) -> None:
        record_market_days(_one_day(), None)
        record_imported_days(days, "fuzz.csv")

    return Reader(
        "market_days",
        "days.csv",
        valid,
        lambda folder: imported_days(folder / "days.csv"),
        check,
        store,
        (CommandError, CalendarError),
    )


def _one_day() -> pd.DataFrame:
    columns = ["date", "kind", "is_session", "open", "close", "source"]
    return pd.DataFrame([(DAY, "normal", True, None, None, "fuzz")], columns=columns)


def _filters() -> Reader:
    valid = b"min_price: 50\nmax_price: 5000\nmin_rsi: 30.5\n"
    valid += b"strategies:\n  growth:\n    min_roe: 12\n  value: {max_pe_ratio: 20}\n"

    def check(filters: Any) -> None:
        for strategy in STRATEGIES:
            assert all(np.isfinite(threshold.value) for threshold in filters.of(strategy))

    return Reader(
        "filters",
        "stock_filters.yaml",
        valid,
        lambda folder: load_filters(folder / "stock_filters.yaml", {}),
        check,
        lambda filters: None,
        (FiltersInvalid,),
    )
