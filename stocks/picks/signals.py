"""Trading signals of a share: expected entry, price expected, target, stop, recommendation; pure.

All belong to one trade: bought at the open after the session, sold ten sessions later.

* Expected entry: the close times one plus the mean step to the next open.
* Price expected: the entry times one plus the expected absolute return, which is the expected excess plus what the
  market itself is expected to bring: 0, for nothing better than 0 was measured.
* Target and stop are levels with a measured chance: the highest high of the ten sessions reaches the target, and the
  lowest low undercuts the stop, with a stated probability. The target is rounded to the tick, the stop down to it and
  always below close and entry; NULL where the level is not known.
* Reward to risk: the way from the entry up to the target over the way down to the stop, as rounded.
* Recommendation, from score, confidence and risk of the model: STRONG_BUY score > 0.7, confidence > 0.7, risk < 0.3 and
  a reward to risk of at least a limit; BUY score >= 0.5, risk <= 0.5; both only if the expected excess exceeds what a
  round trip of this share costs; AVOID score < 0.4 and risk > 0.5; HOLD otherwise. A figure that is not known grants
  neither of the first two.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from stocks.universe import ticks

# Coarsest tick of the exchange up to each price. Multiples of a coarse tick are multiples of the finer ones too, so a
# price stays valid when the exchange refines a share's tick from one month to the next.
_TICK_UP_TO = tuple((float(bound), float(step)) for bound, step in ticks.FROM_250)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """Chances of target and stop, 0-1, and the reward to risk that a STRONG_BUY needs at least."""

    target_probability: float
    stop_probability: float
    least_reward_to_risk: float


def signals(shares: pd.DataFrame, terms: Terms, *, market_return_pct: float = 0.0) -> pd.DataFrame:
    """Signals of one session's shares.

    Parameters
    ----------
    shares
        current_price (₹); entry_step (next open over the close, less 1), high_level and low_level (over the entry, less
        1; the levels that `terms` speaks of), all plain; predicted_return (expected excess) and round_trip_cost_pct in
        percent; ml_prediction_score, ml_confidence, ml_risk_score 0-1. NaN where unknown.
    market_return_pct
        What the market is expected to bring in the ten sessions, percent.

    Returns
    -------
    DataFrame
        On the index given: expected_entry, ml_price_target, target_price, stop_loss (₹); target_probability,
        stop_probability (0-1, NaN without their level); reward_to_risk (ratio); recommendation.

    Raises
    ------
    ValueError
        A high_level below 0 or a low_level above 0: the entry itself is both reached and undercut by every trade.
    """
    _check_levels(shares)
    close = _floats(shares, "current_price")
    entry = close * (1 + _floats(shares, "entry_step"))
    target = _to_tick(entry * (1 + _floats(shares, "high_level")))
    stop = _stop(entry * (1 + _floats(shares, "low_level")), np.minimum(close, entry))
    columns = {
        "expected_entry": entry,
        "ml_price_target": entry * (1 + (_floats(shares, "predicted_return") + market_return_pct) / 100),
        "target_price": target,
        "stop_loss": stop,
        "target_probability": np.where(np.isnan(target), np.nan, terms.target_probability),
        "stop_probability": np.where(np.isnan(stop), np.nan, terms.stop_probability),
        "reward_to_risk": (target / entry - 1) / (1 - stop / entry),
    }
    frame = pd.DataFrame(columns, index=shares.index)
    return frame.assign(recommendation=_recommendation(shares, frame["reward_to_risk"], terms.least_reward_to_risk))


def tick(price: Floats) -> Floats:
    """Smallest step of a price in ₹."""
    bounds = np.array([bound for bound, _ in _TICK_UP_TO])
    steps = np.array([step for _, step in _TICK_UP_TO])
    return steps[np.searchsorted(bounds, np.nan_to_num(price), side="left")]


def _floats(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64)


def _check_levels(shares: pd.DataFrame) -> None:
    lowest, highest = shares["high_level"].min(), shares["low_level"].max()
    if lowest < 0:
        raise ValueError(f"high_level must be plain and at least 0, over the entry; it is {lowest:g}.")
    if highest > 0:
        raise ValueError(f"low_level must be plain and at most 0, under the entry; it is {highest:g}.")


def _to_tick(exact: Floats) -> Floats:
    step = tick(exact)
    return np.round(np.round(exact / step) * step, 2)


def _stop(exact: Floats, below: Floats) -> Floats:
    """The exact stop rounded down to the tick of the price that it lies below; NaN where nothing is left."""
    step = tick(below)
    # The epsilon keeps a price that is on the grid from being floored off it by rounding errors.
    stop = np.round(np.floor(exact / step + 1e-9) * step, 2)
    stop = np.where(stop >= below, np.round(np.ceil(below / step - 1e-9) * step - step, 2), stop)
    return np.where(stop > 0, stop, np.nan)


def _recommendation(shares: pd.DataFrame, reward_to_risk: pd.Series, least: float) -> pd.Series:
    score, risk = shares["ml_prediction_score"], shares["ml_risk_score"]
    worth = shares["predicted_return"] > shares["round_trip_cost_pct"]
    strong = worth & (score > 0.7) & (shares["ml_confidence"] > 0.7) & (risk < 0.3) & (reward_to_risk >= least)
    buy = worth & (score >= 0.5) & (risk <= 0.5)
    avoid = (score < 0.4) & (risk > 0.5)
    labels = np.select([strong, buy, avoid], ["STRONG_BUY", "BUY", "AVOID"], default="HOLD")
    return pd.Series(labels, index=shares.index, dtype=object)
