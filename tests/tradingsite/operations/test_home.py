"""The home page: every part of it with data and without, its buttons, and how few queries it needs."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from market_data.evenings.current_evening import current_evening
from market_data.evenings.recent_runs import RunHistory
from market_data.models import (
    CorporateAction,
    DailyBar,
    EveningHold,
    Finding,
    Heartbeat,
    MarketDay,
    RunUndo,
    SourceFile,
    TableTotal,
    TechnicalIndicator,
)
from stocks.models import ExchangeFact, Stock, SymbolChange
from tests.published import SESSION, pick, publish
from tests.runs import make_run
from tests.tables import fill_every_table
from tradingsite.operations import home, sources, tonight
from tradingsite.schedule import evening_jobs

pytestmark = pytest.mark.django_db
IST = ZoneInfo("Asia/Kolkata")
QUERIES = {
    "an evening": (datetime(2026, 5, 1, 21, 46, tzinfo=IST), 88, 82),
    "a morning, with the next evening to hold": (datetime(2026, 5, 2, 6, tzinfo=IST), 91, 85),
}
"""Moments with the queries of the page and of its fragment, with six waiting runs and every table filled."""


def at(hour: int, minute: int = 0, day: date = SESSION) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


def file(session: date, rows: int = 2000, size: int = 400_000) -> SourceFile:
    return SourceFile.objects.create(
        session=session, name=f"{session}.csv", size=size, mtime_ns=1, sha256="0" * 64, rows=rows, rejected=0
    )


def evening_session() -> date:
    evening = current_evening(timezone.now())
    assert evening is not None
    return evening.session


def line(state, slug):
    return next(line for line in (*state["tonight"].lines, *state["tonight"].others) if line.slug == slug)


# --- the expected session ---------------------------------------------------------------------------------------------
def test_the_expected_session_changes_when_the_pipeline_is_due(weekdays):
    for hour, expected in ((20, SESSION - timedelta(days=1)), (21, SESSION)):
        assert home.expected_session(current_evening(at(hour)), at(hour)) == expected


# --- tonight --------------------------------------------------------------------------------------------------------
def test_jobs_are_completed_running_waiting_planned_or_overdue(weekdays):
    make_run(status="completed", done=6, started_at=at(21), ended_at=at(21, 4))
    make_run("fill_data_1", job="fill_data", done=0, names=("FILL_DATA",), started_at=at(21, 30))
    make_run(
        "business_logic_1",
        job="business_logic",
        status="waiting",
        done=0,
        step_status="pending",
        names=("BUSINESS_LOGIC",),
        waits_for=["fill_data"],
        started_at=None,
    )
    state = home.home_context(at(21, 46))
    done, running, waiting = (line(state, slug) for slug in ("pipeline", "fill-data", "business-logic"))
    assert (done.status, done.detail) == ("completed", "took 4 min 00 s")
    assert (running.status, running.progress, running.detail) == ("running", 0.5, "Fill data: Read 300 of 500 sessions")
    assert (waiting.status, waiting.detail) == ("waiting", "Waits for Fill missing data.")
    assert line(state, "csv-export").status == "planned"
    assert line(state, "csv-export").planned == at(22)
    assert done.left == pytest.approx(100 / 13, abs=0.1)
    late = home.home_context(at(22, 10))
    assert line(late, "csv-export").status == "overdue"


def test_the_timeline_reaches_as_far_as_the_work_and_knows_where_now_is(weekdays):
    usual = home.home_context(at(21, 46))["tonight"].axis
    assert (usual.now, usual.now_words) == (pytest.approx(100 * 106 / 60 / 13, abs=0.1), "Thu 21:46")
    assert [label for label, _ in usual.hours] == ["21:00", "00:00", "03:00", "06:00"]
    assert home.home_context(at(12))["tonight"].axis.now_words == "Thu 12:00 (before these hours)"
    friday = date(2026, 5, 1)
    repair = at(13, 10, day=date(2026, 5, 3))
    make_run(status="completed", done=6, session=friday, started_at=repair, ended_at=repair + timedelta(minutes=5))
    sunday = at(14, 30, day=date(2026, 5, 3))
    tonight = home.home_context(sunday)["tonight"]
    assert tonight.axis.ends == at(14, day=date(2026, 5, 3))
    assert (tonight.axis.now, tonight.axis.now_words) == (100, "Sun 14:30 (after these hours)")
    bar = next(line for line in tonight.lines if line.slug == "pipeline")
    assert bar.left == pytest.approx(97.6, abs=0.5)
    assert 2 <= len(tonight.axis.hours) <= 5
    assert tonight.axis.hours[0][0] == "Fri 21:00"


def test_disabled_buttons_say_why(weekdays, client, operator):
    client.force_login(operator)
    run = make_run("cleanup_1", job="cleanup", names=("CLEANUP",), session=None)
    page = client.get("/admin/").content.decode()
    for slug, why in (("cleanup", f"It is active as {run.id}."), ("selection", "It waits for Data-quality validation")):
        [button] = re.findall(rf'<button id="do-{slug}"[^>]*>', page)
        assert " disabled " in button
        assert why in button
    [button] = re.findall(r'<button id="do-pipeline"[^>]*>', page)
    assert " disabled " not in button


def test_a_held_evening_names_its_holder(weekdays, client, operator):
    client.force_login(operator)
    session = evening_session()
    EveningHold.objects.create(session=session, held_by="asha", reason="The file is wrong.")
    page = client.get("/admin/").content.decode()
    assert "by asha" in page
    assert "The file is wrong." in page
    assert 'id="do-release"' in page
    assert 'id="do-hold"' not in page


def test_the_button_names_the_evening_it_holds_and_offers_the_next_after_one_that_is_over(weekdays):
    friday, monday = date(2026, 5, 1), date(2026, 5, 4)
    offers = home.home_context(at(20, day=friday))["tonight"].hold_offers
    assert [(offer.session, offer.refusal) for offer in offers] == [(friday, "")]
    over, coming = home.home_context(at(1, 46, day=monday))["tonight"].hold_offers
    assert (over.session, coming.session, coming.refusal) == (friday, monday, "")
    assert over.refusal.startswith(f"The evening of {friday} is over")
    EveningHold.objects.create(session=monday, held_by="asha")
    state = home.home_context(at(1, 46, day=monday))["tonight"]
    assert [offer.session for offer in state.hold_offers] == [friday]
    assert [hold.session for hold in state.holds] == [monday]


def test_an_evening_that_has_begun_is_not_offered(weekdays, client, operator):
    make_run(status="running", session=SESSION, intended_at=at(21))
    begun, coming = home.home_context(at(21, 5))["tonight"].hold_offers
    assert begun.refusal.startswith(f"The evening of {SESSION} has begun: pipeline_20260430_210000 is running")
    assert (coming.session, coming.refusal) == (SESSION + timedelta(days=1), "")
    client.force_login(operator)
    evening = current_evening(timezone.now())
    assert evening is not None
    assert evening.following is not None
    make_run("fill_data_1", job="fill_data", status="running", session=evening.session, intended_at=timezone.now())
    page = client.get("/admin/").content.decode()
    [over] = re.findall(r'<button id="do-hold-over"[^>]*>([^<]*)', page)
    [coming] = re.findall(r'<button id="do-hold"[^>]*>([^<]*)', page)
    assert over == f"Hold the evening of {evening.session:%a} {evening.session.day} {evening.session:%b}"
    assert coming == f"Hold the evening of {evening.following:%a} {evening.following.day} {evening.following:%b}"


def test_the_forecast_rests_on_earlier_nights_and_names_the_blocking_job(weekdays):
    yesterday = SESSION - timedelta(days=1)
    for saga in evening_jobs():
        begun = at(21, day=yesterday)
        make_run(
            f"{saga.job}_0",
            job=saga.job,
            status="completed",
            done=1,
            names=("ONLY",),
            session=yesterday,
            started_at=begun,
            ended_at=begun + timedelta(minutes=10),
        )
    ready = home.home_context(at(20))["ready"]
    assert ready["at"] == at(2, 25, day=SESSION + timedelta(days=1))
    assert ready["latest_start"] == at(9, day=SESSION + timedelta(days=1)) - timedelta(minutes=60)
    assert ready["is_late"] is False
    make_run(status="failed", step_status="failed", done=1)
    assert home.home_context(at(22))["blocked"].title == "Data pipeline"


def test_before_the_first_night_nothing_is_forecast(weekdays):
    make_run()
    assert home.home_context(at(21))["ready"]["unmeasured"][0] == "pipeline"


# --- files and what lies ahead --------------------------------------------------------------------------------------
def test_files_are_absent_provisional_final_or_republished(weekdays):
    days = [SESSION - timedelta(days=back) for back in (8, 7, 6, 3, 2, 1)]  # the 25th and 26th are a weekend
    for day in days[:-2]:
        file(day)
    file(SESSION, rows=1500)
    Stock.objects.create(symbol="AAA")
    DailyBar.objects.create(
        symbol_id="AAA", date=SESSION, series="EQ", open=1, high=1, low=1, close=1, source="t", status="provisional"
    )
    run = make_run(status="completed", done=6)
    RunUndo.objects.create(run_id=run.id, table_name="source_files", row_image={"session": str(days[3])})
    files = {line.session: line for line in sources.file_lines(SESSION, RunHistory())}
    assert files[SESSION].state == "provisional"
    assert files[SESSION].rows_change == pytest.approx(-25)
    assert files[SESSION].is_unusual
    assert [files[day].state for day in days[3:]] == ["re-published", "absent", "absent"]
    assert files[days[2]].state == "final"
    assert not files[days[2]].is_unusual


def test_lists_are_current_old_or_not_in_use():
    for day, status in ((date(2025, 7, 18), "official"), (SESSION, "inferred"), (date(2026, 5, 20), "official")):
        CorporateAction.objects.create(symbol="AAA", ex_date=day, kind="split", known_on=day, status=status)
    for day in (SESSION, date(2026, 5, 4)):
        ExchangeFact.objects.create(symbol="AAA", date=day, source="pack")
    lists = {line.name: (line.latest, line.age_days, line.is_old) for line in sources.list_lines(SESSION)}
    assert lists == {
        "Corporate actions": (date(2025, 7, 18), 286, True),
        "Report pack": (SESSION, 0, False),
        "Screener": (None, None, False),
        "Statements": (None, None, False),
    }


def test_the_next_sessions_events_are_listed(weekdays):
    following, before = SESSION + timedelta(days=1), SESSION - timedelta(days=1)
    event = {"kind": "split", "known_on": SESSION, "source": "t"}
    CorporateAction.objects.create(symbol="AAA", ex_date=following, status="official", purpose="Split 10:1", **event)
    CorporateAction.objects.create(symbol="BBB", ex_date=following, status="rejected", **event)
    CorporateAction.objects.create(symbol="CCC", ex_date=SESSION, status="official", **event)
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=SESSION, proof="isin")
    SymbolChange.objects.create(from_symbol="ELDER", to_symbol="OLDER", date=before, proof="isin")
    bar = {"open": 1, "high": 1, "low": 1, "close": 1, "source": "t"}
    for symbol, was, is_now in (("DDD", "EQ", "BE"), ("EEE", "EQ", "EQ")):
        Stock.objects.create(symbol=symbol)
        DailyBar.objects.create(symbol_id=symbol, date=before, series=was, **bar)
        DailyBar.objects.create(symbol_id=symbol, date=SESSION, series=is_now, **bar)
    ahead = sources.ahead(SESSION, before, following)
    assert ahead.ex_dates == [("AAA", "Split 10:1")]
    assert ahead.renames == [("OLD", "is NEW from 30 Apr")]
    assert ahead.series == [("DDD", "EQ → BE")]


# --- tiles and nights -----------------------------------------------------------------------------------------------
def test_tiles_compare_with_the_expected_session(weekdays):
    yesterday = SESSION - timedelta(days=1)
    Stock.objects.create(symbol="AAA", kind="share", current_price=10, last_seen=SESSION)
    file(SESSION, rows=1)
    for table in ("historical_data", "technical_indicators"):
        TableTotal.objects.create(table_name=table, rows=1_500_000, symbols=2259, latest_date=SESSION)
    TechnicalIndicator.objects.create(symbol_id="AAA", date=SESSION)
    publish("growth", [pick("AAA")], session=yesterday)
    tiles = {tile.title: tile for tile in home.home_context(at(22))["tiles"]}
    assert (tiles["Bars"].figure, tiles["Bars"].state) == ("15,00,000", "good")
    assert (tiles["Indicators"].label, tiles["Picks"].label) == ("100% complete", "1 session behind")
    assert tiles["Models"].label == "Nothing yet"
    TechnicalIndicator.objects.all().delete()
    again = {tile.title: tile for tile in home.home_context(at(22))["tiles"]}
    assert (again["Indicators"].state, again["Indicators"].label) == ("bad", "only 0% complete")


def test_an_evening_that_is_loaded_before_it_is_expected_is_no_alarm(weekdays):
    Stock.objects.create(symbol="AAA", kind="share", current_price=10, last_seen=SESSION)
    [stocks] = [tile for tile in home.home_context(at(17))["tiles"] if tile.title == "Stocks"]
    assert (stocks.state, stocks.label) == ("good", "1 traded since 29 Apr 2026")


def test_nights_are_charted_with_time_rows_and_failures(weekdays):
    for back in (3, 2, 1):
        day = SESSION - timedelta(days=back)
        begun = at(21, day=day)
        status = "failed" if back == 2 else "completed"
        make_run(
            f"pipeline_{back}",
            status=status,
            done=back,
            session=day,
            started_at=begun,
            ended_at=begun + timedelta(minutes=back),
        )
    make_run("pipeline_r", status="completed", done=6, is_replay=True, session=date(2026, 4, 1), ended_at=at(23))
    time, rows, failures = home.home_context(at(20))["charts"]
    assert [bar.label for bar in time.bars] == [
        "Mon 27 Apr 2026: 3 min 00 s",
        "Tue 28 Apr 2026: 2 min 00 s, 1 failed",
        "Wed 29 Apr 2026: 1 min 00 s",
    ]
    assert (time.bars[0].height, time.bars[1].is_bad) == (56, True)
    assert rows.latest == "2,259"
    assert time.dates == "27 Apr – 29 Apr"
    assert "27 Apr – 29 Apr" in time.description
    assert failures.most == "1"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (190, "3 min 10 s"), (7500, "2 h 05 min")])
def test_durations_are_text(seconds, words):
    assert tonight.duration(seconds) == words


# --- the page -------------------------------------------------------------------------------------------------------
def test_an_empty_database_says_what_to_do(client, operator):
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    for words in ("have not been collected yet", "No file has been read", "No night has run yet", "Nothing yet"):
        assert words in page


def test_a_day_that_failed_a_check_links_to_the_runbook(weekdays, client, operator):
    session = timezone.localdate()
    file(session)
    Finding.objects.create(
        run_id="r", session=session, check_name="bar_count", severity="error", message="m", blocks=True
    )
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    assert "Will abstain" in page
    assert reverse("operations:runbook-entry", args=["check-failed"]) in page


def test_a_dead_cluster_is_shown_with_its_remedy(client, operator):
    client.force_login(operator)
    Heartbeat.objects.create(cluster="data", finished_at=timezone.now() - timedelta(minutes=4), worker="x:1:1:1")
    OrmQ.objects.create(key="data", payload="x", lock=timezone.now() - timedelta(minutes=4))
    page = client.get("/admin/").content.decode()
    assert "Cluster data: dead." in page
    assert reverse("operations:runbook-entry", args=["cluster-dead"]) in page


@pytest.mark.parametrize(("moment", "page_queries", "fragment_queries"), QUERIES.values(), ids=QUERIES)
def test_the_home_page_needs_few_queries_and_none_scans_a_big_table(
    weekdays, client, operator, django_assert_max_num_queries, monkeypatch, moment, page_queries, fragment_queries
):
    monkeypatch.setattr(timezone, "now", lambda: moment)
    MarketDay.objects.filter(date=SESSION).delete()
    fill_every_table()
    for number in range(40):
        make_run(f"fill_data_{number}", job="fill_data", status="failed", step_status="failed", done=0, names=("A",))
    make_run("cleanup_1", job="cleanup", names=("A",), session=None)
    tonight_of = evening_session()
    for saga in evening_jobs()[1:]:
        make_run(
            f"{saga.job}_w",
            job=saga.job,
            status="waiting",
            done=0,
            step_status="pending",
            names=("A",),
            waits_for=list(saga.waits_for),
            session=tonight_of,
        )
    client.force_login(operator)
    for address in ("/admin/", reverse("operations:home-fragment")):
        client.get(address)  # the process now knows what it caches, such as content types
    with django_assert_max_num_queries(page_queries) as queries:
        assert client.get("/admin/").status_code == 200
    big = [
        query["sql"]
        for query in queries.captured_queries
        if re.search(r'FROM "?(historical_data|technical_ind)', query["sql"])
    ]
    assert big
    assert all("date" in sql for sql in big), "a big table is only read by date"
    with django_assert_max_num_queries(fragment_queries):
        fragment = client.get(reverse("operations:home-fragment"))
    assert (fragment.status_code, fragment["X-Again-In"]) == (200, "3")
    assert "no-store" in fragment["Cache-Control"]
