import json

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import figures, report
from ml.evaluation.report import PredictionStore, Span, report_text, span_of_tests, with_shuffled_outcomes
from ml.evaluation.rows import figures_row
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
    return report.report([(tiny("linear"), data)], span, RULE, PredictionStore(None), controls=4)


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
    baselines = dict.fromkeys(("plain boosted", "momentum", "low_volatility", "high_52w"), "baseline")
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
    assert "4 controls" in lines[-1]


def test_the_summary_of_controls_by_hand():
    controls = report.controls_row([0.01, -0.01, 0.03], model=0.02)
    assert controls["mean"] == pytest.approx(0.01)
    assert controls["standard_error"] == pytest.approx(0.02 / np.sqrt(3))
    assert controls["passed_zero"]
    assert not controls["passed_below"]
    assert not report.controls_row([0.03, 0.031, 0.029], model=0.5)["passed_zero"]
    assert report.controls_row([0.01], model=0.5)["mean"] is None
