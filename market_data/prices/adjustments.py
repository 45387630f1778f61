"""Point-in-time price factors: which corporate actions were known on a day, and what they do to earlier prices.

The back-adjusted price of a day is ``raw * factor``, the back-adjusted volume ``volume / factor``, where the factor is
the product over all events with a later ex-date. Only events whose ex-date has come and that were known on the day
asked for take part, so the same call with an earlier day gives what the system knew then.

Official events are checked against the price on the ex-date. One that the price plainly contradicts (a postponed or
cancelled action, a wrong symbol) stays on record as official, but does not act: the prices show that the shares were
not divided, and acting would invent a jump. Its symbol is flagged by ``jumps.unexplained_jumps``.
"""

from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from market_data.prices.events import (
    BLOCKING_KINDS,
    EVENT_COLUMNS,
    FACTOR_KINDS,
    SAME_EVENT,
    SPECIAL_PREOPEN,
    typed_events,
)

# A price within this of the factor agrees: 20 % is the widest band, 1 % the rounding of the base price.
AGREES_WITHIN = 0.21
# Only a factor that stands out of a day's ordinary movement can be contradicted by it.
CONTRADICTABLE_FACTOR = 0.70


def effective_events(events: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Return the events (event frame) that act on prices as known at the close of a day.

    Returns
    -------
    DataFrame
        Event frame: ex-date and known-on not after ``as_of``, a usable factor, not rejected by then, not contradicted
        by the price, and no inferred event beside an official one of the same symbol within ``SAME_EVENT``; the
        measured ratio of an official demerger is that event's own, and stays.

    Notes
    -----
    Point in time: an inferred event that was contradicted later (``evidence["rejected_on"]``) still counts before
    that day, as it did on the night itself.
    """
    day = pd.Timestamp(as_of)
    usable = events["factor"].gt(0) & np.isfinite(events["factor"]) & events["factor"].ne(1)
    known = events[usable & (events["ex_date"] <= day) & (events["known_on"] <= day)]
    known = known[_not_rejected(known, day) & ~_contradicted(known)]
    inferred = known["status"].isin(("inferred", "confirmed")) & known["source"].ne(SPECIAL_PREOPEN)
    if not inferred.any() or inferred.all():
        return pd.DataFrame(known.reset_index(drop=True))
    superseded = _beside_official(known[inferred], known[~inferred])
    return pd.DataFrame(known.drop(index=superseded).reset_index(drop=True))


def _not_rejected(events: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """Whether each event was not rejected by the day; an undated rejection always holds."""
    rejected_on = pd.to_datetime(events["evidence"].map(lambda evidence: (evidence or {}).get("rejected_on")))
    return events["status"].ne("rejected") | rejected_on.gt(day)


def _contradicted(events: pd.DataFrame) -> pd.Series:
    """Whether the price of the ex-date denies each event; that price is known whenever the event can act."""
    return events["evidence"].map(lambda evidence: (evidence or {}).get("agrees") is False).astype(bool)


def _beside_official(inferred: pd.DataFrame, official: pd.DataFrame) -> list[int]:
    """Index labels of inferred events that an official event of the same symbol replaces."""
    pairs = inferred.reset_index().merge(official[["symbol", "ex_date"]], on="symbol", suffixes=("", "_official"))
    near = (pairs["ex_date"] - pairs["ex_date_official"]).abs() <= SAME_EVENT
    return [int(label) for label in pairs.loc[near, "index"].unique()]


def adjusted(bars: pd.DataFrame, events: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Attach to each bar (bar frame, any order of rows) the factor that makes it comparable with those of ``as_of``.

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
    return bars.assign(factor=_factors(bars, effective_events(events, as_of)))


def _factors(bars: pd.DataFrame, known: pd.DataFrame) -> npt.NDArray[np.float64]:
    factors = np.ones(len(bars))
    if known.empty or bars.empty:
        return factors
    known = known.sort_values(["symbol", "ex_date"], kind="stable")
    symbols = pd.Index(known["symbol"].unique())
    # One sorted number per (symbol, day): the events after a bar are then found by one binary search for all bars.
    event_key = symbols.get_indexer(known["symbol"]) * 10**6 + _day_number(known["ex_date"])
    from_here_on = known.iloc[::-1].groupby("symbol", sort=False)["factor"].cumprod().iloc[::-1].to_numpy()
    affected = np.flatnonzero(bars["symbol"].isin(symbols).to_numpy())
    of_symbol = symbols.get_indexer(bars["symbol"].iloc[affected])
    position = np.searchsorted(event_key, of_symbol * 10**6 + _day_number(bars["date"].iloc[affected]), side="right")
    inside = position < len(event_key)
    inside[inside] = event_key[position[inside]] // 10**6 == of_symbol[inside]
    factors[affected[inside]] = from_here_on[position[inside]]
    return factors


def _day_number(dates: pd.Series) -> npt.NDArray[np.int64]:
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def adj_close(adjusted_bars: pd.DataFrame) -> pd.Series:
    """Close of each row in ₹ of the day of knowledge, adjusted for later splits and bonuses; same index."""
    return (adjusted_bars["close"] * adjusted_bars["factor"]).rename("adj_close")


def checked_events(events: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """Hold the factor of each event against the price on its ex-date.

    Parameters
    ----------
    bars
        Bar frame (raw prices) with the ex-dates to check and at least one row of the symbol before each; events whose
        ex-date it does not reach are left as they are.

    Returns
    -------
    DataFrame
        Event frame, same rows; the evidence of official splits, bonuses and consolidations holds the result:
        ``agrees`` (True, False, or None where the price cannot tell) with ``reason`` and the measured ratios. All
        factors of one symbol and day are held against the price together. The status stays as it was.

    Notes
    -----
    Point in time: uses the bar of the ex-date and the row before it alone.
    """
    checkable = (
        events["status"].eq("official")
        & events["kind"].isin(FACTOR_KINDS)
        & events["factor"].gt(0)
        & events["ex_date"].between(bars["date"].min(), bars["date"].max())
    )
    if bars.empty or not checkable.any():
        return events
    official = events[checkable]
    of_symbols = bars[bars["symbol"].isin(official["symbol"])].sort_values(["symbol", "date"], kind="stable")
    of_symbols = of_symbols.assign(last_close=of_symbols.groupby("symbol")["close"].shift())
    joint = official.groupby(["symbol", "ex_date"], as_index=False)["factor"].prod()
    joint = joint.merge(of_symbols, left_on=["symbol", "ex_date"], right_on=["symbol", "date"], how="left")
    known_symbols = set(of_symbols["symbol"])
    results = {
        (row["symbol"], row["ex_date"]): _price_check(row, row["symbol"] in known_symbols)
        for _, row in joint.iterrows()
    }
    evidence: list[Any] = [
        {**(stored or {}), **results[(symbol, ex_date)]} if check else stored
        for check, stored, symbol, ex_date in zip(
            checkable, events["evidence"], events["symbol"], events["ex_date"], strict=True
        )
    ]
    return typed_events(events.assign(evidence=pd.Series(evidence, index=events.index, dtype=object)))


def _price_check(row: Mapping[Hashable, Any], has_bars: bool) -> dict[str, Any]:
    """Evidence from the bar of the ex-date for or against the factor of the day."""
    if pd.isna(row["open"]):
        reason = "not traded on the ex-date in this series" if has_bars else "no bars of this symbol"
        return {"agrees": None, "reason": reason}
    # Some vendors deliver a previous close that is already adjusted; the row before is certainly raw.
    base = row["last_close"] if abs(np.log(row["prev_close"] / row["last_close"])) > 0.005 else row["prev_close"]
    if pd.isna(base):
        base = row["prev_close"]
    opening, closing = float(row["open"] / base), float(row["close"] / base)
    measured = {"opening_ratio": round(opening, 5), "closing_ratio": round(closing, 5), "factor": float(row["factor"])}
    off = min(abs(opening / row["factor"] - 1), abs(closing / row["factor"] - 1))
    if off <= AGREES_WITHIN:
        return {"agrees": True, "reason": "opening or close within the band of the factor", **measured}
    size = abs(np.log(row["factor"]))
    unmoved = max(abs(np.log(opening)), abs(np.log(closing))) < size / 3
    if unmoved and size > abs(np.log(CONTRADICTABLE_FACTOR)):
        return {"agrees": False, "reason": "the price did not move by the factor", **measured}
    return {"agrees": None, "reason": "the price moved, but not by the factor", **measured}


def reconciled_events(stored: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """Settle inferred events by the official ones that arrived since.

    Returns
    -------
    DataFrame
        Event frame of both. An inferred event with official ones of its symbol within ``SAME_EVENT`` becomes
        ``confirmed`` when their factors agree within 1 %, else ``rejected`` with ``rejected_on`` in its evidence. The
        official rows carry the factor from then on (see ``effective_events``), so nothing counts twice. An official
        demerger of the day confirms an inferred one, whose ratio it does not tell, and rejects an inferred split; a
        rights issue or capital reduction rejects both.
    """
    inferred = stored[stored["status"].isin(("inferred", "confirmed", "rejected"))]
    settling = official["kind"].isin(BLOCKING_KINDS) | (official["kind"].isin(FACTOR_KINDS) & official["factor"].gt(0))
    settled = pd.DataFrame.from_records(
        [_settled(row, official[settling]) for row in inferred.to_dict("records")], columns=list(EVENT_COLUMNS)
    )
    return typed_events(pd.concat([frame for frame in (official, settled) if len(frame)] or [official]))


def _settled(row: dict[Hashable, Any], official: pd.DataFrame) -> dict[Hashable, Any]:
    """Settle one inferred event if an official one lies near."""
    if row["status"] != "inferred" or row["source"] == SPECIAL_PREOPEN:
        return row
    near = official[official["symbol"].eq(row["symbol"])]
    apart = (near["ex_date"] - row["ex_date"]).abs()
    priced = near[near["factor"].gt(0) & (apart <= SAME_EVENT)]
    if len(priced):
        near, agrees = priced, abs(float(priced["factor"].prod()) / row["factor"] - 1) <= 0.01
    else:
        near = near[apart.eq(pd.Timedelta(0))]
        agrees = row["kind"] == "demerger" and bool(near["kind"].eq("demerger").any())
    if near.empty:
        return row
    evidence = {
        **(row["evidence"] or {}),
        ("confirmed_on" if agrees else "rejected_on"): f"{near['known_on'].max():%Y-%m-%d}",
        "official_purpose": " + ".join(near["purpose"]),
    }
    return {**row, "status": "confirmed" if agrees else "rejected", "evidence": evidence}
