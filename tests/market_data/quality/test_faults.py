"""Each fault, put into one share and into the whole market, is found by its check; nothing else blocks."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pytest

from market_data import quality
from market_data.models import CorporateAction, DailyBar, MarketDay, SourceFile
from stocks.models import FinancialStatement, Stock
from tests.market_data.quality.stored_market import (
    DAYS,
    LATER,
    ONE,
    OTHER,
    SYMBOLS,
    TODAY,
    YESTERDAY,
    bars_are,
    by_check,
    change,
    copied,
    drop,
    finding,
    findings_by_check,
    some,
    stored_metrics,
    vanished,
)

pytestmark = pytest.mark.django_db
_OHLC = "open = open * {0}, high = high * {0}, low = low * {0}, close = close * {0}, adj_close = adj_close * {0},"
_PRICES = _OHLC + " last_price = last_price * {0}, vwap = vwap * {0}"
_METRICS = "stock_metrics"


class Injected(NamedTuple):
    """A fault: how it is put into symbols, and the checks that must find it and block."""

    into: Callable[[Sequence[str]], None]
    checks: set[str]
    metrics: bool = False


def bars(sets: str) -> Callable[[Sequence[str]], None]:
    return lambda symbols: bars_are(sets, symbols)


def metrics(sets: str) -> Callable[[Sequence[str]], None]:
    return lambda symbols: change(_METRICS, sets, symbols)


def indicator(sets: str) -> Callable[[Sequence[str]], None]:
    return lambda symbols: change("technical_indicators", sets, symbols)


def negative_equity(symbols: Sequence[str]) -> None:
    FinancialStatement.objects.bulk_create(
        FinancialStatement(symbol=symbol, period_end=DAYS[0], kind="year", published_on=DAYS[1], equity=-5, source="t")
        for symbol in symbols
    )


FAULTS = {
    "price x 100": Injected(bars(_PRICES.format(100)), {"unit_error"}),
    "price / 100": Injected(bars(_PRICES.format(0.01)), {"unit_error"}),
    "whole row x 100": Injected(
        bars(_PRICES.format(100) + ", prev_close = prev_close * 100, turnover_lakh = turnover_lakh * 100"),
        {"previous_close"},
    ),
    "turnover in rupees": Injected(bars("turnover_lakh = turnover_lakh * 100000"), {"unit_error"}),
    "turnover in crore": Injected(bars("turnover_lakh = turnover_lakh / 100"), {"unit_error"}),
    "volume x 1000": Injected(bars("volume = volume * 1000"), {"unit_error"}),
    "previous close of another day": Injected(bars("prev_close = prev_close * 1.002"), {"previous_close"}),
    "a digit too many in the high": Injected(bars("high = high * 10"), {"range_spike"}),
    "a digit lost in the low": Injected(bars("low = low / 10"), {"range_spike"}),
    "more delivered than traded": Injected(bars("delivered_quantity = volume + 1"), {"impossible_figures"}),
    "more trades than shares": Injected(bars("trades = volume + 1"), {"impossible_figures"}),
    "average price out of range": Injected(bars("vwap = high * 1.01"), {"impossible_figures"}),
    "last price out of range": Injected(bars("last_price = low * 0.9"), {"impossible_figures"}),
    "no indicators": Injected(lambda symbols: drop("technical_indicators", symbols), {"missing_indicators"}),
    "a negative ATR": Injected(indicator("atr_14 = -0.1"), {"indicator_bounds", "indicator_contradicts_bar"}),
    "bands out of order": Injected(
        indicator("bollinger_upper = bollinger_lower - 1"), {"indicator_bounds", "indicator_contradicts_bar"}
    ),
    "a histogram of its own": Injected(
        indicator("macd_histogram = 9, macd = 1, signal_line = 2"), {"indicator_bounds"}
    ),
    "indicators of another price": Injected(
        indicator(
            "sma_20 = sma_20 * 3, bollinger_middle = bollinger_middle * 3, bollinger_upper = bollinger_upper * 3"
        ),
        {"indicator_contradicts_bar"},
    ),
    "yesterday's average again": Injected(indicator("ema_12 = ema_12 * 1.0001"), {"indicator_contradicts_bar"}),
    "a market cap of other shares": Injected(metrics("market_cap = market_cap * 2"), {"ratio_contradiction"}, True),
    "a P/E of another price": Injected(metrics("pe_ratio = pe_ratio * 1.5"), {"ratio_contradiction"}, True),
    "a P/B of another price": Injected(metrics("pb_ratio = pb_ratio * 1.5"), {"ratio_contradiction"}, True),
    "a price that is not the close": Injected(
        metrics("current_price = current_price * 1.1, market_cap = market_cap * 1.1, pe_ratio = NULL, pb_ratio = NULL"),
        {"ratio_contradiction"},
        True,
    ),
    "ROE over a negative equity": Injected(negative_equity, {"impossible_fundamentals"}, True),
    "a P/E of a loss": Injected(metrics("eps = -1"), {"impossible_fundamentals", "ratio_contradiction"}, True),
    "a margin above hundred": Injected(metrics("operating_margin = 120"), {"impossible_fundamentals"}, True),
}


def severities() -> dict[str, str]:
    return {check.name: check.severity for check in quality.CHECKS}


def test_a_clean_market_has_no_findings() -> None:
    stored_metrics()
    done: list[tuple[int, int]] = []
    assert quality.findings_of(TODAY, lambda *progress: done.append(progress)) == []
    assert done == [(1, 1)]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_share_keeps_out_that_share(name: str) -> None:
    fault = FAULTS[name]
    if fault.metrics:
        stored_metrics()
    fault.into([ONE])
    findings = quality.findings_of(TODAY)
    assert by_check(findings, blocking=True) == {check: {ONE} for check in fault.checks}
    for row in findings:
        assert row["severity"] == severities()[row["check_name"]]
        if row["blocks"]:
            assert ONE in row["message"]
            assert row["sample"]
            assert row["severity"] == "error"


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_whole_market_is_one_finding_that_keeps_out_the_day(name: str) -> None:
    fault = FAULTS[name]
    if fault.metrics:
        stored_metrics()
    fault.into(SYMBOLS)
    findings = quality.findings_of(TODAY)
    assert by_check(findings, blocking=True) == {check: {""} for check in fault.checks}
    assert len(findings) <= 2 * len(fault.checks) + 2
    for report in findings:
        if report["check_name"] in fault.checks:
            assert report["sample"]["count"] == len(SYMBOLS)
            assert 0 < len(report["sample"]["symbols"]) <= 20


def test_as_many_shares_as_one_check_may_name_are_named() -> None:
    bars_are("turnover_lakh = turnover_lakh * 100", some(5))
    assert findings_by_check(blocking=True) == {"unit_error": set(some(5))}
    bars_are("turnover_lakh = turnover_lakh * 100", [symbol for symbol in SYMBOLS if symbol not in some(5)][:1])
    assert findings_by_check(blocking=True) == {"unit_error": {""}}


def test_a_price_that_stands_for_three_sessions_with_volume() -> None:
    for number in (-2, -1):
        copied([ONE], DAYS[number], DAYS[number - 1])
        bars_are("volume = volume * 2, turnover_lakh = turnover_lakh * 2", [ONE], DAYS[number])
    for number in (-2, -1):
        same = "prev_close = (SELECT close FROM historical_data o WHERE o.symbol = t.symbol AND o.date = '{}')"
        bars_are(same.format(DAYS[number - 1]), [ONE], DAYS[number])
    assert findings_by_check(YESTERDAY) == {}
    assert findings_by_check() == {"frozen_price": {ONE}}
    Stock.objects.filter(symbol=ONE).update(kind="fund")
    assert findings_by_check() == {}


def test_a_bar_printed_again_to_the_last_share() -> None:
    copied([ONE])
    assert findings_by_check() == {"frozen_price": {ONE}}


@pytest.mark.parametrize("back", [1, 2, 5])
def test_a_file_that_repeats_an_earlier_day(back: int) -> None:
    copied(source=DAYS[-1 - back])
    expected = {"repeated_day": {""}} | ({"frozen_price": {""}} if back == 1 else {})
    assert findings_by_check(blocking=True) == expected
    assert finding("repeated_day")["sample"] == {"count": len(SYMBOLS), "sessions_before": back}


def test_the_day_after_a_repeated_one_is_not_trusted_either() -> None:
    copied(day=YESTERDAY, source=DAYS[-3])
    bars_are("volume = volume")
    assert findings_by_check(blocking=True) == {"previous_close": {""}}


def test_one_bar_under_two_symbols() -> None:
    names = ["open", "high", "low", "close", "adj_close", "volume", "vwap", "turnover_lakh", "trades", "last_price"]
    names += ["delivered_quantity"]
    other = f"(SELECT {', '.join(names)} FROM historical_data o WHERE o.symbol = '{OTHER}' AND o.date = t.date)"
    bars_are(f"({', '.join(names)}) = {other}", [ONE])
    assert findings_by_check(blocking=True) == {"doubled_bar": {ONE, OTHER}}


@pytest.mark.parametrize(("kept", "checks"), [(37, set()), (36, {""})])
def test_a_number_of_bars_out_of_proportion(kept: int, checks: set[str]) -> None:
    vanished(SYMBOLS[kept:])
    assert findings_by_check(blocking=True) == ({"bar_count": checks} if kept < 36 else {})
    vanished(SYMBOLS[35:])
    assert findings_by_check(blocking=True) == {"bar_count": {""}, "lost_symbols": {""}}
    assert finding("absent_shares")["sample"]["count"] == 5


def test_a_day_without_bars() -> None:
    vanished(SYMBOLS)
    assert findings_by_check() == {"no_bars": {""}}


def test_symbols_of_another_market_under_the_right_number() -> None:
    Stock.objects.bulk_create(Stock(symbol=f"N{symbol}", kind="share", first_seen=TODAY) for symbol in SYMBOLS)
    for table in ("historical_data", "technical_indicators"):
        change(table, "symbol = 'N' || symbol")
    assert findings_by_check(blocking=True) == {"lost_symbols": {""}}


def test_bars_of_a_day_that_is_no_session() -> None:
    MarketDay.objects.filter(date=TODAY).update(is_session=False, kind="holiday")
    assert findings_by_check() == {"not_a_session": {""}}


def test_a_session_that_was_never_loaded() -> None:
    SourceFile.objects.filter(session=DAYS[4]).delete()
    assert findings_by_check() == {"missing_session": {""}}
    assert finding("missing_session")["sample"] == {"count": 1, "symbols": [str(DAYS[4])]}


def test_the_turnover_of_the_market_out_of_proportion() -> None:
    bars_are("volume = volume * 3, turnover_lakh = turnover_lakh * 3")
    assert findings_by_check() == {"market_turnover": {""}}
    MarketDay.objects.filter(date=TODAY).update(kind="muhurat")
    assert findings_by_check() == {}


def test_a_market_that_falls_further_than_it_may() -> None:
    bars_are(_PRICES.format(0.85) + ", turnover_lakh = turnover_lakh * 0.85")
    assert findings_by_check() == {"market_move": {""}}


def test_a_universe_that_changes_at_once() -> None:
    Stock.objects.bulk_create(Stock(symbol=f"N{symbol}", kind="fund", first_seen=TODAY) for symbol in some(14))
    change("historical_data", "symbol = 'N' || symbol", some(14))
    report = [finding["sample"] for finding in quality.findings_of(TODAY) if finding["check_name"] == "universe_jump"]
    assert report == [{"kind": "share", "today": 26, "before": 40}]


def test_a_calendar_that_ends() -> None:
    MarketDay.objects.filter(date__gt=LATER[19]).delete()
    assert findings_by_check() == {"market_days_end": {""}}
    assert not finding("market_days_end")["blocks"]
    # A session and a holiday of next year that somebody imported do not reach back over the gap.
    coming = {"source": "import:next_year.csv"}
    MarketDay.objects.create(date=date(2027, 1, 26), kind="holiday", is_session=False, **coming)
    MarketDay.objects.create(date=date(2027, 10, 29), kind="muhurat", is_session=True, **coming)
    assert str(LATER[19]) in finding("market_days_end")["message"]


def test_provisional_bars() -> None:
    DailyBar.objects.filter(date=TODAY, symbol__symbol__in=SYMBOLS[:2]).update(status="provisional")
    assert finding("provisional_bars")["sample"] == {"count": 2}
    DailyBar.objects.filter(date=TODAY).update(status="provisional")
    assert findings_by_check(blocking=True) == {"no_bars": {""}}


def test_a_share_back_after_a_gap() -> None:
    for day in DAYS[-7:-1]:
        vanished([ONE], day)
    assert findings_by_check() == {"back_after_gap": {""}}
    for day in DAYS[:-7]:
        vanished([ONE], day)
    assert finding("back_after_gap")["sample"]["symbols"] == [ONE], "away for longer than is looked back at"
    Stock.objects.filter(symbol=ONE).update(first_seen=TODAY)
    assert findings_by_check() == {}


def test_prices_and_volumes_beyond_the_usual_are_told_and_block_nothing() -> None:
    bars_are(_PRICES.format(0.7) + ", turnover_lakh = turnover_lakh * 0.7", [ONE])
    bars_are("volume = volume * 200, turnover_lakh = turnover_lakh * 200", [OTHER])
    report = findings_by_check()
    assert report.pop("market_turnover", {""}) == {""}
    assert report == {"price_outlier": {ONE}, "volume_outlier": {OTHER}}
    assert findings_by_check(blocking=True) == {}


def test_an_event_explains_an_outlier() -> None:
    bars_are(_PRICES.format(0.5) + ", turnover_lakh = turnover_lakh * 0.5", [ONE])
    CorporateAction.objects.create(
        symbol=ONE, ex_date=TODAY, kind="bonus", factor=0.5, known_on=TODAY, status="official", purpose="b", source="l"
    )
    change("historical_data", "adj_close = close * 0.5", [ONE], YESTERDAY)
    bars_are("volume = volume", [ONE])
    assert findings_by_check() == {}


def test_a_split_that_could_not_be_read_blocks_its_share_until_something_tells_its_ratio() -> None:
    unread = {"symbol": ONE, "kind": "unread", "known_on": DAYS[0], "status": "official", "source": "l"}
    action = CorporateAction.objects.create(ex_date=TODAY, purpose="Fv Spl", **unread)
    assert findings_by_check(blocking=True) == {"unread_action": {ONE}}
    CorporateAction.objects.filter(id=action.id).update(ex_date=TODAY + timedelta(days=14))
    assert findings_by_check(blocking=True) == {"unread_action": {ONE}}, "a pick of today is still held then"
    CorporateAction.objects.filter(id=action.id).update(ex_date=TODAY + timedelta(days=40))
    assert findings_by_check() == {}
    CorporateAction.objects.filter(id=action.id).update(ex_date=YESTERDAY)
    settled = {"kind": "split", "factor": 0.999, "status": "inferred", "purpose": "inferred from the opening"}
    CorporateAction.objects.create(ex_date=YESTERDAY, **unread | settled)
    assert "unread_action" not in findings_by_check()


def test_a_list_of_events_that_ends_and_factors_that_nobody_confirms() -> None:
    CorporateAction.objects.update(ex_date=date_before(40))
    assert findings_by_check() == {"events_end": {""}}
    CorporateAction.objects.all().delete()
    CorporateAction.objects.create(
        symbol=ONE, ex_date=date_before(100), kind="split", factor=0.5, known_on=DAYS[0], status="inferred", source="p"
    )
    assert findings_by_check() == {"events_end": {""}, "unconfirmed_events": {""}}


def date_before(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_fundamentals_that_few_shares_have_or_that_are_old() -> None:
    stored_metrics()
    change(_METRICS, "market_cap = NULL, issue_size = NULL", some(5))
    assert findings_by_check() == {"thin_fundamentals": {""}}
    stored_old = f'provenance = \'{{"roe": {{"as_of": "{date_before(130)}"}}}}\''
    change(_METRICS, stored_old, SYMBOLS)
    assert findings_by_check() == {"thin_fundamentals": {""}, "stale_fundamentals": {""}}


def test_profits_above_revenue_and_sources_that_disagree_block_nothing() -> None:
    from stocks.models import ExchangeFact

    stored_metrics()
    change(_METRICS, "net_margin = 150", [OTHER])
    price = DailyBar.objects.get(symbol__symbol=ONE, date=TODAY).close
    assert price is not None
    ExchangeFact.objects.create(symbol=ONE, date=TODAY, market_cap=price * 2, issue_size=20_000_000, source="t")
    assert findings_by_check() == {"margin_above_hundred": {""}, "sources_disagree": {ONE}}
    assert findings_by_check(blocking=True) == {}


def test_every_check_speaks_to_a_person_and_says_what_it_blocks() -> None:
    assert len({check.name for check in quality.CHECKS}) == len(quality.CHECKS)
    for check in quality.CHECKS:
        assert check.remedy.endswith(".")
        assert len(check.why) > 40
        assert check.find.__doc__
        assert (check.severity == "error") == (check.blocks != quality.Blocks.NOTHING), check.name


def test_a_session_that_nobody_knows_of_is_named_when_the_whole_market_continues_from_it() -> None:
    monday = next(day for day in reversed(DAYS) if day.weekday() == 0)
    friday, sunday = monday - timedelta(days=3), monday - timedelta(days=1)
    change("historical_data", "prev_close = round((prev_close * 1.03)::numeric, 2)", day=monday)
    [report] = [finding for finding in quality.findings_of(monday) if finding["check_name"] == "previous_close"]
    assert (report["symbol"], report["blocks"]) == ("", True)
    assert f"are not the closes of {friday}: a session in between looks missing" in report["message"]
    assert f"Sunday {sunday}" in report["message"]
    assert "import_market_days" in report["remedy"]
    # Once it is recorded, the day is missing and blocks nothing.
    MarketDay.objects.create(date=sunday, kind="muhurat", is_session=True, source="operator")
    now = {finding["check_name"]: finding for finding in quality.findings_of(monday)}
    assert "previous_close" not in now
    assert now["missing_session"]["sample"]["symbols"] == [str(sunday)]


def test_a_wrong_previous_close_of_consecutive_days_misses_no_session() -> None:
    change("historical_data", "prev_close = round((prev_close * 1.03)::numeric, 2)")
    [report] = [finding for finding in quality.findings_of(TODAY) if finding["check_name"] == "previous_close"]
    assert "looks missing" not in report["message"]
