"""A small synthetic market for the tests of models: fast, with or without a signal."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ml.features.facts import facts
from ml.features.groups import GROUP_COLUMNS
from ml.features.registry import features
from ml.features.signals import Signals
from ml.learning.estimators import ESTIMATORS, Estimator
from ml.learning.labels import labels
from ml.learning.samples import Samples, samples
from ml.learning.walk_forward import SCORES


def sessions(count: int, start: str = "2023-01-02") -> pd.DatetimeIndex:

    return pd.bdate_range(start, periods=count)


def market(shares: int = 40, days: int = 420, seed: int = 1, signal: float = 0.0) -> pd.DataFrame:
    """Adjusted frame of a synthetic market; with a signal, a high delivered share is followed by rising prices.

    Each share's delivered share of the volume changes every 60 sessions; one standard deviation of it adds ``signal``
    to the log return of the following sessions.
    """
    random = np.random.default_rng(seed)
    dates = sessions(days)
    delivery = random.normal(size=(days // 60 + 1, shares)).repeat(60, axis=0)[:days]
    common = random.normal(scale=0.006, size=(days, 1))
    returns = common + random.normal(scale=0.015, size=(days, shares))
    returns[1:] += signal * delivery[:-1]
    close = 100 * random.lognormal(sigma=0.8, size=shares) * np.exp(np.cumsum(returns, axis=0))
    overnight = random.normal(scale=0.005, size=(days, shares))
    before = np.vstack([close[:1], close[:-1]])
    opened = before * np.exp(overnight)
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(scale=0.006, size=(days, shares))))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(scale=0.006, size=(days, shares))))
    volume = np.round(random.lognormal(mean=13, sigma=0.5, size=(days, shares)))
    delivered = np.round(
        volume * np.clip(0.5 + 0.1 * delivery + random.normal(scale=0.02, size=(days, shares)), 0.05, 0.95)
    )
    vwap = (high + low + close) / 3
    columns = {
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "prev_close": before,
        "last_price": close,
        "vwap": vwap,
        "volume": volume,
        "turnover_lakh": vwap * volume / 1e5,
        "trades": np.maximum(np.round(volume / 50), 1),
        "delivered_quantity": delivered,
    }
    frame = pd.DataFrame({name: values.T.ravel() for name, values in columns.items()})
    frame.insert(0, "symbol", np.repeat([f"S{number:03d}" for number in range(shares)], days))
    frame.insert(1, "date", np.tile(dates, shares))
    frame["series"] = "EQ"
    frame["factor"] = 1.0
    whole = {"volume": "int64", "trades": "Int64", "delivered_quantity": "Int64"}
    typed: pd.DataFrame = frame.astype({"symbol": "object", **whole})
    return typed


def without_bars(frame: pd.DataFrame, seed: int, share: float = 0.05) -> pd.DataFrame:
    """Drop bars at random: suspensions and days without a trade."""
    return frame.loc[np.random.default_rng(seed).random(len(frame)) >= share].reset_index(drop=True)


def garbled_after(frame: pd.DataFrame, day: pd.Timestamp, seed: int) -> pd.DataFrame:
    """Change every number after a day, drop some of those bars, and list a new share."""
    random = np.random.default_rng(seed)
    frame = frame.copy()
    later = (frame["date"] > day).to_numpy()
    scale = random.lognormal(sigma=1.0, size=int(later.sum()))
    for name in ("open", "high", "low", "close", "prev_close", "vwap", "turnover_lakh"):
        frame.loc[later, name] = frame.loc[later, name].to_numpy() * scale
    frame.loc[later, "volume"] = np.round(frame.loc[later, "volume"].to_numpy() * scale + 1).astype("int64")
    new_share = frame.loc[later & (frame["symbol"] == frame["symbol"].iloc[-1])].assign(symbol="AAA")
    thinned = frame.loc[~later | (random.random(len(frame)) > 0.2)]
    garbled: pd.DataFrame = pd.concat([thinned, new_share]).sort_values(["symbol", "date"], ignore_index=True)
    return garbled


def groups_of(frame: pd.DataFrame, seed: int = 1, unknown: float = 0.1) -> pd.DataFrame:
    """Two sectors and four industries, drawn for each symbol by its name alone; some have neither."""
    rows = []
    for symbol in sorted({*frame["symbol"], "AAA"}):
        random = np.random.default_rng([seed, *symbol.encode()])
        number = int(random.integers(4))
        known = random.random() >= unknown
        rows.append((symbol, f"Sector {number // 2}" if known else None, f"Industry {number}" if known else None))
    return pd.DataFrame(rows, columns=["symbol", "sector", "industry"])


def no_groups() -> pd.DataFrame:
    """Sectors and industries of no share."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in GROUP_COLUMNS})


def no_events() -> pd.DataFrame:
    return pd.DataFrame({"symbol": pd.Series(dtype=object), "ex_date": pd.Series(dtype="datetime64[ns]")})


def market_samples(shares: int = 40, days: int = 420, seed: int = 1, signal: float = 0.0) -> Samples:
    """Scale-free samples of a synthetic market, all bars tradable."""
    return samples_of(market(shares, days, seed, signal), sessions(days))


def samples_of(frame: pd.DataFrame, calendar: pd.DatetimeIndex) -> Samples:
    """Scale-free samples of all bars, tradable or not."""
    signals = Signals(frame, calendar, no_groups())
    outcomes = labels(frame, calendar, no_events())
    return samples(features(signals), outcomes, facts(signals).assign(tradable=True), calendar)


def tiny(name: str = "ensemble", size: float = 0.1) -> Estimator:
    """A registered estimator with few trees, so that tests of the machinery are fast."""
    return replace(ESTIMATORS[name].with_members(size=size), feature_set="scale_free")


def nothing_stored() -> pd.DataFrame:
    """No predictions of earlier nights."""
    return pd.DataFrame({"symbol": [], "date": pd.to_datetime([]), **{name: [] for name in SCORES}})
