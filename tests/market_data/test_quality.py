"""Each check finds the fault put in for it, and says nothing on a clean day."""

from datetime import date, timedelta
from typing import Any

import pytest

from market_data import quality
from market_data.models import DailyBar, MarketDay, SourceFile, TechnicalIndicator
from stocks.models import Stock

pytestmark = pytest.mark.django_db
DAYS = [date(2026, 4, 1) + timedelta(days=number) for number in range(6)]
TODAY, YESTERDAY = DAYS[-1], DAYS[-2]
SYMBOLS = [f"S{number:02d}" for number in range(10)]


@pytest.fixture(autouse=True)
def market() -> None:
    """Six clean sessions of ten shares."""
    Stock.objects.bulk_create(Stock(symbol=symbol, kind="share") for symbol in SYMBOLS)
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="test") for day in DAYS)
    for place, day in enumerate(DAYS):
        SourceFile.objects.create(session=day, name="a", size=1, mtime_ns=1, sha256="0", rows=len(SYMBOLS), rejected=0)
        for number, symbol in enumerate(SYMBOLS):
            close = 100.0 + place + number
            figures: dict[str, Any] = {
                "open": close,
                "high": close + 1,
                "low": close - 1,
                "close": close,
                "vwap": close,
            }
            figures |= {"volume": 50_000, "turnover_lakh": close * 50_000 / 1e5, "source": "test", "series": "EQ"}
            DailyBar.objects.create(symbol_id=symbol, date=day, **figures)
            TechnicalIndicator.objects.create(
                symbol_id=symbol,
                date=day,
                rsi_14=50,
                atr_14=2,
                sma_20=close,
                macd=1.5,
                signal_line=1,
                macd_histogram=0.5,
            )


def found() -> dict[str, list[tuple[str, bool]]]:
    checks: dict[str, list[tuple[str, bool]]] = {}
    for one in quality.findings_of(TODAY):
        checks.setdefault(one["check_name"], []).append((one["symbol"], one["blocks"]))
    return checks


def bars(day: date = TODAY, **which: Any) -> Any:
    return DailyBar.objects.filter(date=day, **which)


def test_a_clean_day_has_no_findings() -> None:
    done: list[tuple[int, int]] = []
    assert quality.findings_of(TODAY, lambda *progress: done.append(progress)) == []
    assert done[-1] == (len(quality.CHECKS), len(quality.CHECKS))


def test_a_day_without_bars() -> None:
    TechnicalIndicator.objects.filter(date=TODAY).delete()
    bars().delete()
    assert found() == {"no_bars": [("", True)]}


@pytest.mark.parametrize(("rows", "wrong"), [(6, True), (7, False), (15, False), (16, True)])
def test_a_count_of_bars_out_of_proportion(rows: int, wrong: bool) -> None:
    SourceFile.objects.filter(session=TODAY).update(rows=rows)
    assert found() == ({"bar_count": [("", True)]} if wrong else {})


def test_a_session_that_was_never_loaded() -> None:
    SourceFile.objects.filter(session=DAYS[2]).delete()
    assert found() == {"missing_session": [("", False)]}


def test_a_bar_without_indicators() -> None:
    TechnicalIndicator.objects.filter(date=TODAY, symbol__symbol="S03").delete()
    assert found() == {"missing_indicators": [("S03", True)]}


@pytest.mark.parametrize(
    "figures",
    [
        {"atr_14": -0.1},
        {"bollinger_lower": 2, "bollinger_middle": 1, "bollinger_upper": 3},
        {"bollinger_lower": 1, "bollinger_middle": 4, "bollinger_upper": 3},
        {"sma_20": 0},
        {"macd_histogram": 0.7},
    ],
)
def test_an_indicator_out_of_bounds(figures: dict[str, float]) -> None:
    TechnicalIndicator.objects.filter(date=TODAY, symbol__symbol="S04").update(**figures)
    assert found() == {"indicator_bounds": [("S04", True)]}


def test_turnover_in_another_unit() -> None:
    bars(symbol_id="S05").update(turnover_lakh=10_500.0)
    assert found() == {"unit_error": [("S05", True)]}


def test_turnover_of_a_bar_without_an_average_price() -> None:
    bars(symbol_id="S05").update(turnover_lakh=10_500.0, vwap=None)
    assert found() == {"unit_error": [("S05", True)]}
    assert all(one["message"] for one in quality.findings_of(TODAY))


def test_a_file_that_repeats_the_day_before() -> None:
    for bar in bars(YESTERDAY):
        figures = {name: getattr(bar, name) for name in ("open", "high", "low", "close", "vwap", "turnover_lakh")}
        bars(symbol_id=bar.symbol_id).update(**figures)
    assert found() == {"frozen_market": [("", True)]}


def test_later_days_are_not_looked_at() -> None:
    bars(symbol_id="S05").update(turnover_lakh=10_500.0)
    SourceFile.objects.filter(session=TODAY).update(rows=1)
    assert quality.findings_of(YESTERDAY) == []


def test_every_check_names_a_remedy() -> None:
    assert all(check.remedy.endswith(".") for check in quality.CHECKS)
    assert len({check.name for check in quality.CHECKS}) == len(quality.CHECKS)
