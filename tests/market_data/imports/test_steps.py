"""An upload from its check to its rollback, through runs and the tables' own writers."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from market_data import phase_records, tasks, trading_calendar
from market_data.calendar_sources import day_frame
from market_data.models import (
    DailyBar,
    ImportedFile,
    MarketDay,
    PipelineRun,
    RejectedRow,
    SourceFile,
    TableTotal,
    TechnicalIndicator,
    TradingPhase,
)
from market_data.runs import engine, lifecycle, rollback
from market_data.runs.commits import refuse_if_changed_since
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.saga import SagaError
from market_data.storage.writer import record_total
from market_data.trading_phases import BUILT_IN
from stocks.models import FinancialStatement, FundamentalSnapshot, Stock
from tests.market_data.imports.uploading import checked, imported, report
from tests.runs import make_run
from tests.state_hash import contract_hash, differences
from tradingsite.imports import uploads

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = [date(2026, 4, day) for day in range(1, 31) if date(2026, 4, day).weekday() < 5]
HEAD = "symbol,date,open,high,low,close,volume\n"


@pytest.fixture
def market():
    """April's sessions, the last of them loaded from the exchange with one bar."""
    for day in SESSIONS:
        MarketDay.objects.create(date=day, kind="normal", is_session=True, open="09:15", close="15:30", source="test")
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "sha256": "0" * 64, "rows": 1, "rejected": 0}
    SourceFile.objects.create(session=SESSIONS[-1], name="bhav.csv", **facts)
    Stock.objects.create(symbol="AAA", first_seen=SESSIONS[-1], last_seen=SESSIONS[-1])
    DailyBar.objects.create(
        symbol_id="AAA",
        date=SESSIONS[-1],
        series="EQ",
        open=10,
        high=11,
        low=9,
        close=10,
        volume=5,
        source="nse_archive",
    )
    record_total("historical_data", 1, SESSIONS[-1])


def bars(symbol: str = "AAA", days: list[date] = SESSIONS[:-1]) -> str:
    return "".join(f"{symbol},{day},10,11,9,{10 + number / 100},{number + 1}\n" for number, day in enumerate(days))


def test_bad_rows_block_an_import_unless_only_good_rows_are_wanted(market):
    before = contract_hash()
    bad = "AAA,2026-04-05,10,11,9,10,5\nBBB,2026-04-02,10,9,11,10,5\nCCC,2026-04-01,ten,11,9,inf,5\n"
    file = checked("historical_bars", HEAD + bars() + bad)
    checked_report = report(file)
    assert (checked_report["rows"], checked_report["good"], checked_report["bad"], checked_report["new"]) == (
        24,
        21,
        3,
        21,
    )
    errors = [(error["line"], error["column"], error["value"]) for error in checked_report["errors"]]
    assert errors == [
        (23, "date", "2026-04-05"),
        (24, "high", "10.0, 9.0, 11.0, 10.0"),
        (25, "close", "inf"),
        (25, "open", "ten"),
    ]
    assert "no session" in checked_report["errors"][0]["reason"]
    with pytest.raises(SagaError, match="3 rows of"):
        uploads.start_import(file, "asha", only_good=False)
    assert differences(before, contract_hash()) == []

    run = imported(file, only_good=True)
    assert (run.status, run.triggered_by, run.summary["inserted"], run.summary["left_out"]) == (
        "completed",
        "asha",
        21,
        3,
    )
    assert DailyBar.objects.filter(source="import:rows.csv", run_id=run.id, status="final").count() == 21
    assert RejectedRow.objects.filter(run_id=run.id, source="rows.csv").count() == 4
    assert TableTotal.objects.get(table_name="historical_data").rows == 22
    # Indicators are recomputed up to the latest bar, which is the exchange's own.
    assert TechnicalIndicator.objects.filter(symbol__symbol="AAA").count() == 22
    assert TechnicalIndicator.objects.get(symbol__symbol="AAA", date=SESSIONS[-1]).sma_20 == pytest.approx(10.1045)
    assert not Stock.objects.filter(symbol__in=("BBB", "CCC")).exists()

    uploads.roll_back_import(file, "asha")
    assert differences(before, contract_hash()) == []
    assert PipelineRun.objects.get(pk=run.id).status == "rolled_back"


