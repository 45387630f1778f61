import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import figures, report
from ml.evaluation.ablations import ablated, random_groups
from ml.evaluation.controls import Control, controls_row
from ml.evaluation.report import (
    PLAIN,
    Extras,
    PredictionStore,
    Span,
    Terms,
    span_of_tests,
    with_shuffled_outcomes,
)
from ml.evaluation.report_text import report_text
from ml.evaluation.rows import figures_row
from ml.features.registry import FEATURE_GROUPS
from ml.learning.learners import LEARNERS
from ml.learning.walk_forward import TooLittleHistory
from tests.ml.markets import market_samples, tiny

DAYS = 330
RULE = figures.cost_rule(pd.Timestamp("2025-07-01"))


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=60, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def span(data):
    return span_of_tests(data)


@pytest.fixture(scope="module")
def content(data, span):
    terms = Terms(data, span, RULE, PredictionStore(None))
    return report.report([(tiny("linear"), data)], terms, Extras(controls=4))


def test_testing_starts_with_half_of_a_short_history_and_ends_with_the_last_outcome(span):
    assert span == Span(DAYS // 2, DAYS - 1 - 11)


def test_a_day_without_enough_before_it_or_after_it_is_refused(data):
    assert span_of_tests(data, data.sessions[200]) == Span(200, DAYS - 12)
    assert span_of_tests(data, data.sessions[5]).first == DAYS // 2
    with pytest.raises(TooLittleHistory, match=f"No session from {data.sessions[-2].date()} on has enough"):
        span_of_tests(data, data.sessions[-2])


def test_the_model_finds_the_signal_and_the_controls_do_not(content):
    model, controls = content["rows"]["linear"], content["controls"]
    assert model["rank_ic"]["low_95"] > 0.05
    assert model["net_excess_pct"]["days"] == content["sessions"]
    assert len(controls["values"]) == 4
    assert abs(controls["mean"]) < model["rank_ic"]["mean"] / 3
    assert controls["passed_below"]


def test_the_report_is_plain_json_with_baselines_and_pairs(content):
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    kinds = {name: row["kind"] for name, row in content["rows"].items()}
    names = ("plain boosted", "momentum", "low_volatility", "high_52w", "equal weight")
    baselines = dict.fromkeys(names, "baseline")
    assert kinds == {"linear": "model", **baselines}
    pair = content["rows"]["linear"]["paired"]["rank_ic"]
    single = [content["rows"][name]["rank_ic"]["mean"] for name in ("linear", "plain boosted")]
    assert pair["mean"] == pytest.approx(single[0] - single[1])


def test_half_years_add_up_to_the_whole(content, data, span):
    past = report.baseline_past(data, "momentum", span)
    row = figures_row(past.assign(late_entry_return=past["forward_return"]), RULE, data.sessions)
    assert list(row["segments"]["half_year"]) == ["2023-II", "2024-I"]
    money = figures.daily_money(past, RULE)["net_excess"] * 2500
    first = data.sessions[money.index] < "2024-01-01"
    assert row["segments"]["half_year"]["2023-II"]["net_excess_pct"]["mean"] == pytest.approx(money[first].mean())
    assert row["net_excess_pct"]["mean"] == pytest.approx(money.mean())
    assert content["rows"]["momentum"]["by_year"] == row["by_year"]


def test_the_deepest_fall_by_hand():
    assert figures.deepest_fall_pct(pd.Series([0.1, -0.2, 0.05, -0.1, 0.9])) == pytest.approx(-2.5)
    assert figures.deepest_fall_pct(pd.Series([0.1, 0.2])) == 0
    assert figures.deepest_fall_pct(pd.Series(dtype=float)) is None


def test_shuffling_stays_within_the_day_and_keeps_outcomes_together(data):
    mixed = with_shuffled_outcomes(data, seed=1)
    assert mixed.values is data.values
    names = ["forward_return", "forward_return_5", "drawdown", "run_up", "exit_position"]
    for position in (100, 250):
        rows = data.position == position
        before, after = (part.keys.loc[rows, names].to_numpy() for part in (data, mixed))
        assert sorted(map(tuple, before)) == sorted(map(tuple, after))
    moved = (mixed.keys["forward_return"] != data.keys["forward_return"])[data.keys["forward_return"].notna()]
    assert moved.mean() > 0.9


def test_an_entry_is_computed_once_and_anew_for_other_data_or_another_recipe(data, tmp_path):
    store, span = PredictionStore(tmp_path), Span(200, 210)
    first = report.walk_forward_past(data, tiny("linear"), span, store)
    again = report.walk_forward_past(data, tiny("linear"), span, store)
    assert (store.computed, store.reused) == (1, 1)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    other = data.where(data.keys["symbol"].ne("S007").to_numpy())
    report.walk_forward_past(other, tiny("linear"), span, store)
    report.walk_forward_past(data, tiny("linear", size=0.2), span, store)
    report.walk_forward_past(data, tiny("linear"), span, store, shuffle=1)
    assert (store.computed, store.reused) == (4, 1)


def test_the_report_fits_on_one_screen(content):
    lines = report_text(content).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 160
    assert lines[0].startswith("Walk-forward 2023-08-21")
    assert "momentum" in report_text(content)
    assert "4 controls" in lines[-2]
    assert lines[-1].strip().startswith("net ")


def test_equal_weight_is_0_by_definition(content):
    row = content["rows"]["equal weight"]
    assert row["net_excess_pct"] == {"mean": 0.0, "low_90": 0.0, "high_90": 0.0, "days": content["sessions"]}
    assert row["rank_ic"]["mean"] is None
    assert "0 by definition" in row["note"]


def test_a_model_has_what_it_stated_and_every_section(content):
    row = content["rows"]["linear"]
    # Calibrated anew every 21 sessions, at first once 40 have had their outcome 11 sessions later: from the 64th on.
    assert row["expectations"]["sessions"] == content["sessions"] - 63
    assert set(row["lengths"]) == {"10", "20", "50"}
    assert row["lengths"]["50"]["net_excess_pct"] == row["net_excess_pct"]
    assert row["heads"]["rank"]["rank_ic"] == row["rank_ic"]
    assert row["stress"]["entry_late"]["net_excess_pct"]["mean"] is None  # no market was given
    assert content["exits"]["due"] > 5000


def test_pairs_have_the_window_of_choice_and_the_liquid_shares(content):
    pair = content["rows"]["linear"]["paired"]
    names = {"rank_ic", "liquid_rank_ic", "net_excess_pct", "liquid_net_excess_pct"}
    assert set(pair) == names | {"choice"}
    # All of these sessions lie before the end of the window.
    assert pair["choice"] == {name: pair[name] for name in names}


def test_each_group_of_features_is_left_out_once(data):
    left = ablated(data)
    groups = ("returns", "day", "risk", "levels", "liquidity", "delivery", "sector", "industry")
    assert set(left) == {"all features", "without peers", *(f"without {name}" for name in groups)}
    assert sum(60 - len(left[f"without {name}"]) for name in groups) == 60
    assert set(left["without peers"]) == set(report.OWN_FEATURES)


@pytest.mark.long
def test_what_carries_the_signal_is_missed(data, monkeypatch):
    few = {name: FEATURE_GROUPS[name] for name in ("delivery", "sector", "industry")}
    monkeypatch.setattr("ml.evaluation.ablations.FEATURE_GROUPS", few)
    terms = Terms(data, Span(220, 270), RULE, PredictionStore(None))
    content = report.report([(tiny("linear"), data)], terms, Extras(0, ablations=True, placebo=lambda: data))
    section = content["ablations"]
    rows = section["rows"]
    assert "without sector" in report_text(content)
    assert "random sectors" in rows
    assert rows["all features"]["features"] == 60
    assert "paired" not in rows["all features"]
    assert rows["without delivery"]["features"] == 56
    # The planted signal is in the delivered share; without it, only what it did to past returns is left.
    assert rows["all features"]["rank_ic"]["mean"] > 0.2
    assert rows["without delivery"]["paired"]["rank_ic"]["high_90"] < 0
    assert rows["without peers"]["features"] == 40
    assert "linear part" in section["note"]
    # The placebo's samples are the same here, so that it gains nothing.
    assert rows["random sectors"]["paired"]["rank_ic"]["mean"] == 0


def test_sectors_at_random_belong_to_the_same_shares_in_the_same_numbers():
    symbols = [f"S{number}" for number in range(40)]
    names = ["Iron"] * 30 + ["Salt"] * 5 + [None] * 5
    groups = pd.DataFrame({"symbol": symbols, "sector": names, "industry": names})
    drawn = random_groups(groups)
    assert set(drawn["symbol"]) == set(symbols[:35])
    assert drawn["sector"].value_counts().to_dict() == {"Iron": 30, "Salt": 5}
    assert (drawn["sector"] == drawn["industry"]).all()
    kept = drawn.merge(groups, on="symbol")
    assert 0 < (kept["sector_x"] != kept["sector_y"]).sum() <= 10


def test_the_plain_baseline_has_the_settings_that_were_agreed():
    [member] = PLAIN.members
    assert (member.target, member.every, member.kind.refit_sessions) == ("percentile", 2, 63)
    assert len(report.OWN_FEATURES) == 40
    settings = LEARNERS["plain boosted"].parameters
    agreed: dict[str, object] = {"num_leaves": 63, "learning_rate": 0.04, "min_data_in_leaf": 500, "lambda_l2": 10.0}
    agreed |= {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.6, "objective": "regression"}
    # Of the rest nothing but LightGBM's own, and what makes it repeatable.
    technical = {"deterministic": True, "force_col_wise": True, "num_threads": 1, "verbosity": -1}
    assert settings == agreed | technical | {"max_bin": 255, "extra_trees": False}


def control(rank_ic, low=-5.0):
    return Control(rank_ic, {"mean": low + 5, "low_90": low, "high_90": low + 10, "days": 100})


def test_the_summary_of_controls_by_hand():
    controls = controls_row([control(0.01), control(-0.01), control(0.03, low=-8)], model=0.02)
    assert controls["mean"] == pytest.approx(0.01)
    assert controls["standard_error"] == pytest.approx(0.02 / np.sqrt(3))
    assert controls["net_excess_pct"] == pytest.approx(-1)
    assert controls["passed_zero"]
    assert not controls["passed_below"]
    assert controls["passed_money"]
    assert not controls_row([control(0.03), control(0.031), control(0.029)], model=0.5)["passed_zero"]
    assert not controls_row([control(0.0), control(0.0, low=0.1)], model=0.5)["passed_money"]
    single = controls_row([control(0.01)], model=0.5)
    assert single["mean"] is None
    assert not single["passed_money"]


def test_a_control_that_knows_the_outcomes_earns(data, span):
    tested = data.between(span.first, span.last)
    past = report.baseline_past(data, "momentum", span)
    past["score"] = past["rank_score"] = tested.keys["forward_return"].to_numpy()
    leaking = Control.of(past, replace(RULE, places=5, keep_rank=5))
    assert leaking.rank_ic == pytest.approx(1)
    assert leaking.is_earning
