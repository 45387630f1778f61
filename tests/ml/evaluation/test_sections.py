"""Segments, stress, capacity and lists by hand, on a few days of a few shares."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import figures, lists, segments, stress
from ml.evaluation.figures import Days
from ml.evaluation.tranches import Rule
from tests.ml.markets import sessions

DAYS = 60


def no_impact(turnover):
    return np.zeros_like(turnover)


FREE = Rule(0.0, no_impact, places=2, keep_rank=2)


def past(scores=(4, 3, 2, 1), returns=(0.04, 0.02, 0.0, -0.02), turnover=(50, 500, 2000, 4000), days=DAYS):
    """The same four shares with the same outcome on each session."""
    names = ["A", "B", "C", "D"]
    day = pd.DataFrame(
        {
            "symbol": names,
            "score": scores,
            "rank_score": scores,
            "risk_raw": returns,
            "forward_return": returns,
            "late_entry_return": np.array(returns) / 2,
            "drawdown": returns,
            "median_turnover_lakh": turnover,
            "sector": ["Iron", "Iron", "Salt", None],
        }
    ).astype({"score": float, "rank_score": float, "median_turnover_lakh": float})
    frames = [day.assign(position=number, date=sessions(days)[number]) for number in range(days)]
    return pd.concat(frames, ignore_index=True)


def segments_of(frame, rule=FREE):
    return segments.segments(frame, rule, Days.of(frame, rule), sessions(DAYS))


def test_each_half_year_and_year_has_its_own_sessions():
    frame = past()
    later = frame["position"] >= 40
    frame["forward_return"] = frame["forward_return"].where(~later, -frame["forward_return"])
    parts = segments.periods(Days.of(frame, FREE), sessions(120, "2023-05-08")[:DAYS])
    assert list(parts["half_year"]) == ["2023-I", "2023-II"]
    first, second = parts["half_year"]["2023-I"], parts["half_year"]["2023-II"]
    assert (first["rank_ic"]["days"], second["rank_ic"]["days"]) == (40, 20)
    assert (first["rank_ic"]["mean"], second["rank_ic"]["mean"]) == (pytest.approx(1), pytest.approx(-1))
    assert first["net_excess_pct"]["mean"] == pytest.approx((0.03 - 0.01) * 2500)
    # The second half began with the shares bought in the first: they stay while they rank among the first two.
    assert second["net_excess_pct"]["mean"] == pytest.approx(-(0.03 - 0.01) * 2500)
    assert parts["year"]["2023"]["rank_ic"]["days"] == 60


def test_terciles_are_of_the_days_turnover_and_measured_among_themselves():
    frame = pd.concat([past(), past().assign(symbol=lambda f: f["symbol"] + "2")], ignore_index=True)
    frame = frame.sort_values(["position", "symbol"], ignore_index=True)
    parts = segments_of(frame, replace(FREE, places=1, keep_rank=1))["liquidity"]
    assert list(parts) == ["least traded", "middle", "most traded"]
    # A and A2 are the least traded with equal outcomes: nothing to gain among them.
    assert parts["least traded"]["net_excess_pct"]["mean"] == pytest.approx(0)
    # B and C in the middle: B is first, one percent above their mean.
    assert parts["middle"]["net_excess_pct"]["mean"] == pytest.approx(0.01 * 2500)


def test_a_share_without_a_sector_is_unknown_and_places_add_up():
    parts = segments_of(past())["sector"]
    assert set(parts) == {"Iron", "Salt", "unknown"}
    assert sum(part["places"]["mean"] for part in parts.values()) == pytest.approx(1)
    # A and B are the first two, of all shares: 0.03 less the mean of 0.01.
    assert parts["Iron"]["gross_excess_pct"]["mean"] == pytest.approx(0.02 * 2500)
    assert parts["Salt"]["gross_excess_pct"]["days"] == 0
    assert parts["Iron"]["rank_ic"]["mean"] is None  # two shares have no order to speak of


def test_above_ten_crore_only_shares_traded_that_much_count():
    part = segments_of(past())["above_10_crore"]
    assert part["rank_ic"]["mean"] == pytest.approx(1)
    assert part["net_excess_pct"]["mean"] == pytest.approx(0)  # both of C and D are held
    single = segments_of(past(), replace(FREE, places=1))["above_10_crore"]
    assert single["net_excess_pct"]["mean"] == pytest.approx(0.01 * 2500)  # C less the mean of C and D


def test_a_doubled_impact_costs_twice_and_a_late_entry_has_its_own_returns():
    frame = past(days=DAYS)
    dear = Rule(0.0, lambda turnover: np.full_like(turnover, 0.001), places=2, keep_rank=2)
    # Bought once and kept: over sixty sessions each tranche pays one side in six.
    row = stress.stress(frame, dear, Days.of(frame, dear))
    gross = (0.03 - 0.01) * 2500
    assert row["impact_doubled"]["net_excess_pct"]["mean"] == pytest.approx(gross - 2 * 0.001 / 6 * 2500)
    assert row["entry_late"]["net_excess_pct"]["mean"] == pytest.approx(gross / 2 - 0.001 / 6 * 2500)


def test_beta_is_the_slope_on_the_universe():
    frame = past()
    market = np.random.default_rng(1).normal(scale=0.03, size=DAYS)[frame["position"]]
    moves = {"A": 1.5, "B": 1.5, "C": 1.0, "D": 0.0}  # mean 1
    frame["forward_return"] = market * frame["symbol"].map(moves).to_numpy()
    beta = stress.stress(frame, FREE, Days.of(frame, FREE))["beta"]
    assert beta["mean"] == pytest.approx(0.5)
    assert beta["standard_error"] == pytest.approx(0, abs=1e-9)


def test_capacity_is_bound_by_the_least_traded_share_held():
    money = figures.daily_money(past(turnover=(60, 500, 2000, 4000)), FREE)
    room = figures.capacity(money, FREE)
    # Ten tranches of two places, 1 % of ₹60 lakh each.
    assert room["every_order"] == pytest.approx(10 * 2 * 0.01 * 60e5)
    assert room["half_of_orders"] == pytest.approx(10 * 2 * 0.01 * 280e5)
    assert figures.capacity(money.iloc[:0], FREE) == {"every_order": None, "half_of_orders": None}


def test_shorter_lists_are_kept_until_three_times_their_places():
    frame = past()
    rows = figures.lengths(frame, FREE, Days.of(frame, FREE))
    assert [(row["places"], row["kept_until"]) for row in rows.values()] == [(10, 30), (20, 60), (50, 150)]


def test_a_list_is_paired_with_the_models_day_by_day():
    frame = past()
    keys = frame[["date", "symbol"]]
    best = keys.assign(place=frame["symbol"].map({"A": 1, "B": 2, "C": 3, "D": 4}))
    worst = keys.assign(place=frame["symbol"].map({"C": 2, "D": 1})).dropna()
    half = worst.loc[worst["date"] >= sessions(DAYS)[20]]
    rows = lists.lists(frame, {"model": best, "value": half}, FREE)
    assert rows["model"]["net_excess_pct"]["mean"] == pytest.approx(0.02 * 2500)
    assert rows["model"]["sessions"] == 60
    assert rows["model"]["shares"] == 4
    assert "paired" not in rows["model"]
    value = rows["value"]
    # Two places of the rule's two: full until one share is left.
    assert value["full_sessions"] == 40
    fewer = lists.lists(frame, {"value": half.loc[(half["symbol"] == "C") | (half["date"] > sessions(DAYS)[29])]}, FREE)
    assert (fewer["value"]["sessions"], fewer["value"]["full_sessions"]) == (40, 30)
    assert (value["sessions"], value["first"]) == (40, sessions(DAYS)[20].date().isoformat())
    assert value["net_excess_pct"]["mean"] == pytest.approx(-0.02 * 2500)
    assert value["paired"]["mean"] == pytest.approx(-0.04 * 2500)
    assert value["paired"]["days"] == 40


def test_a_list_without_any_place_has_no_figures():
    frame = past()
    none = frame[["date", "symbol"]].iloc[:0].assign(place=pd.Series(dtype=float))
    row = lists.lists(frame, {"model": none}, FREE)["model"]
    assert row["sessions"] == 0
    assert row["first"] is None
    assert row["net_excess_pct"]["mean"] is None
    assert row["shares"] is None
