"""The history is filled once: interrupted it goes on, a second fill writes nothing, another recipe replaces it."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from market_data.models import PipelineRun
from market_data.runs import engine, lifecycle
from market_data.runs.rollback import roll_back
from ml import sagas
from ml.models import PickHistoryDay, PickPlace, Prediction
from ml.pick_history import days, filling, queries
from ml.sagas import ranked_picks
from stocks.models import Publication, Stock, SymbolChange
from stocks.picks import screening
from tests.market_data.quality.stored_market import DAYS, SYMBOLS, TODAY
from tests.ml.pick_history import stored_evening
from tests.ml.pick_history.stored_evening import LENIENT, RECIPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market", "remembered_evenings")]
LAST_THREE = DAYS[-3:]
WALK_FORWARD, PUBLISHED = PickPlace.Source.WALK_FORWARD, PickPlace.Source.PUBLISHED


@pytest.fixture(scope="module")
def evenings_of() -> Callable[[Sequence[date]], Iterator[Any]]:
    """Metrics and checks of sessions, each computed once for all tests here: no test changes what they come from."""
    computed: dict[date, Any] = {}
    computed_for = days._evenings

    def evenings(sessions: Sequence[date]) -> Iterator[Any]:
        missing = [session for session in sessions if session not in computed]
        computed.update({evening.sources.session: evening for evening in computed_for(missing)} if missing else {})
        return (computed[session] for session in sessions)

    return evenings


@pytest.fixture
def remembered_evenings(evenings_of: Callable[[Sequence[date]], Iterator[Any]], monkeypatch: Any) -> None:
    monkeypatch.setattr(days, "_evenings", evenings_of)


def fill(*strategies: str, recipe: str = RECIPE, **options: Any) -> filling.Filled:
    return filling.fill(strategies or tuple(screening.STRATEGIES), recipe, LAST_THREE[0], TODAY, **options)


def stored() -> list[tuple[Any, ...]]:
    """Every row, with what tells whether it was written again."""
    fields = ("id", "strategy", "session", "symbol", "place", "selection_score", "source", "recipe", "created_at")
    return list(PickPlace.objects.order_by("strategy", "session", "source", "place").values_list(*fields))


def test_a_second_fill_writes_nothing() -> None:
    first = fill()
    assert (first.sessions, first.publications, first.removed) == (3, 0, 0)
    before = stored()
    assert first.rows == len(before) > 100
    assert fill() == (0, 0, 0, 0)
    assert fill(afresh=True) == (3, 0, 0, 0)
    assert stored() == before


def test_an_interrupted_fill_goes_on_where_it_was() -> None:
    def killed(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(report=killed)
    kept = {day: list(PickPlace.objects.filter(session=day).values_list("id", flat=True)) for day in LAST_THREE}
    assert [bool(rows) for rows in kept.values()] == [True, True, False]
    assert fill().sessions == 1
    for day in LAST_THREE[:2]:
        assert list(PickPlace.objects.filter(session=day).values_list("id", flat=True)) == kept[day]


def test_each_list_is_filled_on_its_own() -> None:
    fill("model", "value")
    assert set(PickPlace.objects.values_list("strategy", flat=True)) == {"model", "value"}
    # Value has no places before the company figures are known, and is not computed for them again.
    assert queries.first_session("value", RECIPE) == DAYS[-2]
    assert list(queries.sessions_without_places("value", RECIPE, DAYS[0], TODAY)) == [LAST_THREE[0]]
    assert fill("value") == (0, 0, 0, 0)
    assert fill().sessions == 3
    assert set(PickPlace.objects.values_list("strategy", flat=True)) == set(screening.STRATEGIES)


def test_places_are_read_by_list_recipe_and_span() -> None:
    fill()
    frame = queries.places("balanced", RECIPE, LAST_THREE[1], TODAY)
    assert frame.columns.tolist() == ["session", "symbol", "place", "selection_score"]
    assert frame["session"].unique().tolist() == [pd.Timestamp(day) for day in LAST_THREE[1:]]
    for _, rows in frame.groupby("session"):
        assert rows["place"].tolist() == list(range(1, len(rows) + 1))
        assert rows["selection_score"].is_monotonic_decreasing
    assert queries.places("balanced", "another", DAYS[0], TODAY).empty
    assert queries.places("balanced", RECIPE, DAYS[0], DAYS[1]).dtypes.to_dict() == frame.dtypes.to_dict()


def test_a_renamed_share_has_its_present_symbol() -> None:
    fill("model")
    before = queries.places("model", RECIPE, TODAY, TODAY)
    Stock.objects.create(symbol="NEW", kind="share")
    SymbolChange.objects.create(from_symbol=SYMBOLS[3], to_symbol="NEW", date=date(2026, 12, 31), proof="exchange")
    after = queries.places("model", RECIPE, TODAY, TODAY)
    assert after["symbol"].tolist() == before["symbol"].replace(SYMBOLS[3], "NEW").tolist()


def test_other_recipes_and_other_thresholds_replace_the_places(settings: Any) -> None:
    fill()
    other = "f" * 12
    for day in LAST_THREE:
        stored_evening.predictions(day, other, seed=2)
    replaced = fill(recipe=other)
    assert replaced.sessions == 3
    assert replaced.rows
    assert set(PickPlace.objects.values_list("recipe", flat=True)) == {other}
    assert queries.places("model", RECIPE, DAYS[0], TODAY).empty
    settings.SCREENING_OVERRIDES = LENIENT | {"max_rsi": 60.0}
    stricter = fill(recipe=other)
    assert (stricter.sessions, stricter.removed > 0) == (3, True)
    assert fill(recipe=other) == (0, 0, 0, 0)


def published(strategy: str = "model") -> list[tuple[str, int, float | None]]:
    rows = PickPlace.objects.filter(source=PUBLISHED, strategy=strategy).order_by("place")
    return list(rows.values_list("symbol", "place", "selection_score"))


def test_an_evening_adds_what_it_published_and_its_own_places() -> None:
    for day in LAST_THREE[:2]:
        stored_evening.check(day)
    stored_evening.publish(TODAY)
    publication = Publication.objects.get(strategy="model")
    assert published() == [(pick["symbol"], pick["place"], pick["selection_score"]) for pick in publication.picks]
    assert set(PickPlace.objects.values_list("session", "recipe")) == {(TODAY, RECIPE)}
    walked = queries.places("model", RECIPE, DAYS[0], TODAY)
    assert list(zip(*(walked[name] for name in ("symbol", "place", "selection_score")), strict=True)) == published()


def test_an_evening_adds_the_sessions_since_the_last_ones() -> None:
    filling.fill(["model"], RECIPE, DAYS[-4], DAYS[-4])
    assert queries.newest_missing_sessions(RECIPE, TODAY) == LAST_THREE
    assert queries.newest_missing_sessions("another", TODAY) == []


def test_publications_of_before_come_in_once() -> None:
    stored_evening.publish(TODAY)
    before = published()
    PickPlace.objects.all().delete()
    PickHistoryDay.objects.all().delete()
    assert fill().publications == len(screening.STRATEGIES)
    assert published() == before
    assert fill() == (0, 0, 0, 0)


def select() -> PipelineRun:
    """A selection by the engine, whose model says what is stored."""
    run = lifecycle.create_run("selection", TODAY, triggered_by="test")
    context = stored_evening.selection(TODAY, stored_evening.as_stored(TODAY), run)
    sagas.publish(context, ranked_picks(context))
    PipelineRun.objects.filter(pk=run.pk).update(status=PipelineRun.Status.COMPLETED, first_commit=1, last_commit=1)
    return run


def test_a_selection_that_is_rolled_back_takes_its_places_with_it() -> None:
    stored_evening.check(TODAY)
    run = select()
    assert PickPlace.objects.filter(run_id=run.pk).count() == PickPlace.objects.count() > 0
    roll_back(run.pk, "test")
    assert not PickPlace.objects.exists()
    assert not PickHistoryDay.objects.exists()


def test_a_training_that_is_rolled_back_takes_the_places_of_its_predictions() -> None:
    fill()
    run = lifecycle.create_run("training", TODAY, triggered_by="test")
    PipelineRun.objects.filter(pk=run.pk).update(status=PipelineRun.Status.COMPLETED, first_commit=1, last_commit=1)
    Prediction.objects.filter(date__in=LAST_THREE[1:]).update(run_id=run.pk)
    counts = roll_back(run.pk, "test")
    assert set(PickPlace.objects.values_list("session", flat=True)) == {LAST_THREE[0]}
    assert set(PickHistoryDay.objects.values_list("session", flat=True)) == {LAST_THREE[0]}
    assert counts["predictions"] == (2 * len(SYMBOLS), 0)


def test_the_cleanup_leaves_it() -> None:
    fill("model")
    before = stored()
    run = lifecycle.create_run("cleanup", None, triggered_by="test")
    PipelineRun.objects.filter(pk=run.pk).update(created_at="2036-01-01T00:00:00Z")
    assert engine.advance(run.pk, wait=True).status == "completed"
    assert stored() == before


def command(*arguments: str) -> dict[str, Any]:
    out, progress = io.StringIO(), io.StringIO()
    call_command("pick_history", *arguments, "--json", stdout=out, stderr=progress)
    assert "3 of 3 sessions" in progress.getvalue() or arguments
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def test_the_command_says_what_there_is() -> None:
    result = command("--strategy=value", f"--recipe={RECIPE}", f"--from={LAST_THREE[0]}", f"--to={TODAY}")
    assert (result["sessions"], result["rows"]) == (3, PickPlace.objects.count())
    assert result["lists"] == {
        "value": {
            "rows": PickPlace.objects.count(),
            "sessions": 2,
            "since": DAYS[-2].isoformat(),
            "until": TODAY.isoformat(),
            "without": 1,
        }
    }
    out = io.StringIO()
    call_command("pick_history", "--strategy=value", f"--recipe={RECIPE}", stdout=out, stderr=io.StringIO())
    assert f"since {DAYS[-2]}; 8 sessions without" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--strategy=best"], "There is no strategy 'best'; choose from growth, value,"),
        (["--recipe=unknown"], "There are no predictions of the recipe unknown"),
        (["--from=2026-02-30"], "'2026-02-30' is not a date"),
        ([f"--from={TODAY}", f"--to={DAYS[-2]}"], f"--from {TODAY} is after --to {DAYS[-2]}."),
        (["--to=2025-01-01"], "No session from .* to 2025-01-01 has predictions|is after --to 2025-01-01"),
        (["--from=2027-01-01"], "is after --to|has predictions"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("pick_history", f"--recipe={RECIPE}", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    assert not PickPlace.objects.exists()
