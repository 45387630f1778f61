"""Jumps: openings far from the previous level that no event explains.

Each is flagged with its ratio and, where one is near, the simple ratio, for a person, the official list or later counts
of the issued shares (``share_counts``) to settle. A demerger that only the opening shows adjusts prices and stays
flagged: whether the number of shares changed too is not known.
"""

from collections.abc import Hashable, Mapping, Set
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from market_data.prices.adjustments import effective_events
from market_data.prices.events import DETACHED, SAME_EVENT
from market_data.prices.inference import nearest_factor
from market_data.prices.openings import GAP_JUMP_DOWN, GAP_JUMP_UP, opening_facts, session_of

JUMP_CHECK = "price_jump"
"""`check_name` of the findings that keep the jumps."""

JUMP_COLUMNS = ("symbol", "date", "ratio", "reason", "near_factor")
UNCONFIRMED_DEMERGER = "unconfirmed_demerger"
# Openings beyond these, held at the close, cannot come from trading inside a 20 % band.
JUMP_DOWN, JUMP_UP = 0.78, 1.28


def unexplained_jumps(today: pd.DataFrame, history: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Find the symbols whose price level broke with this session without a factor that explains it.

    Parameters
    ----------
    today
        Bar frame of the session.
    history
        Bar frame of the sessions before, at least the last row of each symbol; its latest date is taken for the
        previous session.
    events
        Event frame of everything known at the session, inferred events of the day included.

    Returns
    -------
    DataFrame
        symbol, date, ratio (opening against the previous close, over a gap against the last close; factors applied),
        reason and near_factor (the simple ratio nearby, NaN where none). Reasons: ``no_event``, ``near_simple_ratio``,
        ``event_without_factor`` (a rights issue, capital reduction, dividend or unread action of the day explains the
        jump, but by how much is unknown), ``event_contradicted`` (an official factor the price does not show),
        ``unconfirmed_demerger`` (prices are adjusted by this ratio, but only the opening shows it),
        ``changed_over_gap``.

    Notes
    -----
    Point in time: facts of the session and before alone. A fall during the day is trading, not a jump; an opening
    that the close took back is a stray trade.
    """
    session = session_of(today)
    if session is None or history.empty:
        return _jumps_frame([], session)
    known = events[(events["ex_date"] <= session) & (events["known_on"] <= session)]
    known = known[known["status"].ne("rejected")]
    of_day = known[known["ex_date"].eq(session)]
    contradicted = _contradicted_symbols(of_day)
    detached = set(of_day.loc[of_day["source"].eq(DETACHED) & of_day["status"].eq("inferred"), "symbol"])
    facts = opening_facts(today, history, None, contradicted)
    if facts.empty:
        return _jumps_frame([], session)
    acting = effective_events(known[known["symbol"].isin(facts.index)], session)
    over_night = facts["opening"] / _product(facts, acting[acting["ex_date"].eq(session)])
    over_gap = facts["open"] / facts["last_close"] / _product(facts, acting)
    jumped = _stays_outside(over_night, facts, JUMP_DOWN, JUMP_UP)
    changed = _stays_outside(over_gap, facts, GAP_JUMP_DOWN, GAP_JUMP_UP) & ~facts["adjacent"]
    ratio = over_night.where(jumped | ~changed, over_gap)
    ratio = ratio.mask(facts.index.isin(detached), facts["opening"])
    facts = facts.assign(ratio=ratio, over_night=jumped)
    unfactored = set(of_day.loc[of_day["factor"].isna(), "symbol"])
    reasons = {"event_contradicted": contradicted, UNCONFIRMED_DEMERGER: detached, "event_without_factor": unfactored}
    flagged = jumped | changed | facts.index.isin(contradicted | detached)
    records = [
        (symbol, float(row["ratio"]), _reason(symbol, row, reasons), nearest_factor(row["ratio"]))
        for symbol, row in facts[flagged].to_dict("index").items()
    ]
    return _jumps_frame(records, session)


def _stays_outside(opening: pd.Series, facts: pd.DataFrame, down: float, up: float) -> pd.Series:
    """Whether a ratio lies outside the limits at the opening and still at the close."""
    closing = opening * facts["close"] / facts["open"]
    return ((opening < down) & (closing < down)) | ((opening > up) & (closing > up))


def _product(facts: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Product of the factors with an ex-date after the last row of each symbol."""
    acting = events[events["factor"].gt(0) & events["symbol"].isin(facts.index)]
    acting = acting[acting["ex_date"] > acting["symbol"].map(facts["last_date"])]
    return acting.groupby("symbol")["factor"].prod().reindex(facts.index).fillna(1.0)


def _contradicted_symbols(events: pd.DataFrame) -> set[Hashable]:
    denied = events["evidence"].map(lambda known: (known or {}).get("agrees") is False).astype(bool)
    return set(events.loc[denied & events["status"].eq("official"), "symbol"])


def _reason(symbol: Hashable, row: Mapping[Hashable, Any], reasons: Mapping[str, Set[Hashable]]) -> str:
    for reason, symbols in reasons.items():
        if symbol in symbols:
            return reason
    if not row["over_night"]:
        return "changed_over_gap"
    return "no_event" if np.isnan(nearest_factor(row["ratio"])) else "near_simple_ratio"


def unsettled(jumps: pd.DataFrame, events: pd.DataFrame, as_of: date | pd.Timestamp) -> "pd.Series[bool]":
    """Whether each jump (columns symbol and date) is explained by no event with a factor, as known on a day.

    A demerger that only the opening shows adjusts prices, but explains nothing until it is confirmed.
    """
    acting = effective_events(events, as_of)
    acting = acting[acting["source"].ne(DETACHED) | _dated(acting, "confirmed_on").le(pd.Timestamp(as_of))]
    explained = pd.MultiIndex.from_frame(acting[["symbol", "ex_date"]])
    return pd.Series(~pd.MultiIndex.from_frame(jumps[["symbol", "date"]]).isin(explained), index=jumps.index)


def blocked_days(
    jumps: pd.DataFrame, events: pd.DataFrame, sessions: pd.DatetimeIndex, hold_sessions: int
) -> pd.DataFrame:
    """Sessions on which each jump is unsettled, as known on each of them.

    Parameters
    ----------
    jumps
        symbol and date (one of the sessions).
    events
        Event frame of everything known by the last session.
    sessions
        The market's sessions, ascending.
    hold_sessions
        For how many sessions, its own included, a jump blocks.

    Returns
    -------
    DataFrame
        symbol and date, unique, sorted.

    Notes
    -----
    Point in time: a session's answer depends on jumps and events up to it; an event that arrives later settles the
    jump from that day on.
    """
    start = sessions.get_indexer(pd.DatetimeIndex(jumps["date"]))
    place = np.arange(len(sessions))
    blocked = (start >= 0)[:, None] & (place >= start[:, None]) & (place < start[:, None] + hold_sessions)
    near = _near(events, jumps)
    turns = np.unique(np.clip(sessions.searchsorted(_days_of_knowledge(near)), 0, len(sessions)))
    for first, following in pairwise([0, *turns[(turns > 0) & (turns < len(sessions))], len(sessions)]):
        # What is known of these jumps does not change between two turns.
        blocked[:, first:following] &= unsettled(jumps, near, sessions[first]).to_numpy()[:, None]
    at, session = np.nonzero(blocked)
    days = pd.DataFrame({"symbol": jumps["symbol"].to_numpy()[at], "date": sessions[session]})
    return days.drop_duplicates().sort_values(["symbol", "date"], ignore_index=True)


def _near(events: pd.DataFrame, jumps: pd.DataFrame) -> pd.DataFrame:
    """Events that can settle a jump, or stand beside one that can."""
    pairs = events[["symbol", "ex_date"]].reset_index().merge(jumps[["symbol", "date"]], on="symbol")
    beside = (pairs["ex_date"] - pairs["date"]).abs() <= SAME_EVENT
    return events.loc[pairs.loc[beside, "index"].unique()]


def _days_of_knowledge(events: pd.DataFrame) -> pd.DatetimeIndex:
    """Days on which something about an event became known or came to act."""
    days = [events["ex_date"], events["known_on"], _dated(events, "rejected_on"), _dated(events, "confirmed_on")]
    return pd.DatetimeIndex(pd.concat(days).dropna().unique()).sort_values()


def _dated(events: pd.DataFrame, key: str) -> pd.Series:
    """A date of the events' evidence; NaT where it has none."""
    return pd.to_datetime(events["evidence"].map(lambda evidence: (evidence or {}).get(key)))


REASON_WORDS = {
    "no_event": "no known event explains it",
    "near_simple_ratio": "no known event explains it; a split or bonus may be missing",
    UNCONFIRMED_DEMERGER: "prices follow a demerger or rights issue that only the opening shows",
    "event_without_factor": "an event of the day explains it, but not by how much",
    "event_contradicted": "the official event of the day does not agree with it",
    "changed_over_gap": "the share had not traded on the session before",
}


def jump_sentence(row: Any) -> str:
    """Return a row of `JUMP_COLUMNS` as a sentence without a full stop."""
    near = "" if pd.isna(row.near_factor) else f", near the simple ratio {row.near_factor:.4g}"
    why = REASON_WORDS.get(row.reason, row.reason)
    return f"{row.symbol} opened on {row.date:%Y-%m-%d} at {row.ratio:.3f} of its previous level{near}: {why}"


def _jumps_frame(records: list[tuple[object, float, str, float]], session: pd.Timestamp | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": pd.Series([record[0] for record in records], dtype=object),
            "date": pd.Series([session] * len(records), dtype="datetime64[ns]"),
            "ratio": pd.Series([record[1] for record in records], dtype=np.float64),
            "reason": pd.Series([record[2] for record in records], dtype=object),
            "near_factor": pd.Series([record[3] for record in records], dtype=np.float64),
        }
    )
