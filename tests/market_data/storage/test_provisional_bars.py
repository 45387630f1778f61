"""What the writer keeps: the exchange's bars replace a vendor's, and are never replaced by them."""

from datetime import date

import pandas as pd
import pytest

from market_data.models import DailyBar, SourceFile
from market_data.prices.bars import BAR_COLUMNS, FINAL, PROVISIONAL, as_bar_frame, empty_rejects
from market_data.storage import writer as market_writer
from market_data.storage.writer import ReadSession
from stocks.models import Stock

pytestmark = pytest.mark.django_db

DAY = date(2026, 4, 29)


@pytest.fixture(autouse=True)
def shares() -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        Stock.objects.create(symbol=symbol)


def record(status: str, run_id: str, **closes: float) -> None:
    rows = [
        {"symbol": symbol, "date": DAY, "series": "EQ", "open": price, "high": price, "low": price, "close": price}
        for symbol, price in closes.items()
    ]
    bars = as_bar_frame(pd.DataFrame(rows).assign(volume=5).reindex(columns=list(BAR_COLUMNS)))
    file = SourceFile(session=DAY, name=status, size=1, mtime_ns=1, sha256=status, status=status)
    market_writer.record_bars([ReadSession(DAY, file, bars, empty_rejects())], bars["close"], run_id)


def stored() -> dict[str, tuple[float | None, str]]:
    return {row.symbol_id: (row.close, row.status) for row in DailyBar.objects.order_by("symbol")}


def test_the_exchanges_bars_replace_a_vendors_and_what_it_does_not_have_goes() -> None:
    record(PROVISIONAL, "run_1", AAA=10, BBB=20)
    record(FINAL, "run_2", AAA=11, CCC=31)
    assert stored() == {"AAA": (11, FINAL), "CCC": (31, FINAL)}
    assert SourceFile.objects.get().status == FINAL


def test_a_vendors_bar_never_replaces_the_exchanges() -> None:
    record(FINAL, "run_1", AAA=11, BBB=21)
    record(PROVISIONAL, "run_2", AAA=10, CCC=30)
    assert stored() == {"AAA": (11, FINAL), "BBB": (21, FINAL), "CCC": (30, PROVISIONAL)}


def test_a_vendors_bars_read_again_are_its_newest() -> None:
    record(PROVISIONAL, "run_1", AAA=10, BBB=20)
    record(PROVISIONAL, "run_2", AAA=12)
    assert stored() == {"AAA": (12, PROVISIONAL)}