def test_an_exchange_bar_is_never_replaced_and_a_repeated_file_changes_nothing(market):
    file = checked("historical_bars", HEAD + "AAA,2026-04-30,10,11,9,10.5,5\n")
    [error] = report(file)["errors"]
    assert (error["column"], error["value"]) == ("close", "10.5")
    assert "nse_archive, which an import does not replace" in error["reason"]
    text = HEAD + bars() + "AAA,2026-04-30,10,11,9,10,5\n"
    imported(checked("historical_bars", text))
    again = report(checked("historical_bars", text))
    assert (again["bad"], again["new"], again["changed"], again["same"]) == (0, 0, 0, 22)
    corrected = checked("historical_bars", HEAD + "AAA,2026-04-01,10,12,9,11,7\n")
    assert report(corrected)["changed"] == 1
    assert imported(corrected).summary["updated"] == 1


def test_bars_after_the_latest_session_are_refused(market):
    MarketDay.objects.create(date="2026-05-04", kind="normal", is_session=True, source="test")
    [error] = report(checked("historical_bars", HEAD + bars(days=[date(2026, 5, 4)])))["errors"]
    assert error["reason"] == "is later than 2026-04-30, the latest session loaded; the job pipeline loads later ones"


def test_statements_assume_their_publication_and_a_rollback_restores_them(market):
    FinancialStatement.objects.create(
        symbol="AAA", period_end="2025-12-31", kind="quarter", published_on="2026-02-10", revenue=5, source="s"
    )
    before = contract_hash()
    file = checked(
        "financial_statements",
        "symbol,period_end,kind,published_on,revenue,shares\nAAA,2025-12-31,quarter,,6.5,\nAAA,2025-03-31,year,2025-05-01,40,1000\n",
        "results.csv",
    )
    assert (report(file)["new"], report(file)["changed"]) == (1, 1)
    imported(file)
    row = FinancialStatement.objects.get(kind="quarter")
    assert (row.revenue, row.published_on, row.published_assumed) == (6.5, date(2026, 3, 1), True)
    assert row.source == "import:results.csv"
    assert FinancialStatement.objects.get(kind="year").shares == 1000
    uploads.roll_back_import(file, "asha")
    assert differences(before, contract_hash()) == []


def test_impossible_statements_are_refused(market):
    text = (
        "symbol,period_end,kind,published_on,revenue\n"
        "AAA,2025-12-31,quarter,2025-12-30,5\nBBB,2025-12-31,quarter,,\nCCC,2099-12-31,year,,5\nDDD,2025-12-31,year,,0\n"
    )
    reasons = [error["reason"] for error in report(checked("financial_statements", text))["errors"]]
    assert reasons[0] == "is before the end of the period"
    assert reasons[1] == "no figure is given"
    assert reasons[2] == "is in the future"
    assert "is 0, which it cannot be" in reasons[3]


def test_fundamentals_become_snapshots(market):
    text = "symbol,snapshot,stock_name,market_cap,pe_ratio,debt_to_equity\nAAA,2026-04-29,A Limited,1200.5,18.2,0\n"
    file = checked("fundamentals", text)
    assert report(file)["bad"] == 0
    imported(file)
    row = FundamentalSnapshot.objects.get()
    assert (row.market_cap, row.pe_ratio, row.debt_to_equity, row.roe) == (1200.5, 18.2, 0, None)
    bad = text + "BBB,2026-04-29,B Limited,0,99999,30\n"
    columns = [error["column"] for error in report(checked("fundamentals", bad))["errors"]]
    assert columns == ["debt_to_equity", "market_cap", "pe_ratio"]


def test_index_members_are_shares_whose_sector_has_a_source(market):
    before = contract_hash()
    file = checked("index_members", "symbol,index,stock_name,industry,series,isin\nAAA,NIFTY 50,A Limited,Power,EQ,\n")
    imported(file)
    stock = Stock.objects.get(symbol="AAA")
    assert (stock.kind, stock.sector, stock.stock_name) == ("share", "Power", "A Limited")
    assert stock.provenance["sector"]["source"] == "import:rows.csv (NIFTY 50)"
    uploads.roll_back_import(file, "asha")
    assert differences(before, contract_hash()) == []


