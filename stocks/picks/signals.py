"""Trading signals of a pick: recommendation, target and stop; pure.

* Target: price × (1 + predicted return), rounded to the tick.
* Stop: the price less twice the ATR or less the predicted drawdown, whichever is farther, rounded down to the tick:
  a smaller distance would be reached by ordinary moves, or by the fall that is expected anyway. Always below the price;
  NULL where neither is known.
* Recommendation, from the score, confidence, risk and expected return of the model:
  STRONG_BUY score > 0.7, confidence > 0.7, risk < 0.3; BUY score >= 0.5, risk <= 0.5; both only if the expected return
  exceeds the costs of a round trip; AVOID score < 0.4 and risk > 0.5; HOLD otherwise.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

# Percent of the traded value, for buying and selling once with delivery: securities transaction tax 0.1 + 0.1, stamp
# duty 0.015, exchange and regulator 0.006, tax on these 0.001, and 0.08 for the spread of a liquid share. Discount
# brokers charge no brokerage on delivery.
ROUND_TRIP_COST_PCT = 0.30
ATR_MULTIPLE = 2.0
# Coarsest tick of the exchange up to each price. Multiples of a coarse tick are multiples of the finer ones too, so a
# price stays valid when the exchange refines a share's tick from one month to the next.
_TICK_UP_TO = ((1_000.0, 0.05), (5_000.0, 0.10), (10_000.0, 0.50), (20_000.0, 1.0), (np.inf, 5.0))

Floats = npt.NDArray[np.float64]


def tick(price: Floats) -> Floats:
    """Smallest step of a price in ₹."""
    bounds = np.array([bound for bound, _ in _TICK_UP_TO])
    steps = np.array([step for _, step in _TICK_UP_TO])
    return steps[np.searchsorted(bounds, np.nan_to_num(price), side="left")]


def target_price(picks: pd.DataFrame) -> pd.Series:
    """Target in ₹, rounded to the tick; columns current_price (₹), predicted_return (percent)."""
    exact = (picks["current_price"] * (1 + picks["predicted_return"] / 100)).to_numpy(dtype=np.float64)
    step = tick(exact)
    return pd.Series(np.round(np.round(exact / step) * step, 2), index=picks.index)


def stop_loss(picks: pd.DataFrame) -> pd.Series:
    """Stop in ₹, below the price; columns current_price, atr_14 (₹), predicted_drawdown (percent below the entry)."""
    price = picks["current_price"].to_numpy(dtype=np.float64)
    noise = ATR_MULTIPLE * picks["atr_14"].to_numpy(dtype=np.float64)
    expected = price * picks["predicted_drawdown"].to_numpy(dtype=np.float64) / 100
    exact = price - np.fmax(noise, expected)
    step = tick(price)
    # The epsilon keeps a price that is on the grid from being floored off it by rounding errors.
    stop = np.round(np.floor(exact / step + 1e-9) * step, 2)
    stop = np.where(stop >= price, np.round(np.ceil(price / step - 1e-9) * step - step, 2), stop)
    return pd.Series(np.where(stop > 0, stop, np.nan), index=picks.index)


def recommendation(picks: pd.DataFrame) -> pd.Series:
    """STRONG_BUY, BUY, HOLD or AVOID, from the columns ml_* (0-1) and predicted_return (percent)."""
    score, risk = picks["ml_prediction_score"], picks["ml_risk_score"]
    worth = picks["predicted_return"] > ROUND_TRIP_COST_PCT
    strong = worth & (score > 0.7) & (picks["ml_confidence"] > 0.7) & (risk < 0.3)
    buy = worth & (score >= 0.5) & (risk <= 0.5)
    avoid = (score < 0.4) & (risk > 0.5)
    labels = np.select([strong, buy, avoid], ["STRONG_BUY", "BUY", "AVOID"], default="HOLD")
    return pd.Series(labels, index=picks.index, dtype=object)
