"""The facts of an evening, and that console, pages and terminal say the same of one database."""

from datetime import UTC, date, datetime, timedelta

import pytest

from market_data.evenings.recent_runs import RunHistory
from market_data.models import Finding, MarketDay, PipelineRun, SourceFile
from ml import evening_facts
from ml.models import TrainedModel
from portfolio.pages.evening_status import evening_sentences, evening_state
from stocks.models import Stock
from stocks.picks.queries import newest_publications
from tests.published import SESSION, pick, publish
from tests.runs import make_run
from tradingsite.monitoring.status import system_status
from tradingsite.operations.verdict import session_verdict

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 30, 17, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _market():
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, open="9:15", close="15:30", source="t")
        for day in (SESSION + timedelta(days=number) for number in range(-40, 10))
        if day.weekday() < 5
    )
    Stock.objects.create(symbol="AAA", last_seen=SESSION)
    SourceFile.objects.create(session=SESSION, name="a", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0)


def finding(symbol: str = "", session: date = SESSION, **facts) -> None:
    facts = {"run_id": "r", "check_name": "unit_error", "severity": "error", "message": "m", "blocks": True} | facts
    Finding.objects.create(symbol=symbol, session=session, **facts)


def sentence() -> str:
    state = evening_state(NOW, newest_publications())
    return " ".join(sentence.text for sentence in evening_sentences(NOW, state))


def test_findings_are_counted_by_severity():
    finding("AAA")
    finding("AAA", check_name="thin_fundamentals", severity="warning", blocks=False)
    finding("AAA", session=SESSION - timedelta(days=1))
    assert evening_facts.finding_counts(SESSION) == {"error": 1, "warning": 1}
    assert system_status(NOW)["findings"] == {"error": 1, "warning": 1}
    assert "1 error and 1 warning" in sentence()


def test_a_share_excluded_by_an_earlier_finding_is_excluded_everywhere():
    publish("balanced", [pick("AAA")])
    finding("BBB", session=SESSION - timedelta(days=1), check_name="range_spike")
    finding("CCC", check_name="thin_fundamentals", severity="warning", blocks=False)
    assert evening_facts.exclusions_by_check(SESSION) == {"range_spike": 1}
    assert "1 share is kept out (range spike 1)" in session_verdict(SESSION, RunHistory()).exclusions
    assert "; 1 share is kept out of the picks." in sentence()
    finding("DDD")
    assert evening_facts.exclusions_by_check(SESSION) == {"range_spike": 1, "unit_error": 1}, "a new finding counts"


def test_what_an_older_run_changes_counts_at_once():
    """A retry or a rollback of a run that began before the newest one, which ended long ago."""
    finding("AAA")
    finding("BBB")
    run = make_run("validation_20260430_210000", job="validation", status="failed", done=0, ended_at=NOW)
    older = PipelineRun.objects.filter(pk=run.pk)
    make_run("backup_20260430_220000", job="backup", status="completed", ended_at=NOW)
    assert evening_facts.exclusions_by_check(SESSION) == {"unit_error": 2}
    Finding.objects.filter(symbol="AAA").delete()
    older.update(status="completed", last_commit=3)
    assert evening_facts.exclusions_by_check(SESSION) == {"unit_error": 1}
    Finding.objects.filter(symbol="BBB").update(symbol="AAA")
    older.update(status="rolled_back")
    assert [entry.symbol for entry in evening_facts.kept_out(SESSION)] == ["AAA"]


def test_the_lists_in_force_are_those_of_the_newest_session():
    publish("balanced", [pick("AAA")], session=SESSION - timedelta(days=1))
    assert [one.strategy for one in evening_facts.lists_in_force()] == ["balanced"]
    assert not evening_facts.lists_in_force(SESSION)
    publish("growth", [pick("AAA"), pick("BBB")])
    assert [(one.strategy, one.count) for one in evening_facts.lists_in_force()] == [("growth", 2)]
    assert system_status(NOW)["picks"]["growth"] == 2
    assert "The picks of Thursday 30 April 2026, for Monday 4 May 2026, were published" in sentence()
    assert "2 picks in 1 list" in session_verdict(SESSION, RunHistory()).why


def test_the_newest_model_need_not_be_the_accepted_one():
    facts = {"estimator": "e", "trained_at": NOW, "train_from": SESSION, "train_until": SESSION, "samples": 1}
    for number, status in enumerate(("accepted", "rejected")):
        TrainedModel.objects.create(
            id=f"m{number}", session=SESSION + timedelta(days=number), status=status, metrics={}, **facts
        )
    assert (newest := evening_facts.newest_model()) is not None
    assert newest.pk == "m1"
    assert (until := evening_facts.newest_model(SESSION)) is not None
    assert until.pk == "m0"
    assert evening_facts.newest_model(SESSION - timedelta(days=1)) is None
    make_run(status="failed", step_status="failed")
    assert session_verdict(SESSION, RunHistory()).why.startswith("No accepted model is at most 7 sessions old")
    assert "No accepted model is at most 7 sessions old" in sentence()


def test_the_turnover_of_each_list_and_its_mean_over_twenty_sessions():
    """Of the newest list a half of the places is new, of each before it a fifth."""
    days = [SESSION - timedelta(days=number) for number in range(25)]
    previous = publish("value", [pick(f"S{n}") for n in range(5)], session=days[-1])
    for day in reversed(days[1:-1]):
        one_new = [pick(f"S{n}", standing="kept" if n else "new", listed_since=day) for n in range(5)]
        previous = publish("value", one_new, session=day, previous=previous)
    left = [{"symbol": "GONE", "place": None, "reason": "did not trade"}]
    half = [pick("AAA", standing="new"), pick("BBB", standing="kept")]
    publish("value", half, previous=previous, departures=left)
    publish("growth", [pick("AAA")])
    publish("model", [], abstention="data")
    growth, model, value = evening_facts.list_turnovers(list(evening_facts.lists_in_force()))
    assert [turnover.publication.strategy for turnover in (growth, model, value)] == ["growth", "model", "value"]
    assert (value.entries, value.departures, value.turnover, value.sessions) == (1, 1, 0.5, 20)
    assert value.mean == pytest.approx((0.5 + 19 * 0.2) / 20)
    # compared with none, and empty
    for turnover in (growth, model):
        assert turnover[1:] == (None, 0, None, None, 0)


def test_without_lists_there_is_no_turnover():
    assert evening_facts.list_turnovers([]) == []
