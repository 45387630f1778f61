"""Thresholds, scores, ranks, and the reason of a pick."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stocks.picks.screening import (
    KEEP_RANK,
    MAX_PICKS,
    MODEL_COLUMNS,
    STRATEGIES,
    load_filters,
    passing,
    ranked,
    scores,
    thresholds_of,
)

FILTERS = load_filters(Path(__file__).parents[3] / "config" / "stock_filters.yaml", {})
GOOD = {
    "current_price": 200.0,
    "market_cap": 5000.0,
    "volume": 500_000,
    "rsi_14": 55.0,
    "macd": 1.0,
    "macd_histogram": 0.5,
    "sma_50": 190.0,
    "sma_200": 170.0,
    "pe_ratio": 15.0,
    "roe": 18.0,
    "debt_to_equity": 0.3,
    "earnings_growth": 20.0,
    "revenue_growth": 15.0,
    "historical_volatility_1y": 30.0,
    "ml_prediction_score": 0.8,
    "ml_confidence": 0.75,
    "ml_risk_score": 0.2,
    "predicted_return": 1.5,
    "predicted_drawdown": 4.0,
    "round_trip_cost_pct": 0.45,
}


def day(*rows):
    return pd.DataFrame([{"symbol": f"S{number}"} | GOOD | row for number, row in enumerate(rows)])


def market(count, seed=7):
    """A day of shares whose figures are drawn independently."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame([GOOD] * count)
    frame["symbol"] = [f"S{number:04d}" for number in range(count)]
    for column, low, high in (
        ("pe_ratio", 5, 60),
        ("roe", 5, 40),
        ("debt_to_equity", 0, 2.5),
        ("earnings_growth", -50, 100),
        ("revenue_growth", -30, 60),
        ("historical_volatility_1y", 15, 80),
        ("rsi_14", 25, 90),
        ("sma_50", 150, 250),
        ("sma_200", 120, 280),
        ("macd_histogram", -5, 5),
        ("ml_confidence", 0, 1),
        ("ml_risk_score", 0, 1),
        ("predicted_return", -1, 3),
    ):
        frame[column] = draw.uniform(low, high, count)
    frame["ml_prediction_score"] = (draw.permutation(count) + 1) / count
    return frame


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_sum_to_one_and_scores_lie_between_0_and_1(strategy):
    assert sum(weight for weight, _ in STRATEGIES[strategy].parts.values()) == pytest.approx(1.0)
    score, _ = scores(market(300), strategy)
    assert score.between(0, 1).all()


@pytest.mark.parametrize(
    ("figures", "failure"),
    [
        ({"current_price": 49.95}, "min_price 50"),
        ({"current_price": 5001.0}, "max_price 5000"),
        ({"market_cap": 499.0}, "min_market_cap_crores 500"),
        ({"volume": 99_999}, "min_volume 100000"),
        ({"rsi_14": 71.0}, "max_rsi 70"),
        ({"macd": -51.0}, "min_macd -50"),
        ({"pe_ratio": 51.0}, "max_pe_ratio 50"),
        ({"roe": 9.0}, "min_roe 10"),
        ({"debt_to_equity": 2.1}, "max_debt_to_equity 2"),
        ({"ml_prediction_score": 0.49}, "min_ml_prediction_score 0.5"),
        ({"ml_risk_score": 0.51}, "max_ml_risk_score 0.5"),
        ({"ml_risk_score": None}, "no risk score"),
        ({"roe": 9.0, "rsi_14": 20.0}, "min_rsi 30, min_roe 10"),
    ],
)
def test_each_failed_threshold_is_named(figures, failure):
    screened = passing(day({}, figures), FILTERS, "balanced")
    assert screened.passes.tolist() == [True, False]
    assert screened.failures.tolist() == ["", failure]
    assert set(screened.counts) == set(failure.split(", "))


