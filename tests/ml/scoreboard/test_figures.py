"""The scoreboard's figures, with answers by hand."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from ml.evaluation.statistics import newey_west
from ml.scoreboard.figures import INTERVAL_NEEDS_SESSIONS, Figures, Outcome, Point, curve, daily_means, figures

MONDAY, TUESDAY = date(2026, 4, 6), date(2026, 4, 7)


def outcome(day: date = MONDAY, net: float | None = 1.0, **facts: Any) -> Outcome:
    defaults: dict[str, Any] = {
        "date": day,
        "strategy": "growth",
        "symbol": "AAA",
        "model_id": "m",
        "result": "not_bought" if net is None else "sold",
        "first_touched": None if net is None else "none",
        "is_late": False,
        "return_pct": None if net is None else net + 2.0,
        "excess_pct": None if net is None else net + 0.25,
        "net_excess_pct": net,
    }
    return Outcome(**defaults | facts)


def test_counts_and_means_of_days() -> None:
    """Monday's two picks gain 1 and 3, Tuesday's one loses 4: the mean of the days is -1, that of the picks 0."""
    outcomes = [
        outcome(net=1.0, first_touched="target"),
        outcome(net=3.0, first_touched="target", is_late=True),
        outcome(net=None),
        outcome(TUESDAY, net=-4.0, first_touched="stop"),
        outcome(TUESDAY, net=None, result="unsold", first_touched="none"),
        outcome(TUESDAY, net=None, result="unmeasured"),
    ]
    result = figures(outcomes)
    assert result == Figures(
        outcomes=6,
        sold=3,
        not_bought=1,
        unsold=1,
        unmeasured=1,
        late=1,
        with_levels=4,
        target_first=2,
        stop_first=1,
        mean_return_pct=1.0,
        mean_excess_pct=-0.75,
        mean_net_excess_pct=-1.0,
        low_95=None,
        high_95=None,
        days=2,
    )
    assert (result.target_first_share, result.stop_first_share) == (0.5, 0.25)
    assert curve(outcomes) == [Point(MONDAY, 2.0, 0.2), Point(TUESDAY, -4.0, 0.2 - 0.4)]


def test_nothing_judged_is_nothing_known() -> None:
    empty = figures([])
    assert (empty.outcomes, empty.days) == (0, 0)
    assert empty.mean_return_pct is empty.mean_net_excess_pct is empty.target_first_share is empty.low_95 is None
    assert curve([]) == curve([outcome(net=None)]) == []


def test_the_interval_is_that_of_the_daily_series_once_it_is_long_enough() -> None:
    values = np.random.default_rng(4).normal(size=INTERVAL_NEEDS_SESSIONS)
    outcomes = [outcome(MONDAY + timedelta(days=place), float(value)) for place, value in enumerate(values)]
    result = figures(outcomes[::-1])
    expected = newey_west(values)
    assert result.mean_net_excess_pct == pytest.approx(expected.value)
    assert result.low_95 == pytest.approx(expected.value - expected.half_width)
    assert result.high_95 == pytest.approx(expected.value + expected.half_width)
    assert figures(outcomes[1:]).low_95 is None


def test_a_days_mean_does_not_depend_on_the_order_of_its_picks() -> None:
    values = [(MONDAY, value) for value in (1e16, 1.0, -1e16, 0.1)]
    assert daily_means(values) == daily_means(values[::-1]) == {MONDAY: 1.1 / 4}
