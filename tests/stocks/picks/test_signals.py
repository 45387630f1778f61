"""Expected entry, price expected, target, stop, reward to risk, recommendation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.picks.signals import Terms, signals, tick

TERMS = Terms(target_probability=0.5, stop_probability=0.2, least_reward_to_risk=0.5)
GOOD = {
    "current_price": 100.0,
    "entry_step": 0.0025,
    "high_level": 0.04,
    "low_level": -0.05,
    "predicted_return": 2.0,
    "round_trip_cost_pct": 0.45,
    "ml_prediction_score": 0.8,
    "ml_confidence": 0.8,
    "ml_risk_score": 0.2,
}


def of(**figures):
    """The signals of one share."""
    [row] = signals(pd.DataFrame([GOOD | figures]), TERMS).to_dict("records")
    return row


def test_signals_by_hand():
    """Entry 100.25; target 104.26 to the tick; stop 95.2375 down to the tick; 4.00 up over 5.05 down."""
    assert of() == {
        "expected_entry": pytest.approx(100.25),
        "ml_price_target": pytest.approx(102.255),
        "target_price": 104.25,
        "stop_loss": 95.2,
        "target_probability": 0.5,
        "stop_probability": 0.2,
        "reward_to_risk": pytest.approx(4.0 / 5.05),
        "recommendation": "STRONG_BUY",
    }


def test_what_the_market_brings_is_added_to_the_excess():
    row = signals(pd.DataFrame([GOOD]), TERMS, market_return_pct=0.5).iloc[0]
    assert row["ml_price_target"] == pytest.approx(100.25 * 1.025)
    assert row["recommendation"] == "STRONG_BUY"


@pytest.mark.parametrize(
    ("figures", "label"),
    [
        ({"ml_confidence": 0.7}, "BUY"),
        ({"ml_confidence": np.nan}, "BUY"),
        ({"ml_risk_score": 0.3}, "BUY"),
        ({"ml_prediction_score": 0.7}, "BUY"),
        ({"ml_prediction_score": 0.49}, "HOLD"),
        ({"ml_risk_score": 0.51}, "HOLD"),
        ({"predicted_return": 0.45}, "HOLD"),
        ({"predicted_return": 0.46}, "STRONG_BUY"),
        ({"predicted_return": np.nan}, "HOLD"),
        ({"round_trip_cost_pct": 2.0}, "HOLD"),
        ({"round_trip_cost_pct": np.nan}, "HOLD"),
        # The target 2.50 above the entry of 100.25, the stop 5.05 below: just under one half.
        ({"high_level": 0.025}, "BUY"),
        # 2.55 above.
        ({"high_level": 0.0255}, "STRONG_BUY"),
        ({"high_level": np.nan}, "BUY"),
        ({"low_level": np.nan}, "BUY"),
        ({"entry_step": np.nan}, "BUY"),
        ({"ml_prediction_score": 0.39, "ml_risk_score": 0.51}, "AVOID"),
        ({"ml_prediction_score": 0.39, "ml_risk_score": 0.5}, "HOLD"),
    ],
)
def test_recommendations(figures, label):
    assert of(**figures)["recommendation"] == label


@pytest.mark.parametrize(
    ("close", "level", "target"),
    [
        (100.0, 0.02, 102.0),
        (99.97, 0.0123, 101.2),
        (1234.5, 0.01, 1246.8),
        (7000.0, 0.01004, 7070.5),
        (100.0, np.nan, np.nan),
    ],
)
def test_targets_are_multiples_of_the_tick(close, level, target):
    row = of(current_price=close, entry_step=0.0, high_level=level)
    assert row["target_price"] == pytest.approx(target, abs=1e-9, nan_ok=True)
    assert np.isnan(row["target_probability"]) == np.isnan(row["reward_to_risk"]) == np.isnan(target)


@pytest.mark.parametrize(
    ("figures", "stop"),
    [
        ({"low_level": -0.04}, 96.0),
        ({"low_level": -0.0652}, 93.45),
        ({"low_level": 0.0}, 99.95),
        ({"low_level": -0.001, "entry_step": -0.01}, 98.9),
        ({"low_level": -0.001, "entry_step": 0.01}, 99.95),
        ({"low_level": -1.0}, np.nan),
        ({"low_level": np.nan}, np.nan),
        ({"entry_step": np.nan}, np.nan),
    ],
)
def test_stops_lie_at_their_level_below_close_and_entry(figures, stop):
    row = of(**{"entry_step": 0.0} | figures)
    assert row["stop_loss"] == pytest.approx(stop, nan_ok=True)
    assert np.isnan(row["stop_probability"]) == np.isnan(stop)


@pytest.mark.parametrize(
    ("figures", "sentence"), [({"high_level": -0.01}, r"it is -0\.01"), ({"low_level": 0.05}, r"it is 0\.05")]
)
def test_levels_on_the_wrong_side_of_the_entry_are_refused(figures, sentence):
    with pytest.raises(ValueError, match=sentence):
        of(**figures)


FRAMES = st.lists(
    st.fixed_dictionaries(
        {
            "current_price": st.floats(0.5, 90_000).map(lambda price: round(price, 2)),
            "entry_step": st.floats(-0.05, 0.05) | st.just(np.nan),
            "high_level": st.floats(0, 1) | st.just(np.nan),
            "low_level": st.floats(-1.5, 0) | st.just(np.nan),
            # Mostly what the model likes best: only then does the reward decide.
            "predicted_return": st.just(2.0) | st.floats(-5, 10) | st.just(np.nan),
            "round_trip_cost_pct": st.just(0.45) | st.floats(0.2, 1) | st.just(np.nan),
            "ml_prediction_score": st.just(0.9) | st.floats(0, 1) | st.just(np.nan),
            "ml_confidence": st.just(0.9) | st.floats(0, 1) | st.just(np.nan),
            "ml_risk_score": st.just(0.1) | st.floats(0, 1) | st.just(np.nan),
        }
    ),
    min_size=1,
    max_size=20,
).map(pd.DataFrame)


@given(FRAMES, st.floats(0.2, 2))
def test_no_strong_buy_risks_more_than_its_reward_allows(shares, least):
    """With the lowest limit a stop is at most five times as far from the entry as the target."""
    rows = shares.join(signals(shares, Terms(0.5, 0.2, least)))
    strong = rows.loc[rows["recommendation"] == "STRONG_BUY"]
    reward, risk = strong["target_price"] - strong["expected_entry"], strong["expected_entry"] - strong["stop_loss"]
    assert (reward >= least * risk * (1 - 1e-9)).all()
    assert (risk <= 5.001 * reward).all()
    bought = rows.loc[rows["recommendation"].isin(["STRONG_BUY", "BUY"])]
    assert (bought["predicted_return"] > bought["round_trip_cost_pct"]).all()


@given(FRAMES)
def test_a_stop_is_between_zero_and_the_price(shares):
    rows = shares.join(signals(shares, TERMS)).dropna(subset="stop_loss")
    assert rows["stop_loss"].gt(0).all()
    assert (rows["stop_loss"] < rows[["current_price", "expected_entry"]].min(axis=1)).all()


@given(FRAMES)
def test_levels_are_ticks_at_most_one_step_from_their_exact_price(shares):
    rows = shares.join(signals(shares, TERMS))
    exact = rows["expected_entry"] * (1 + rows["high_level"])
    steps = rows["target_price"] / tick(exact.to_numpy())
    known = rows["target_price"].notna()
    assert np.allclose(steps[known], steps[known].round())
    assert ((rows["target_price"] - exact).abs()[known] <= tick(exact.to_numpy())[known] / 2 + 1e-6).all()
    exact = rows["expected_entry"] * (1 + rows["low_level"])
    assert (rows["stop_loss"].dropna() <= exact[rows["stop_loss"].notna()] + 1e-6).all()


def test_ticks():
    assert tick(np.array([20.0, 999.0, 1000.0, 1000.1, 4000.0, 7000.0, 15000.0, 90000.0])).tolist() == [
        0.05,
        0.05,
        0.05,
        0.1,
        0.1,
        0.5,
        1.0,
        5.0,
    ]