def test_values_equal_to_a_threshold_pass():
    row = {"current_price": 50.0, "market_cap": 500.0, "rsi_14": 70.0, "roe": 10.0, "ml_prediction_score": 0.5}
    assert passing(day(row), FILTERS, "balanced").passes.all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_before_the_model_all_thresholds_but_its_scores_apply(strategy):
    rows = market(300).assign(ml_prediction_score=1.0, ml_risk_score=0.0)
    rows.loc[::7, "pe_ratio"] = np.nan
    best, before = passing(rows, FILTERS, strategy), rows.drop(columns=list(MODEL_COLUMNS))
    screened = passing(before, FILTERS, strategy, without=MODEL_COLUMNS)
    assert screened.counts == best.counts
    for column in ("passes", "failures", "skipped"):
        assert getattr(screened, column).tolist() == getattr(best, column).tolist()
    if STRATEGIES[strategy].thresholds:
        assert 0 < screened.passes.sum() < 300


@pytest.mark.parametrize(
    ("strategy", "column"),
    [
        ("growth", "earnings_growth"),
        ("growth", "revenue_growth"),
        ("growth", "roe"),
        ("value", "pe_ratio"),
        ("value", "roe"),
        ("value", "debt_to_equity"),
    ],
)
def test_growth_and_value_require_their_inputs(strategy, column):
    screened = passing(day({column: None}), FILTERS, strategy)
    assert not screened.passes.any()
    assert screened.failures.item().startswith("no ")


def test_the_models_own_list_takes_the_best_predictions_whatever_the_share_fails_elsewhere():
    bad = {"roe": 1.0, "rsi_14": 99.0, "pe_ratio": None, "market_cap": 10.0, "volume": 1, "ml_risk_score": 0.95}
    frame = day({"ml_prediction_score": 0.3}, bad | {"ml_prediction_score": 0.9}, {"ml_prediction_score": 0.6})
    ranking = ranked(frame, "model", FILTERS)
    assert ranking.picks["symbol"].tolist() == ["S1", "S2", "S0"]
    assert ranking.picks["selection_score"].tolist() == [0.9, 0.6, 0.3]
    assert ranking.rejected == {}
    assert thresholds_of("model", FILTERS) == []
    assert "skipped" not in ranking.picks["reason"].iloc[0]


@pytest.mark.parametrize("strategy", ["balanced", "momentum"])
def test_balanced_and_momentum_skip_missing_figures_and_list_them(strategy):
    missing = dict.fromkeys(("pe_ratio", "roe", "debt_to_equity", "sma_200", "historical_volatility_1y"))
    ranking = ranked(day(missing), strategy, FILTERS)
    reason = ranking.picks["reason"].item()
    part = "low volatility" if strategy == "balanced" else "price over SMA 200"
    assert f"Not known and skipped: P/E, return on equity, debt to equity, {part}." in reason
    assert ranking.picks["selection_score"].notna().all()


def test_scores_by_hand():
    frame = day({"ml_prediction_score": 1.0}, {"ml_prediction_score": 0.5, "historical_volatility_1y": 20.0})
    score, parts = scores(frame, "balanced")
    # low volatility ranks 1/2 and 2/2; safety .8, confidence .75
    assert score.tolist() == pytest.approx([0.45 + 0.2 + 0.1125 + 0.075, 0.225 + 0.2 + 0.1125 + 0.15])
    assert parts["low volatility"].tolist() == [0.5, 1.0]
    score, _ = scores(day({"historical_volatility_1y": None}), "balanced")
    assert score.item() == pytest.approx((0.45 * 0.8 + 0.25 * 0.8 + 0.15 * 0.75) / 0.85)


def test_the_best_come_first_up_to_the_limit():
    ranking = ranked(market(2000), "balanced", FILTERS)
    picks = ranking.picks
    assert len(picks) == MAX_PICKS
    assert picks["rank"].tolist() == list(range(1, MAX_PICKS + 1))
    assert picks["selection_score"].is_monotonic_decreasing
    assert ranking.summary == ""
    assert ranking.considered == 2000
    assert ranking.passed > MAX_PICKS


def test_ties_go_by_prediction_then_symbol():
    picks = ranked(day({}, {}, {}), "balanced", FILTERS).picks
    assert picks["symbol"].tolist() == ["S0", "S1", "S2"]


def test_two_strategies_share_less_than_three_fifths_of_their_lists():
    lists = {name: set(ranked(market(2000), name, FILTERS).picks["symbol"]) for name in STRATEGIES}
    for first, second in combinations(lists, 2):
        assert len(lists[first] & lists[second]) < 0.6 * MAX_PICKS, (first, second)


