"""Evidence of a session: its bars with each symbol's earlier bars, and everything else known by then; pure.

Point in time: `bars_with_past` looks back only, row by row, so a session's evidence does not depend on whether the
frame goes on after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

LOOKBACK_SESSIONS = 25
"""Sessions before the checked one that belong to its evidence."""

USUAL_ROWS = 10
REPEAT_SESSIONS = 5
"""A file is compared with those of so many earlier sessions."""

_PRICES = ("open", "high", "low", "close")
_PAST = ("close", "date", "ordinal", "volume", "adj_close")


@dataclass(frozen=True)
class Evidence:
    """Everything the checks of one session may use.

    - bars: its final bars with the columns of `bars_with_past`, and kind, first_seen (the symbol's first session) and
      factor (product of the events with this ex-date);
    - before: bars of the session just before, same columns; empty on the first session;
    - counts: number of final bars per session, ascending, this session last; up to ``LOOKBACK_SESSIONS`` before it;
    - totals: turnover per session in ₹ lakh, same index;
    - provisional: number of bars of the session that are not final;
    - loaded: sessions whose file was read, up to this one;
    - calendar: trading days, date → kind, including the published future;
    - known_until: the last day of that future without a gap;
    - indicators: rows of the session, with those of the session just before in columns ending in ``_before``;
    - metrics: rows of `stock_metrics` of the session with the exchange's and the screener's own figures; empty when
      none are stored;
    - events: those known by the session, under the symbols in use today;
    - jumps: symbols with an unexplained jump on the session.
    """

    session: date
    bars: pd.DataFrame
    before: pd.DataFrame
    counts: pd.Series
    totals: pd.Series
    provisional: int
    loaded: Sequence[date]
    calendar: dict[date, str]
    known_until: date
    indicators: pd.DataFrame
    metrics: pd.DataFrame
    events: pd.DataFrame
    jumps: frozenset[str]

    @property
    def traded(self) -> pd.DataFrame:
        return self.bars[self.bars["volume"] > 0]

    @property
    def adjacent(self) -> pd.DataFrame:
        """Bars of symbols that traded on the very session before."""
        return self.bars[self.bars["age"] == 1]


def bars_with_past(bars: pd.DataFrame, sessions: Sequence[date]) -> pd.DataFrame:
    """Return final bars, sorted by symbol and date, with columns about the previous ``LOOKBACK_SESSIONS`` sessions.

    `sessions` is every session of the calendar within their range and every date among them, ascending.

    `last_close`, `last_date`, `last_volume`, `last_adj_close`: of the symbol's previous bar; `age`: its distance in
    sessions; `identical`: number of directly preceding sessions, up to five, with the same four prices; `repeats`: how
    many sessions ago, up to five, prices and volume were the same (0: not); `usual_volume`, `usual_lot` (shares per
    trade), `usual_turnover` (₹ lakh): medians of the ten previous bars. NaN without a previous bar.
    """
    frame = bars.reset_index(drop=True)
    frame["ordinal"] = np.searchsorted(pd.DatetimeIndex(list(sessions)), frame["date"].to_numpy())
    frame["lot"] = frame["volume"].astype(float) / frame["trades"].astype("Float64").to_numpy(float, na_value=np.nan)
    groups = frame.groupby("symbol", sort=False)
    past = groups[list(_PAST)].shift()
    recent = frame["ordinal"] - past["ordinal"] <= LOOKBACK_SESSIONS
    for column in _PAST:
        frame[f"last_{column}"] = past[column].where(recent)
    frame["age"] = frame["ordinal"] - frame["last_ordinal"]
    same = (frame["age"] == 1) & (frame[list(_PRICES)] == groups[list(_PRICES)].shift()).all(axis=1)
    frame["identical"] = same.groupby((~same).cumsum(), sort=False).cumsum().astype(int).clip(upper=REPEAT_SESSIONS)
    frame["repeats"] = _repeats(frame)
    for column, name in (("volume", "usual_volume"), ("lot", "usual_lot"), ("turnover_lakh", "usual_turnover")):
        frame[name] = _usual(frame, column)
    return frame


def _repeats(frame: pd.DataFrame) -> pd.Series:
    columns = [*_PRICES, "volume"]
    groups = frame.groupby("symbol", sort=False)
    repeats = pd.Series(0, index=frame.index)
    for back in range(REPEAT_SESSIONS, 0, -1):
        same = (frame[columns] == groups[columns].shift(back)).all(axis=1)
        ago = frame["ordinal"] - groups["ordinal"].shift(back)
        repeats = repeats.mask(same & (ago <= REPEAT_SESSIONS), ago)
    return repeats.astype(int)


def _usual(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return the median of the symbol's ten previous bars, when all of them lie within the lookback."""
    median: pd.Series = frame[column].rolling(USUAL_ROWS).median().shift()
    first = frame.groupby("symbol", sort=False)["ordinal"].shift(USUAL_ROWS)
    return median.where(frame["ordinal"] - first <= LOOKBACK_SESSIONS)


def factors_on(bars: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Return the product of the factors with each bar's date as ex-date; 1 without any.

    The published previous close is unadjusted and must be multiplied by it. After a gap that close comes from the last
    session in another series, so only events of the day itself lie in between. `events` are those known by the bars'
    date, one per symbol and ex-date.
    """
    acting = events.loc[events["factor"].gt(0) & events["ex_date"].isin(bars["date"]), ["symbol", "ex_date", "factor"]]
    factors = acting.groupby(["symbol", "ex_date"])["factor"].prod()
    of_bars = factors.reindex(pd.MultiIndex.from_frame(bars[["symbol", "date"]])).to_numpy()
    return pd.Series(of_bars, index=bars.index, dtype=float).fillna(1.0)
