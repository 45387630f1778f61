"""The places of a past session are those that its evening would have published."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from market_data.models import DailyBar, Finding
from market_data.steps import session_metrics
from market_data.steps.metrics import session_frame
from ml.pick_history.days import MOST_PLACES, past_days
from ml.pick_history.filling import configured_filters
from ml.sagas import candidates, candidates_with_predictions
from stocks.models import FinancialStatement, FundamentalSnapshot, Publication, SymbolChange
from stocks.picks import screening
from tests.market_data.quality.stored_market import DAYS, SYMBOLS, TODAY, bars_are
from tests.ml.pick_history import stored_evening
from tests.ml.pick_history.stored_evening import RECIPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]


def one_day(session: date = TODAY) -> Any:
    [day] = past_days([session], RECIPE, configured_filters())
    return day


def plant_faults() -> dict[str, str]:
    """A jump of ten sessions ago, a bar in another unit five sessions ago, a profit on negative equity."""
    sample = {"symbol": SYMBOLS[0], "ratio": 0.5, "reason": "no_event", "near_factor": None}
    Finding.objects.create(
        run_id="r",
        session=DAYS[-10],
        symbol=SYMBOLS[0],
        check_name="price_jump",
        severity="error",
        message="m",
        blocks=True,
        sample=sample,
    )
    bars_are("turnover_lakh = turnover_lakh * 100", [SYMBOLS[1]], DAYS[-5])
    FinancialStatement.objects.create(
        symbol=SYMBOLS[2], period_end=DAYS[0], kind="year", published_on=DAYS[1], equity=-5.0, source="test"
    )
    return {SYMBOLS[0]: "price_jump", SYMBOLS[1]: "unit_error", SYMBOLS[2]: "impossible_fundamentals"}


@pytest.mark.parametrize("faults", [pytest.param(False, marks=pytest.mark.long), True])
def test_the_places_are_those_of_the_evening_list_by_list(faults: bool) -> None:
    planted = plant_faults() if faults else {}
    past = one_day()
    context = stored_evening.publish(TODAY)
    kept_out = set(planted) & set(candidates(context).frame["symbol"])
    assert not kept_out
    assert set(candidates(context).left_out) >= set(planted)
    filters = configured_filters()
    for strategy in screening.STRATEGIES:
        publication = Publication.objects.get(strategy=strategy)
        published = [(pick["symbol"], pick["place"], pick["selection_score"]) for pick in publication.picks]
        rows = past.lists[strategy]
        assert rows.passed >= 3, strategy
        assert [tuple(row) for row in rows.places.head(50).to_numpy()] == published, strategy
        evening = screening.placed(candidates_with_predictions(context), strategy, filters).shares
        wanted = evening[["symbol", "place", "selection_score"]].head(MOST_PLACES).reset_index(drop=True)
        pd.testing.assert_frame_equal(rows.places, wanted, check_dtype=False)
        assert (rows.considered, rows.passed) == (len(candidates_with_predictions(context)), len(evening))


@pytest.mark.long
def test_the_metrics_of_the_past_are_those_of_each_evening() -> None:
    DailyBar.objects.filter(symbol__symbol=SYMBOLS[5], date=DAYS[-4]).delete()
    past = {sources.session: sources for sources in session_metrics.sources_between(DAYS)}
    assert list(past) == DAYS
    for day in (DAYS[0], DAYS[1], DAYS[12], DAYS[-4], TODAY):
        evening = session_frame(day)
        pd.testing.assert_frame_equal(session_metrics.metrics_from(past[day]), evening)
        without = session_metrics.metrics_from(past[day], provenance=False)
        pd.testing.assert_frame_equal(without.drop(columns="provenance"), evening.drop(columns="provenance"))


def test_nothing_later_counts() -> None:
    before = one_day(DAYS[-3])
    bars_are("close = close * 3, high = high * 3", SYMBOLS[:20], TODAY)
    FinancialStatement.objects.create(
        symbol=SYMBOLS[4], period_end=DAYS[0], kind="year", published_on=TODAY, equity=-5.0, shares=1, source="test"
    )
    days = {day.session: day for day in past_days(DAYS[-3:], RECIPE, configured_filters())}
    for strategy, placed in before.lists.items():
        pd.testing.assert_frame_equal(days[DAYS[-3]].lists[strategy].places, placed.places)


def test_a_strategy_whose_figures_are_not_known_yet_has_no_places() -> None:
    """What the screener showed on the session before yesterday counts from yesterday on."""
    days = {day.session: day.lists for day in past_days(DAYS[-3:], RECIPE, configured_filters())}
    for strategy in ("growth", "value"):
        early = days[DAYS[-3]][strategy]
        assert (len(early.places), early.passed) == (0, 0)
        assert f"{len(SYMBOLS)} at no return on equity" in early.reason
        assert len(days[DAYS[-2]][strategy].places)
    assert len(days[DAYS[-3]]["balanced"].places)


def test_a_session_that_failed_a_check_has_no_places() -> None:
    bars_are("turnover_lakh = turnover_lakh * 100", SYMBOLS, DAYS[-2])
    days = {day.session: day.lists for day in past_days(DAYS[-3:], RECIPE, configured_filters())}
    assert len(days[DAYS[-3]]["model"].places)
    assert days[DAYS[-2]]["model"].reason.startswith(f"The data of {DAYS[-2]} failed a check: 40 symbols")
    assert days[DAYS[-2]]["model"].places.empty


def test_a_session_is_the_same_on_its_own_and_among_others() -> None:
    """A finding of five sessions ago holds, also when the sessions between are not wanted; a later rename counts."""
    plant_faults()
    FundamentalSnapshot.objects.filter(symbol=SYMBOLS[15]).update(symbol="OLD")
    SymbolChange.objects.create(from_symbol="OLD", to_symbol=SYMBOLS[15], date=TODAY, proof="exchange")
    alone = one_day(DAYS[-2])
    assert SYMBOLS[15] in set(alone.lists["value"].places["symbol"])
    assert SYMBOLS[1] not in set(alone.lists["model"].places["symbol"])
    for days in ([DAYS[-9], DAYS[-2]], DAYS[-4:]):
        among = {day.session: day.lists for day in past_days(days, RECIPE, configured_filters())}
        for strategy, placed in alone.lists.items():
            pd.testing.assert_frame_equal(among[DAYS[-2]][strategy].places, placed.places)