@pytest.mark.parametrize("keep_rank", [KEEP_RANK, 60])
def test_a_held_share_stays_until_it_falls_below_the_keep_band(keep_rank):
    frame = market(2000)
    everyone = ranked(frame, "balanced", FILTERS, limit=10_000).picks["symbol"].tolist()
    held = {everyone[keep_rank - 1], everyone[keep_rank], everyone[0]}
    picks = ranked(frame, "balanced", FILTERS, held, keep_rank=keep_rank).picks
    assert len(picks) == MAX_PICKS
    assert picks["symbol"].iloc[-1] == everyone[keep_rank - 1]
    assert everyone[keep_rank] not in set(picks["symbol"])
    assert set(picks["symbol"].iloc[:-1]) == set(everyone[: MAX_PICKS - 1])
    reasons = picks.set_index("symbol")["reason"]
    beyond = f"Kept from the list before, stays until it falls below place {keep_rank}."
    assert beyond in reasons[everyone[keep_rank - 1]]
    assert "Kept from the list before." in reasons[everyone[0]]
    assert "Kept" not in reasons[everyone[1]]


def test_a_held_share_that_fails_a_threshold_leaves():
    frame = day({}, {"ml_risk_score": 0.9})
    assert ranked(frame, "balanced", FILTERS, {"S1"}).picks["symbol"].tolist() == ["S0"]


def test_a_short_list_states_its_reason():
    ranking = ranked(day({}, {"roe": 1.0}, {"roe": 2.0, "rsi_14": 99.0}), "balanced", FILTERS)
    assert ranking.summary == "1 of 3 tradable shares passed (failed: 2 at min_roe 10; 1 at max_rsi 70)."


def test_without_passing_shares_the_list_is_empty_with_all_columns():
    ranking = ranked(day({"roe": 1.0}), "balanced", FILTERS)
    assert ranking.picks.empty
    for column in ("selection_score", "rank", "score_parts", "reason"):
        assert column in ranking.picks
    assert ranked(day({}).iloc[:0], "balanced", FILTERS).passed == 0


def test_the_reason_states_place_score_parts_and_costs():
    reason = ranked(day({}), "value", FILTERS).picks["reason"].item()
    assert reason == (
        "Value (profitable companies at a low price with little debt): place 1 of 1 that passed, score 0.93 from"
        " prediction 0.80, low P/E 1.00, return on equity 1.00, low debt 1.00. Expected +1.50% against the average"
        " share in ten sessions, more than buying and selling it costs (0.45%)."
    )


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (
            {"predicted_return": 0.45},
            " Expected +0.45% against the average share in ten sessions, not more than buying and selling it costs"
            " (0.45%).",
        ),
        (
            {"round_trip_cost_pct": None},
            " Expected +1.50% against the average share in ten sessions; what buying and selling it costs is not"
            " known.",
        ),
        ({"predicted_return": None}, "low debt 1.00."),
    ],
)
def test_the_reason_compares_the_excess_with_the_costs(figures, sentence):
    assert ranked(day(figures), "value", FILTERS).picks["reason"].item().endswith(sentence)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_pick_keeps_the_parts_of_its_score(strategy):
    frame = market(300)
    picks = ranked(frame, strategy, FILTERS).picks
    _, parts = scores(frame, strategy)
    parts = parts.set_index(frame["symbol"])
    assert len(picks)
    for pick in picks.to_dict("records"):
        assert pick["score_parts"] == parts.loc[pick["symbol"]].to_dict()
        stated = ", ".join(f"{name} {value:.2f}" for name, value in pick["score_parts"].items())
        assert f"score {pick['selection_score']:.2f} from {stated}." in pick["reason"]


def test_an_unknown_part_is_not_stated():
    [pick] = ranked(day({"ml_confidence": np.nan}), "balanced", FILTERS).picks.to_dict("records")
    assert set(pick["score_parts"]) == {"prediction", "safety", "low volatility"}
    assert "confidence 0" not in pick["reason"]
    assert "Not known and skipped: confidence." in pick["reason"]


def test_a_drawdown_in_another_unit_is_rejected():
    with pytest.raises(ValueError, match=r"it is -0\.04"):
        ranked(day({"predicted_drawdown": -0.04}), "balanced", FILTERS)