def test_holidays_override_the_calendar_and_can_be_rolled_back(market):
    before = contract_hash()
    text = "date,kind,is_session,open,close\n2026-04-14,holiday,no,,\n2027-01-26,holiday,no,,\n"
    file = checked("market_days", text)
    assert (report(file)["new"], report(file)["changed"]) == (1, 1)
    assert report(file)["note"].startswith("It speaks of its own days only")
    run = imported(file)
    assert not MarketDay.objects.get(date="2026-04-14").is_session
    assert MarketDay.objects.get(date="2027-01-26").run_id == run.id
    uploads.roll_back_import(file, "asha")
    assert differences(before, contract_hash()) == []
    wrong = "2026-04-30,holiday,no,,\n2026-04-29,holiday,yes,,\n2026-04-28,normal,yes,15:30,09:15\n"
    wrong = f"date,kind,is_session,open,close\n{wrong}"
    reasons = [error["reason"] for error in report(checked("market_days", wrong))["errors"]]
    assert reasons == [
        "bars of this day are stored: it was a session",
        "a holiday cannot be a session",
        "is not after open",
    ]


@pytest.mark.parametrize(
    ("kind", "content", "meaning"),
    [
        (
            "historical_bars",
            f"{HEAD}NOSUCH,2026-04-29,10,11,9,10,5\nAAA,2026-04-29,10,11,9,10,5\n",
            "makes a new stock",
        ),
        ("index_members", "symbol,index\nNOSUCH,NIFTY 500\nAAA,NIFTY 500\n", "makes a new stock"),
        ("fundamentals", "symbol,snapshot,pe_ratio\nNOSUCH,2026-04-29,18\nAAA,2026-04-29,18\n", "once a share trades"),
    ],
)
def test_a_symbol_that_no_stock_has_is_named_before_the_import(market, kind, content, meaning):
    note = report(checked(kind, content))["note"]
    assert note.startswith("1 symbol is of no stock so far (NOSUCH): ")
    assert meaning in note


def test_an_unreadable_file_cannot_be_imported(market):
    file = checked("historical_bars", "date,close\n2026-04-30,1\n")
    assert "lacks the columns symbol" in str(report(file)["refused"])
    with pytest.raises(SagaError, match="has no rows to import now"):
        uploads.start_import(file, "asha", only_good=True)
    with pytest.raises(SagaError, match="no kind 'people'"):
        uploads.store_upload(b"x", "a.csv", "people", "asha")


def test_an_import_checks_the_rows_again(market):
    file = checked("historical_bars", HEAD + bars(days=SESSIONS[:1]))
    facts = {"open": 10, "high": 11, "low": 9, "close": 9.5, "volume": 1}
    DailyBar.objects.create(symbol_id="AAA", date=SESSIONS[0], series="EQ", source="nse_archive", **facts)
    run = imported(file)
    assert run.status == "failed"
    assert "1 rows of rows.csv are bad, the first in line 2 (close '10.0'" in run.reason
    assert not DailyBar.objects.filter(source__startswith="import:").exists()


def test_a_file_is_imported_once_and_one_import_runs_at_a_time(market):
    file, other = (checked("historical_bars", HEAD + bars(days=[day])) for day in SESSIONS[:2])
    uploads.start_import(file, "asha", only_good=False)
    with pytest.raises(SagaError, match="already running as import_csv_"):
        uploads.start_import(other, "ravi", only_good=False)
    file.refresh_from_db()
    with pytest.raises(SagaError, match="has no rows to import now"):
        uploads.start_import(file, "ravi", only_good=False)


def test_an_import_decided_on_before_another_ended_is_refused(market):
    file = checked("historical_bars", HEAD + bars(days=SESSIONS[:1]))
    read_before = ImportedFile.objects.get(pk=file.pk)
    assert imported(file).status == "completed"
    with pytest.raises(SagaError, match="has no rows to import now"):
        uploads.start_import(read_before, "ravi", only_good=False)
    assert PipelineRun.objects.filter(job="import_csv").count() == 1


