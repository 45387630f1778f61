"""Point-in-time price factors: which corporate actions were known on a day, and what they do to earlier prices.

The back-adjusted price of a day is ``raw * factor``, the back-adjusted volume ``volume / factor``, where the factor is
the product over all events with a later ex-date. Only events whose ex-date has come and that were known on the day
asked for take part, so the same call with an earlier day gives what the system knew then.
"""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

# An official event within so many calendar days of an inferred one is taken for the same event (about five sessions).
SAME_EVENT_DAYS = 7

_DAY = np.timedelta64(1, "D")


def effective_events(events: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Select the events that act on prices as known at the close of a day.

    Parameters
    ----------
    events
        Event frame.
    as_of
        Day of knowledge.

    Returns
    -------
    DataFrame
        Event frame: ex-date and known-on not after ``as_of``, a usable factor, not rejected by then, and no inferred
        event beside an official one of the same symbol within ``SAME_EVENT_DAYS``.

    Notes
    -----
    Point in time: an inferred event that was contradicted later (``evidence["rejected_on"]``) still counts before
    that day, as it did on the night itself.
    """
    day = pd.Timestamp(as_of)
    usable = events["factor"].gt(0) & np.isfinite(events["factor"]) & events["factor"].ne(1)
    known = events.loc[usable & (events["ex_date"] <= day) & (events["known_on"] <= day)]
    known = known.loc[_not_rejected(known, day)]
    guessed = known["status"].isin(("inferred", "confirmed"))
    if not guessed.any() or guessed.all():
        return known.reset_index(drop=True)
    superseded = _beside_official(known.loc[guessed], known.loc[~guessed])
    return known.drop(index=superseded).reset_index(drop=True)


def _not_rejected(events: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    live = events["status"].ne("rejected")
    for index in events.index[~live]:
        evidence = events.at[index, "evidence"]
        rejected_on = evidence.get("rejected_on") if isinstance(evidence, dict) else None
        if rejected_on is not None and pd.Timestamp(rejected_on) > day:
            live.at[index] = True
    return live


def _beside_official(guessed: pd.DataFrame, official: pd.DataFrame) -> pd.Index:
    """Index labels of guessed events that an official event of the same symbol replaces."""
    pairs = guessed.reset_index().merge(official[["symbol", "ex_date"]], on="symbol", suffixes=("", "_official"))
    near = (pairs["ex_date"] - pairs["ex_date_official"]).abs() <= SAME_EVENT_DAYS * _DAY
    return pd.Index(pairs.loc[near, "index"].unique())


def adjusted(bars: pd.DataFrame, events: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Attach to each bar the factor that makes its prices comparable with those of ``as_of``.

    Parameters
    ----------
    bars
        Bar frame, one row per (symbol, date); any order of rows.
    events
        Event frame.
    as_of
        Day of knowledge.

    Returns
    -------
    DataFrame
        Adjusted frame: the same rows, order and index, prices in raw ₹, with one more column ``factor``
        (plain, product over events with ex-date after the bar's date; 1 where there is none).

    Notes
    -----
    Point in time: uses events with ex-date and known-on at or before ``as_of`` alone. An event whose ex-date falls
    into a gap acts on all rows before the gap. Bars themselves are not cut off: pass those of the day of knowledge.
    """
    known = effective_events(events, as_of)
    return bars.assign(factor=_factors(bars, known))


def _factors(bars: pd.DataFrame, known: pd.DataFrame) -> npt.NDArray[np.float64]:
    factors = np.ones(len(bars))
    if known.empty or bars.empty:
        return factors
    known = known.sort_values(["symbol", "ex_date"], kind="stable")
    symbols = pd.Index(known["symbol"].unique())
    # One sorted number per (symbol, day): the events after a bar are then found by one binary search for all bars.
    event_key = symbols.get_indexer(known["symbol"]) * 10**6 + _day_number(known["ex_date"])
    from_here_on = known.iloc[::-1].groupby("symbol", sort=False)["factor"].cumprod().iloc[::-1].to_numpy()
    touched = np.flatnonzero(bars["symbol"].isin(symbols).to_numpy())
    of_symbol = symbols.get_indexer(bars["symbol"].iloc[touched])
    position = np.searchsorted(
        event_key,
        of_symbol * 10**6 + _day_number(bars["date"].iloc[touched]),
        side="right",
    )
    inside = position < len(event_key)
    inside[inside] = event_key[position[inside]] // 10**6 == of_symbol[inside]
    factors[touched[inside]] = from_here_on[position[inside]]
    return factors


def _day_number(dates: pd.Series) -> npt.NDArray[np.int64]:
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def adj_close(adjusted_bars: pd.DataFrame) -> pd.Series:
    """Close of each row adjusted for later splits and bonuses.

    Parameters
    ----------
    adjusted_bars
        Adjusted frame.

    Returns
    -------
    Series
        ₹ of the day of knowledge, same index; ``close * factor``.
    """
    return (adjusted_bars["close"] * adjusted_bars["factor"]).rename("adj_close")
