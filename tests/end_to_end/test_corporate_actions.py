"""Splits, bonuses, demergers, unit splits and crashes in a small archive: real runs give their right values."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from market_data import quality
from market_data.models import CorporateAction, DailyBar
from market_data.prices.events import blocked_events
from market_data.steps import factors
from market_data.storage import queries
from stocks.models import StockMetrics
from tests.end_to_end import evenings

pytestmark = pytest.mark.django_db
DAYS = [day.date() for day in pd.bdate_range("2024-12-09", "2024-12-23")]
SPLIT_DAY, DEMERGER_DAY, LIST_ENDS, LATE_DAY, LAST, NEXT = DAYS[5], DAYS[6], DAYS[7], DAYS[8], DAYS[9], DAYS[10]
COMPARED = ("historical_data", "corporate_actions", "stock_metrics", "stocks", "exchange_facts")
OTHERS = [f"OTHER{number:02}" for number in range(20)]

# Symbol → price, the day on which its level changes, what it opens at of the previous close.
LEVELS: dict[str, tuple[float, date, float]] = {
    "SPLITBON": (800.0, SPLIT_DAY, 0.25),
    "TRIALETF": (250.0, SPLIT_DAY, 0.1),
    "DEMERGED": (400.0, DEMERGER_DAY, 0.91),
    "UNREADCO": (90.0, DAYS[0], 1.0),
    "LATEBON": (150.0, LATE_DAY, 0.5),
    "LATEDEM": (300.0, LATE_DAY, 0.6),
    "CRASHED": (700.0, LATE_DAY, 0.81),
    **{symbol: (100.0 + 3 * number, DAYS[0], 1.0) for number, symbol in enumerate(OTHERS)},
}
ACTIONS = [
    ("SPLITBON", SPLIT_DAY, "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 5/- Per Share"),
    ("SPLITBON", SPLIT_DAY, "Bonus 1:1"),
    ("DEMERGED", DEMERGER_DAY, "Demerger"),
    ("UNREADCO", LIST_ENDS, "Fv Spl"),
]
HEAD = "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE,"
HEAD += " TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER"


def _close(symbol: str, day: date) -> float:
    price, changes, level = LEVELS[symbol]
    return round(price * (level if day >= changes else 1.0), 2)


def _line(symbol: str, at: int) -> str:
    day, close = DAYS[at], _close(symbol, DAYS[at])
    before = _close(symbol, DAYS[max(at - 1, 0)])
    high, low, volume = close * 1.01, close * 0.99, 100_000 + at
    prices = ", ".join(f"{price:.2f}" for price in (before, close, high, low, close, close, close))
    return f"{symbol}, EQ, {day:%d-%b-%Y}, {prices}, {volume}, {volume * close / 1e5:.2f}, 900, {volume // 2}, 50.00"


def _publish_actions(folder: Path, *more: tuple[str, date, str]) -> None:
    columns = ("SYMBOL", "COMPANY NAME", "SERIES", "PURPOSE", "FACE VALUE", "EX-DATE", "RECORD DATE")
    rows = [(symbol, symbol, "EQ", text, "10", f"{day:%d-%b-%Y}", "-") for symbol, day, text in (*ACTIONS, *more)]
    lines = [",".join(f'"{cell}"' for cell in row) for row in (columns, *rows)]
    (folder / "lists" / "CF-CA-equities.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "exchange"
    for name in ("bhavcopy", "lists", f"reports/{DAYS[4]}"):
        (folder / name).mkdir(parents=True)
    for at, day in enumerate(DAYS):
        lines = [HEAD, *(_line(symbol, at) for symbol in LEVELS)]
        (folder / "bhavcopy" / f"sec_bhavdata_full_{day:%d%m%Y}.csv").write_text("\n".join(lines) + "\n")
    companies = [symbol for symbol in LEVELS if symbol != "TRIALETF"]
    head = "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE"
    listed = [f"{name},{name} Limited,EQ,06-OCT-2008,10,1,INE{at:03}A01011,10" for at, name in enumerate(companies)]
    (folder / "lists" / "EQUITY_L.csv").write_text("\n".join([head, *listed]) + "\n")
    head = "Trade Date,Symbol,Series,Security Name,Category,Last Trade Date,Face Value(Rs.),Issue Size,"
    head += "Close Price/Paid up value(Rs.),Market Cap(Rs.)"
    sizes = [
        f"{day:%d %b %Y},{name},EQ,{name},Listed,{day:%d %b %Y},10,10000000,{price:.2f},{price * 1e7:.2f}"
        for name, (price, *_), day in ((name, LEVELS[name], DAYS[4]) for name in companies)
    ]
    pack = folder / "reports" / f"{DAYS[4]}"
    (pack / f"mcap{DAYS[4]:%d%m%Y}.csv").write_text("\n".join([head, *sizes]) + "\n")
    (pack / f"PE_{DAYS[4]:%d%m%y}.csv").write_text("SYMBOL,SYMBOL P/E,ADJUSTED P/E\nSPLITBON,32.00,32.00\n")
    _publish_actions(folder)
    with evenings.reading_archive(folder, tmp_path):
        yield folder


def _events(symbol: str) -> list[tuple[str, str, float | None]]:
    rows = CorporateAction.objects.filter(symbol=symbol).order_by("status", "kind")
    return [(row.kind, row.status, None if row.factor is None else round(row.factor, 4)) for row in rows]


@pytest.mark.long
def test_each_event_has_its_right_value_evening_by_evening_and_at_once(archive: Path) -> None:
    for session in (DEMERGER_DAY, LATE_DAY, LAST):
        evenings.evening(session)
    by_evenings = evenings.of_session(LAST)

    first: dict[Any, Any] = dict(DailyBar.objects.filter(date=DAYS[0]).values_list("symbol_id", "adj_close"))
    adjusted = {symbol: first[symbol] / LEVELS[symbol][0] for symbol in LEVELS}
    wanted = {"SPLITBON": 0.25, "TRIALETF": 0.1, "DEMERGED": 0.91, "LATEBON": 0.5, "LATEDEM": 0.6}
    assert adjusted == pytest.approx(dict.fromkeys(LEVELS, 1.0) | wanted, rel=1e-4)
    assert _events("TRIALETF") == [("split", "inferred", 0.1)]
    assert _events("DEMERGED") == [("demerger", "inferred", 0.91), ("demerger", "official", None)]
    assert _events("CRASHED") == []

    shares: dict[str, Any] = {row.symbol_id: row for row in StockMetrics.objects.filter(date=LAST)}
    split = shares["SPLITBON"]
    assert (split.issue_size, split.market_cap) == (40_000_000, pytest.approx(800.0))
    assert (split.eps, split.pe_ratio) == (pytest.approx(6.25), pytest.approx(32.0))
    assert shares["LATEBON"].issue_size == 20_000_000
    assert (shares["DEMERGED"].issue_size, shares["DEMERGED"].market_cap) == (10_000_000, pytest.approx(364.0))

    assert quality.excluded_symbols(LAST) == {"UNREADCO": "unread_action", "LATEDEM": "price_jump"}
    crossed = blocked_events(queries.events_frame(LAST))["symbol"]
    assert set(crossed) == {"DEMERGED", "LATEDEM", "UNREADCO"}

    at_once = evenings.full_load(LAST)
    evenings.assert_same(*({table: frames[table] for table in COMPARED} for frames in (by_evenings, at_once)))


def test_the_list_replaces_what_was_inferred_when_it_arrives(archive: Path) -> None:
    evenings.evening(LAST)
    assert _events("LATEBON") == [("split", "inferred", 0.5)]
    _publish_actions(
        archive,
        ("LATEBON", LATE_DAY, "Bonus 1:1"),
        ("LATEDEM", LATE_DAY, "Demerger"),
        ("UNREADCO", LIST_ENDS, "Face Value Split From Rs 10 To Rs 10.01"),
    )
    evenings.evening(NEXT)
    assert _events("LATEBON") == [("split", "confirmed", 0.5), ("bonus", "official", 0.5)]
    assert _events("LATEDEM") == [("demerger", "confirmed", 0.6), ("demerger", "official", None)]
    adjusted: dict[Any, Any] = dict(DailyBar.objects.filter(date=DAYS[0]).values_list("symbol_id", "adj_close"))
    assert (adjusted["LATEBON"], adjusted["LATEDEM"]) == (75.0, pytest.approx(180.0))
    assert quality.excluded_symbols(NEXT) == {}


@pytest.mark.long
def test_over_a_missing_file_nothing_is_inferred_until_it_arrives(archive: Path) -> None:
    late = evenings.file_of(archive, LIST_ENDS)
    content = late.read_bytes()
    late.unlink()
    evenings.evening(LATE_DAY)
    assert _events("LATEBON") == []
    late.write_bytes(content)
    evenings.evening(LAST)
    assert _events("LATEBON") == [("split", "inferred", 0.5)]


@pytest.mark.parametrize("rules_before", [1, pytest.param(factors.FACTOR_RULES, marks=pytest.mark.long)])
def test_new_rules_check_all_stored_sessions_once(
    archive: Path, monkeypatch: pytest.MonkeyPatch, rules_before: int
) -> None:
    """An evening under the rules of the one before checks its own session alone."""
    rules = factors.FACTOR_RULES
    monkeypatch.setattr(factors, "FACTOR_RULES", rules_before)
    evenings.evening(LIST_ENDS)
    CorporateAction.objects.filter(status="inferred").delete()
    monkeypatch.undo()
    evenings.evening(LATE_DAY)
    assert _events("TRIALETF") == ([("split", "inferred", 0.1)] if rules_before < rules else [])
    assert _events("LATEBON") == [("split", "inferred", 0.5)]