def test_check_and_import_take_turns_with_runs_that_write_the_same_tables(market):
    pipeline = make_run("pipeline_20260430_210000")
    file = checked("historical_bars", HEAD + bars(days=SESSIONS[:1]))
    check = uploads.state_of(file).check
    assert check is not None
    assert check.status == "waiting"
    PipelineRun.objects.filter(pk=pipeline.pk).update(status="completed")
    tasks.release_waiting()
    assert engine.advance(file.check_run_id).status == "completed"
    PipelineRun.objects.filter(pk=pipeline.pk).update(status="running")
    run = uploads.start_import(file, "asha", only_good=False)
    assert run.status == "waiting"
    assert describe_all(outstanding(run)).startswith(
        "Data pipeline (pipeline_20260430_210000) to finish with corporate"
    )
    assert engine.advance(run.id).status == "waiting"
    PipelineRun.objects.filter(pk=pipeline.pk).update(status="failed")
    tasks.release_waiting()
    assert lifecycle.create_run("pipeline", SESSIONS[-1], triggered_by="test").status == "waiting"
    assert engine.advance(run.id).status == "completed"


def test_a_later_import_is_rolled_back_first(market):
    first, second = (checked("historical_bars", HEAD + bars(days=[day])) for day in SESSIONS[:2])
    imported(first)
    later = imported(second)
    with pytest.raises(SagaError, match=f"{later.id} built on"):
        uploads.roll_back_import(first, "asha")
    uploads.roll_back_import(second, "asha")
    assert rollback.planned_rollback(first.import_run_id)["historical_data"] == (1, 0)
    uploads.roll_back_import(first, "asha")
    with pytest.raises(SagaError, match="has no imported rows to roll back"):
        uploads.roll_back_import(first, "asha")


def test_the_cleanup_deletes_old_uploads(market):
    kept, old = checked("historical_bars", HEAD), checked("historical_bars", HEAD)
    ImportedFile.objects.filter(pk=old.pk).update(uploaded_at=timezone.now() - timedelta(days=32))
    run = lifecycle.create_run("cleanup", None, triggered_by="test")
    assert engine.advance(run.id).summary["removed"]["uploaded files"] == 1
    assert ImportedFile.objects.get() == kept


@pytest.mark.crash  # kills nothing, but takes half a minute
def test_a_hundred_thousand_rows_are_checked_and_written(market):
    symbols = [f"S{number}" for number in range(4762)]
    text = HEAD + "".join(bars(symbol) for symbol in symbols)
    file = checked("historical_bars", text)
    assert report(file)["good"] == 100_002
    assert imported(file).summary["inserted"] == 100_002
    assert uploads.roll_back_import(file, "asha")["historical_data"] == (100_002, 0)


def test_importing_market_days_lets_a_failed_run_go_on_unless_they_are_its_own(market):
    """As after a first evening that failed: its seed has changed and inserted market days, and stays its own."""
    run = make_run("pipeline_1", job="pipeline", status="failed", last_commit=1)
    trading_calendar.record_market_days(day_frame([]), "XBOM", run.id)
    text = "date,kind,is_session,open,close\n2026-11-08,muhurat,yes,18:00,19:00\n2027-01-26,holiday,no,,\n"
    assert imported(checked("market_days", text)).status == "completed"
    refuse_if_changed_since(PipelineRun.objects.get(pk=run.pk))
    assert imported(checked("market_days", text + "2026-11-09,holiday,no,,\n", "later.csv")).status == "completed"
    with pytest.raises(SagaError, match="has changed market_days since pipeline_1 wrote there"):
        refuse_if_changed_since(PipelineRun.objects.get(pk=run.pk))


def test_phases_are_imported_whole_or_refused_with_their_lines(market):
    head = "phase,shares,first,last,opens,closes,order_types\n"
    next_year = "post_close,all,2027-01-01,,15:45,16:00,market\n"
    [error] = report(checked("trading_phases", head + next_year))["errors"]
    assert (error["line"], error["column"]) == (2, "first")
    assert "overlaps the post close row of all from 2026-08-03" in error["reason"]
    whole = checked("trading_phases", f"{head}post_close,all,2026-08-03,2026-12-31,15:50,16:00,\n{next_year}")
    assert (report(whole)["new"], report(whole)["changed"], report(whole)["bad"]) == (1, 1, 0)
    assert imported(whole).status == "completed"
    assert TradingPhase.objects.get(first="2027-01-01").order_types == "market"
    uploads.roll_back_import(whole, "asha")
    assert set(phase_records.phase_rules()) == set(BUILT_IN)
