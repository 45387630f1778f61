"""Proof of a split or bonus by the number of issued shares, when no list announces it.

A jump of the opening price alone may be a crash. When the company has ten times the shares afterwards, it was none. The
counts come from the exchange's market cap files, from statements or from a screener's market cap over its close; they
arrive days or months after the jump; the event counts as known from then on.
"""

import itertools
from collections.abc import Hashable
from datetime import date
from typing import Any

import pandas as pd

from market_data.prices.events import EVENT_COLUMNS, empty_events, typed_events
from market_data.prices.jumps import DEEP_FACTORS, SHALLOW_FACTORS, likelier_kind

# Two counts may lie a year apart, with small issues between them and rounding in statements. Ratios that lie close to
# each other, and that a large issue of new shares could feign, must be met closely.
COUNT_TOLERANCE = 0.06
CLOSE_COUNT_TOLERANCE = 0.02
# A rights issue raises the count too, but the price falls less: it pays for its shares.
PRICE_AGREES = (0.92, 1.13)
MAX_DAYS_AFTER = 180
SETTLED_BY_COUNTS = ("near_simple_ratio", "no_event")
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
    counts = share_counts.loc[(share_counts["known_on"] <= pd.Timestamp(as_of)) & share_counts["shares"].gt(0)]
    counts = counts.sort_values(["symbol", "date", "known_on"], kind="stable")
    by_symbol = {str(symbol): rows for symbol, rows in counts.groupby("symbol")}
    records: list[tuple[object, ...]] = []
    for jump in jumps.loc[jumps["reason"].isin(SETTLED_BY_COUNTS)].to_dict("records"):
        of_symbol = by_symbol.get(jump["symbol"], counts.iloc[:0])
        before = of_symbol.loc[of_symbol["date"] < jump["date"]].tail(1).to_dict("records")
        last_day = jump["date"] + pd.Timedelta(days=MAX_DAYS_AFTER)
        after = of_symbol.loc[of_symbol["date"].between(jump["date"], last_day)].to_dict("records")
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
