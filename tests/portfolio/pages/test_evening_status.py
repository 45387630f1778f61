"""The evening in sentences: each state and what comes next."""

from datetime import UTC, datetime, time, timedelta

import pytest

from market_data.models import EveningHold, Finding, MarketDay
from portfolio.pages.evening_status import evening_sentences, evening_state
from stocks.models import Stock
from stocks.picks.queries import newest_publications
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


def state(now=NOW):
    return evening_state(now, newest_publications())


def status_text(now=NOW):
    return " ".join(f"[{sentence.tone}] {sentence.text}" for sentence in evening_sentences(now, state(now)))


def stages(now=NOW):
    return {stage.title: stage.words for stage in state(now).stages}


def test_an_empty_database_says_how_to_start(client):
    assert "[wait] Nothing has been collected yet." in status_text()
    assert "./run.sh manage run_all" in client.get("/picks/").content.decode()


def test_a_complete_evening_is_good():
    Stock.objects.create(symbol="AAA", last_seen=SESSION)
    publish("balanced", [pick("AAA")])
    Finding.objects.create(run_id="r", session=SESSION, check_name="x", severity="warning", message="m")
    text = status_text()
    assert "[good] The picks of Thursday 30 April 2026, for Monday 4 May 2026, were published on 1 May, 02:15" in text
    assert "[good] The data of Thursday 30 April 2026 are in." in text
    assert "[good] The checks found 0 errors and 1 warning; 0 shares are kept out of the picks." in text


def test_a_running_collection_shows_its_progress():
    Stock.objects.create(symbol="AAA", last_seen=SESSION - timedelta(days=1))
    make_run()
    text = status_text()
    assert "[wait] The picks of Thursday 30 April 2026 are being made" in text
    assert "The data of Thursday 30 April 2026 are not in yet; the latest are of Wednesday 29 April 2026." in text
    assert stages()["Prices and indicators"] == "Under way, 42% done."


def test_a_failure_is_bad_and_keeps_its_reason_to_itself():
    make_run(status="failed", step_status="failed", reason="The file /data/a.csv is truncated.")
    text = f"{status_text()} {stages()}"
    assert "[bad] The picks of Thursday 30 April 2026 are not ready: their preparation has stopped" in text
    assert "it has to be continued by hand" in text
    assert "truncated" not in text


def test_a_failed_training_stops_nothing_and_a_failed_check_does():
    for job in ("pipeline", "fill_data", "business_logic", "validation"):
        make_run(f"{job}_1", job=job, status="completed", names=())
    night = NOW + timedelta(hours=3, minutes=35)
    make_run("training_1", job="training", status="failed", names=())
    assert state(night).picks.state == "making"
    make_run("validation_2", job="validation", status="failed", names=())
    assert state(night).picks.state == "making", "the session keeps its good validation"
    assert "A later repetition did not succeed; this result stands." in stages(night)["Checks of the data"]
    make_run("selection_1", job="selection", status="cancelled", names=())
    assert state(night).picks.state == "none"


def test_a_planned_start_is_in_indian_time():
    assert stages()["Choice of the picks"] == "Planned for 1 May, 02:15 IST."


def test_before_the_evening_the_picks_are_to_come_and_afterwards_they_are_late():
    publish("balanced", [pick("OLD")], session=SESSION - timedelta(days=1), valid_for=SESSION)
    afternoon = datetime(2026, 4, 30, 12, 0, tzinfo=UTC)
    assert state(afternoon).picks.state == "making"
    assert "will be made in the evening" in state(afternoon).picks.sentence
    assert "Until then the latest are those of Wednesday 29 April 2026." in state(afternoon).picks.sentence
    assert "has not begun" in state(NOW).picks.sentence


def test_a_held_evening_says_so_without_a_name():
    make_run("fill_data_1", job="fill_data", status="waiting", names=())
    EveningHold.objects.create(session=SESSION, held_by="asha", reason="The file is wrong.")
    assert state().picks.sentence.startswith("The picks of Thursday 30 April 2026 are held back")
    assert "asha" not in f"{status_text()} {stages()}"


def test_a_blocked_day_is_bad():
    Finding.objects.create(
        run_id="r", session=SESSION, check_name="x", severity="error", blocks=True, message="41 % of the bars miss"
    )
    assert "[bad] The data of Thursday 30 April 2026 did not pass the checks: no picks are published" in status_text()
    publish("balanced", [pick("AAA")])
    assert "treat them with caution" in state().picks.sentence


@pytest.mark.parametrize(
    ("abstention", "words"),
    [
        ("data", "the data of the session did not pass the quality checks"),
        ("model", "no recent prediction model has passed its tests"),
        ("", "no share met the conditions of a strategy"),
    ],
)
def test_an_abstention_is_bad_with_its_reason(abstention, words):
    publish("balanced", [], reason="internal", abstention=abstention)
    assert f"[bad] There are no picks of Thursday 30 April 2026: {words}." in status_text()


def test_beyond_the_calendar_it_refuses_to_guess():
    assert state(NOW + timedelta(days=400)).stages == []
    publish("balanced", [pick("AAA")])
    assert state(NOW + timedelta(days=400)).picks.state == "ready"


def test_the_status_page_is_served(client):
    assert client.get("/status/").status_code == 200
    assert NEXT_SESSION > SESSION
