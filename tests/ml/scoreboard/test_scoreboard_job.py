"""The job `scoreboard` on stored lists and bars: judged once, corrected by new rows, changed by nobody."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from market_data.models import CorporateAction, DailyBar, Finding, MarketDay, PipelineRun, SourceFile
from market_data.runs import engine, lifecycle
from market_data.runs.rollback import roll_back
from market_data.runs.saga import SagaError
from ml.costs import plain_charges_pct
from ml.models import PickOutcome
from ml.scoreboard import judging, queries
from stocks.models import Publication, Stock, StockMetrics, SymbolChange
from tests.published import pick, publish, supersede

pytestmark = pytest.mark.django_db
DAYS = [day for day in (date(2026, 4, 6) + timedelta(days=number) for number in range(40)) if day.weekday() < 5]
PICKED, ENTRY, EXIT = DAYS[0], DAYS[1], DAYS[11]
SHARES = ("AAA", "BBB", "CCC")


@pytest.fixture(autouse=True)
def market() -> None:
    """Three shares at 100, of which AAA rises to 106 at the exit and BBB touches its stop."""
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="t") for day in DAYS)
    Stock.objects.bulk_create(Stock(symbol=symbol, stock_name=symbol, kind="share") for symbol in SHARES)
    load(*DAYS[:12])
    StockMetrics.objects.bulk_create(
        StockMetrics(symbol_id=symbol, date=PICKED, current_price=100, tradable=True) for symbol in SHARES
    )
    change("AAA", EXIT, open=106.0, high=106.0)
    change("BBB", DAYS[4], low=90.0)


def load(*days: date) -> None:
    DailyBar.objects.bulk_create(bar(symbol, day) for symbol in SHARES for day in days)
    SourceFile.objects.bulk_create(
        SourceFile(session=day, name="a", size=1, mtime_ns=1, sha256="0", rows=3, rejected=0) for day in days
    )


def bar(symbol: str, day: date) -> DailyBar:
    prices: dict[str, Any] = {"open": 100, "high": 101, "low": 99, "close": 100, "adj_close": 100}
    return DailyBar(symbol_id=symbol, date=day, volume=1, series="EQ", source="t", status="final", **prices)


def change(symbol: str, day: date, **facts: Any) -> None:
    DailyBar.objects.filter(symbol=Stock.objects.get(symbol=symbol), date=day).update(**facts)


def published(strategy: str = "growth", *, session: date = PICKED, **options: Any) -> Publication:
    levels: dict[str, Any] = {"current_price": 100.0, "target_price": 105.0, "stop_loss": 95.0}
    return publish(strategy, [pick("AAA", **levels), pick("BBB", **levels)], session=session, **options)


def judge(session: date = EXIT) -> PipelineRun:
    done = engine.advance(lifecycle.create_run("scoreboard", session, triggered_by="test").id, wait=True)
    assert done.status == "completed", done.reason
    return done


def test_what_came_of_a_list() -> None:
    listed = published()
    run = judge()
    assert run.summary["judged"] == 2
    first, second = PickOutcome.objects.order_by("rank")
    charges = plain_charges_pct(ENTRY)
    assert (first.symbol, first.rank, first.model_id, first.publication_version) == ("AAA", 1, listed.model_id, 1)
    assert (first.entry_date, first.entry_price, first.exit_date, first.exit_price) == (ENTRY, 100.0, EXIT, 106.0)
    assert (first.result, first.first_touched, second.first_touched, second.touched_on) == (
        *("sold", "none", "stop"),
        DAYS[4],
    )
    assert first.return_pct == pytest.approx(6.0)
    assert first.universe_return_pct == pytest.approx(2.0)
    assert first.universe_shares == 3
    assert first.excess_pct == pytest.approx(4.0)
    assert first.charges_pct == charges
    assert first.net_excess_pct == pytest.approx(4.0 - charges)
    assert second.net_excess_pct == pytest.approx(-2.0 - charges)
    assert first.index_excess_pct is None
    assert (first.as_of, first.run_id, first.recommendation) == (EXIT, run.id, "BUY")
    assert first.is_late  # published on 30 April, long after the entry


def test_a_list_is_late_from_the_opening_of_its_entry_on() -> None:
    listed = published()
    for minutes, is_late in ((0, True), (-1, False)):
        opening = datetime(ENTRY.year, ENTRY.month, ENTRY.day, 3, 45, tzinfo=UTC) + timedelta(minutes=minutes)
        Publication.objects.filter(pk=listed.pk).update(published_at=opening)
        assert {row.is_late for row in judging.outcomes(EXIT)} == {is_late}


def test_judged_twice_nothing_is_added_and_before_the_exit_nothing_either() -> None:
    published()
    assert judging.outcomes(DAYS[10]) == []
    assert queries.waiting()["growth"] == 2
    judge()
    assert queries.waiting()["growth"] == 0
    rows = list(PickOutcome.objects.order_by("pk").values())
    load(DAYS[12])
    again = judge(DAYS[12])
    assert (again.summary["judged"], again.summary["corrections"]) == (0, 0)
    assert list(PickOutcome.objects.order_by("pk").values()) == rows


def test_a_corrected_bar_is_a_new_version_beside_the_old() -> None:
    published()
    judge()
    before = PickOutcome.objects.get(symbol="AAA")
    change("AAA", EXIT, open=103.0)
    assert judge().summary["corrections"] == 2  # the mean of the universe changed for both
    old, new = PickOutcome.objects.filter(symbol="AAA").order_by("version")
    assert (old.pk, old.return_pct, old.version) == (before.pk, before.return_pct, 1)
    assert new.version == 2
    assert new.return_pct == pytest.approx(3.0)


def test_a_later_split_corrects_nothing() -> None:
    published()
    judge()
    load(DAYS[12])
    CorporateAction.objects.create(
        symbol="AAA", ex_date=DAYS[12], kind="split", factor=1 / 3, known_on=PICKED, status="official", source="test"
    )
    change("AAA", DAYS[12], open=100 / 3, high=34, low=33, close=100 / 3)
    assert judge(DAYS[12]).summary["corrections"] == 0


def test_the_version_in_force_is_judged_and_stays_it() -> None:
    supersede(publish("growth", [pick("CCC")], session=PICKED))
    second = published(version=2)
    judge()
    assert set(PickOutcome.objects.values_list("symbol", "publication_version")) == {("AAA", 2), ("BBB", 2)}
    supersede(second)
    publish("growth", [pick("CCC")], session=PICKED, version=3)
    assert judge().summary["judged"] == 0
    change("AAA", EXIT, open=103.0)
    assert judge().summary["corrections"] == 2


def test_a_pick_is_followed_under_its_new_name() -> None:
    levels: dict[str, Any] = {"current_price": 100.0, "target_price": 105.0, "stop_loss": 95.0}
    publish("growth", [pick("OLD", **levels)], session=PICKED)
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="AAA", date=DAYS[5], proof="isin")
    judge()
    outcome = PickOutcome.objects.get()
    assert (outcome.symbol, outcome.result) == ("OLD", "sold")
    assert outcome.return_pct == pytest.approx(6.0)


def test_lists_of_the_same_session_share_the_universe_and_empty_ones_have_no_outcome() -> None:
    published()
    published("value")
    publish("momentum", [], session=PICKED)
    judge()
    assert set(PickOutcome.objects.values_list("strategy", flat=True)) == {"growth", "value"}
    assert PickOutcome.objects.values("universe_return_pct").distinct().count() == 1


def test_a_session_that_failed_a_check_judges_nothing() -> None:
    published()
    Finding.objects.create(
        run_id="r", session=EXIT, check_name="bar_count", severity="error", blocks=True, message="3 bars"
    )
    assert "failed a check" in judge().summary["results"]
    assert not PickOutcome.objects.exists()


def test_a_replay_only_reports() -> None:
    published()
    load(DAYS[12])
    assert judge(EXIT).summary["results"] == {"sold": 2}
    assert not PickOutcome.objects.exists()


def test_no_rollback_takes_back_what_was_judged() -> None:
    published()
    run = judge()
    with pytest.raises(SagaError, match="nothing that can be rolled back"):
        roll_back(run.id, "test")
    assert PickOutcome.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pick_outcomes SET net_excess_pct = 9",
        "UPDATE pick_outcomes SET net_excess_pct = 9 WHERE false",
        "DELETE FROM pick_outcomes",
        "TRUNCATE pick_outcomes",
        "TRUNCATE pick_outcomes CASCADE",
    ],
)
def test_the_database_refuses_any_change(statement: str) -> None:
    published()
    judge()
    rows = list(PickOutcome.objects.order_by("pk").values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('audit.maintenance', '', true)")
        with pytest.raises(ProgrammingError, match="only ever added to"), transaction.atomic():
            cursor.execute(statement)
    assert list(PickOutcome.objects.order_by("pk").values()) == rows


def test_a_purged_list_keeps_its_outcomes() -> None:
    published()
    judge()
    Publication.objects.get().picks_in_force.all().delete()
    Publication.objects.all().delete()
    assert PickOutcome.objects.count() == 2
    assert judge().summary["results"] == "none due"
