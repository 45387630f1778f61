"""Proof of a split or bonus by the number of issued shares, when no list announces it.

A jump of the opening price alone may be a crash. When the company has ten times the shares afterwards, it was none. The
counts come from the exchange's market cap files, from statements or from a screener's market cap over its close; they
arrive days or months after the jump; the event counts as known from then on.
"""

import itertools
from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from market_data.prices.events import DETACHED, EVENT_COLUMNS, empty_events, typed_events
from market_data.prices.inference import DEEP_FACTORS, SHALLOW_FACTORS, likelier_kind
from market_data.prices.jumps import UNCONFIRMED_DEMERGER

# Two counts may lie a year apart, with small issues between them and rounding in statements. Ratios that lie close to
# each other, and that a large issue of new shares could feign, must be met closely.
COUNT_TOLERANCE = 0.06
CLOSE_COUNT_TOLERANCE = 0.02
# A rights issue raises the count too, but the price falls less: it pays for its shares.
PRICE_AGREES = (0.92, 1.13)
MAX_DAYS_AFTER = 180
# Bonus shares are issued some days after the ex-date: a count that has not changed by then never will for it.
ISSUED_WITHIN_DAYS = 7
SETTLED_BY_COUNTS = ("near_simple_ratio", "no_event", UNCONFIRMED_DEMERGER)
"""Reasons of jumps that a number of shares can explain."""


