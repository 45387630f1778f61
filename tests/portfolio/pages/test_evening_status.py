"""The evening in sentences: each state and what comes next."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django_q.models import Schedule

from market_data.models import Finding, MarketDay
from portfolio.pages.evening_status import evening_status
from stocks.models import Stock
from tests.published import NEXT_SESSION, SESSION, pick, publish
from tests.runs import make_run

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 30, 17, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _calendar():
    # The calendar must reach beyond the session, or it refuses to guess.
    days = [SESSION + timedelta(days=n) for n in range(-10, 10)]
    MarketDay.objects.bulk_create(
        MarketDay(
            date=day, kind="normal", is_session=day.weekday() < 5, open=time(9, 15), close=time(15, 30), source="t"
        )
        for day in days
    )


def status_text(now=NOW):
    return " ".join(f"[{sentence.tone}] {sentence.text}" for sentence in evening_status(now).sentences)


def test_an_empty_database_says_how_to_start():
    text = status_text()
    assert "[wait] Nothing has been collected yet." in text
    assert "./run.sh manage run_all" in text
    assert "no picks are published" in text


def test_a_complete_evening_is_good():
    Stock.objects.create(symbol="AAA", last_seen=SESSION)
    publish("balanced", [pick("AAA")])
    Finding.objects.create(run_id="r", session=SESSION, check_name="x", severity="warning", message="m")
    text = status_text()
    assert "[good] The data of Thursday 30 April 2026 is in." in text
    assert "[good] The checks found 0 errors and 1 warnings; 0 shares are excluded" in text
    assert "published, for Monday 4 May 2026: balanced 1." in text


def test_a_running_collection_shows_its_progress():
    Stock.objects.create(symbol="AAA", last_seen=SESSION - timedelta(days=1))
    make_run()
    text = status_text()
    assert "[wait] The data of Thursday 30 April 2026 is not in yet; the latest is of Wednesday 29 April 2026." in text
    assert "Running: historical data, 42% done." in text


def test_a_failure_is_bad_and_gives_its_reason():
    Stock.objects.create(symbol="AAA", last_seen=SESSION - timedelta(days=1))
    make_run(status="failed", step_status="failed", reason="The file is truncated.")
    assert "[bad] The data of" in status_text()
    assert "The file is truncated." in status_text()


def test_a_waiting_job_names_its_prerequisites():
    make_run("s", job="selection", status="waiting", waits_for=["validation", "training|recent_model"], done=0)
    job = {job.name: job for job in evening_status(NOW).jobs}["selection"]
    assert job.sentence == "Waits for Data-quality validation and Model training or a recent accepted model."


def test_a_planned_start_is_in_indian_time():
    Schedule.objects.create(name="selection", func="x", next_run=datetime(2026, 4, 30, 20, 45, tzinfo=UTC))
    assert "Starts 1 May, 02:15 IST." in status_text()


def test_a_blocked_day_is_bad():
    Finding.objects.create(
        run_id="r",
        session=SESSION,
        check_name="x",
        severity="error",
        blocks=True,
        message="41 % of the bars are missing",
    )
    failed = "[bad] The data of 2026-04-30 failed a check: 41 % of the bars are missing."
    assert f"{failed} No picks are published from them." in status_text()


def test_an_abstention_is_bad_with_its_reason():
    publish("balanced", [], reason="Validation failed.")
    assert "[bad] No picks are published, for Monday 4 May 2026. Validation failed." in status_text()


def test_beyond_the_calendar_it_refuses_to_guess(client):
    status = evening_status(NOW + timedelta(days=400))
    assert status.expected is None
    assert status.sentences[0].tone == "bad"


def test_the_status_page_is_served(client):
    assert client.get("/status/").status_code == 200
    assert NEXT_SESSION > SESSION