def settled_jumps(jumps: pd.DataFrame, share_counts: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Return inferred events for flagged jumps that the number of issued shares proves.

    Parameters
    ----------
    jumps
        Frame of ``unexplained_jumps``.
    share_counts
        Columns symbol, date (the day the count stands for), known_on, shares (issued), source: market cap files,
        statements, screeners' market cap over close.
    as_of
        Day of knowledge.

    Returns
    -------
    DataFrame
        Event frame, status ``inferred``, ex-date the jump's date, known-on the day the later count became known. One
        row per jump where the last count before and a count within ``MAX_DAYS_AFTER`` from the jump on are in a
        simple ratio that the price ratio confirms (``PRICE_AGREES``).

    Notes
    -----
    Point in time: counts with known-on after ``as_of`` are ignored, and the event acts only from the day both
    counts were known. A crash leaves the number of shares alone, so it is never settled this way.
    """
    counts = share_counts[(share_counts["known_on"] <= pd.Timestamp(as_of)) & share_counts["shares"].gt(0)]
    counts = counts.sort_values(["symbol", "date", "known_on"], kind="stable")
    by_symbol = {str(symbol): rows for symbol, rows in counts.groupby("symbol")}
    records: list[tuple[object, ...]] = []
    for jump in jumps[jumps["reason"].isin(SETTLED_BY_COUNTS)].to_dict("records"):
        of_symbol = by_symbol.get(jump["symbol"], counts.iloc[:0])
        before = of_symbol[of_symbol["date"] < jump["date"]].tail(1).to_dict("records")
        last_day = jump["date"] + pd.Timedelta(days=MAX_DAYS_AFTER)
        after = of_symbol[of_symbol["date"].between(jump["date"], last_day)].to_dict("records")
        proofs = (event for count in after if before and (event := _event_proven_by(jump, before[0], count)))
        records.extend(itertools.islice(proofs, 1))
    return typed_events(pd.DataFrame.from_records(records, columns=list(EVENT_COLUMNS))) if records else empty_events()


def _event_proven_by(
    jump: dict[Hashable, Any], before: dict[Hashable, Any], after: dict[Hashable, Any]
) -> tuple[object, ...] | None:
    """The event that two counts prove, as a row of an event frame; None if they prove none."""
    ratio = float(before["shares"] / after["shares"])
    fits = [f for f in DEEP_FACTORS if abs(ratio / f - 1) <= COUNT_TOLERANCE]
    fits += [f for f in SHALLOW_FACTORS if abs(ratio / f - 1) <= CLOSE_COUNT_TOLERANCE]
    if len(fits) != 1 or not PRICE_AGREES[0] <= jump["ratio"] / fits[0] <= PRICE_AGREES[1]:
        return None
    evidence = {
        "ground": "share_count",
        "opening_over_previous_close": round(float(jump["ratio"]), 5),
        "shares_before": float(before["shares"]),
        "shares_before_date": f"{before['date']:%Y-%m-%d}",
        "shares_before_source": str(before["source"]),
        "shares_after": float(after["shares"]),
        "shares_after_date": f"{after['date']:%Y-%m-%d}",
        "shares_after_source": str(after["source"]),
    }
    text = f"inferred from {1 / ratio:.4f} times the shares and an opening at {jump['ratio']:.4f} of the previous close"
    known_on = max(before["known_on"], after["known_on"], jump["date"])
    kind = likelier_kind(fits[0])
    return jump["symbol"], jump["date"], kind, fits[0], known_on, "inferred", text, "share_count", evidence


def counted_demergers(events: pd.DataFrame, share_counts: pd.DataFrame, as_of: date | pd.Timestamp) -> pd.DataFrame:
    """Settle the demergers that only an opening showed by the number of issued shares.

    Parameters
    ----------
    events
        Event frame, with the events that counts prove (``settled_jumps``).
    share_counts
        As for ``settled_jumps``.
    as_of
        Day of knowledge.

    Returns
    -------
    DataFrame
        Event frame, same rows. A demerger is ``confirmed`` (``confirmed_on`` in its evidence) by the first count of at
        least a week after it that equals the last one before it within ``CLOSE_COUNT_TOLERANCE``, and ``rejected``
        (``rejected_on``) where counts prove a split or bonus on its day.

    Notes
    -----
    Point in time: counts known by ``as_of`` alone; both dates are the day the later count became known.
    """
    proven = events[events["source"].eq("share_count") & events["status"].ne("rejected")]
    proven_on = proven.set_index(["symbol", "ex_date"])["known_on"].to_dict()
    open_ones = events["source"].eq(DETACHED) & events["status"].eq("inferred")
    known = share_counts[(share_counts["known_on"] <= pd.Timestamp(as_of)) & share_counts["shares"].gt(0)]
    status, evidence = events["status"].tolist(), events["evidence"].tolist()
    for place in np.flatnonzero(open_ones):
        event = events.iloc[place].to_dict()
        rejected_on = proven_on.get((event["symbol"], event["ex_date"]))
        confirmed_on = _unchanged_on(event, known[known["symbol"].eq(event["symbol"])])
        settled_on = rejected_on if rejected_on is not None else confirmed_on
        if settled_on is not None:
            status[place] = "confirmed" if rejected_on is None else "rejected"
            evidence[place] = {**(evidence[place] or {}), f"{status[place]}_on": f"{settled_on:%Y-%m-%d}"}
    return typed_events(events.assign(status=status, evidence=pd.Series(evidence, events.index, dtype=object)))


def _unchanged_on(event: Mapping[Hashable, Any], counts: pd.DataFrame) -> pd.Timestamp | None:
    """Day on which the number of shares was known not to have changed with an event; None if that is unknown."""
    first_day = event["ex_date"] + pd.Timedelta(days=ISSUED_WITHIN_DAYS)
    last_day = event["ex_date"] + pd.Timedelta(days=MAX_DAYS_AFTER)
    counts = counts.sort_values(["date", "known_on"], kind="stable")
    before = counts[counts["date"] < event["ex_date"]].tail(1)
    after = counts[counts["date"].between(first_day, last_day)].head(1)
    if before.empty or after.empty:
        return None
    unchanged = abs(float(after["shares"].iloc[0]) / float(before["shares"].iloc[0]) - 1) <= CLOSE_COUNT_TOLERANCE
    return max(before["known_on"].iloc[0], after["known_on"].iloc[0]) if unchanged else None
