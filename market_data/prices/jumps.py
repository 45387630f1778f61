"""Openings far from the previous close: factors inferred from them, and jumps that nothing explains.

The exchange's list of corporate actions comes first. Only for sessions after the last day it covers may a factor be
inferred, and only from facts of that session and before. What the facts can carry was measured on three years of the
real market (see the tests):

* No share opened between 25 % and 68 % lower for want of buyers alone; price bands stop most shares at 20 % a day. Yet
  shares with derivatives have no band, and turnover does not tell a fall by half from a one-for-one bonus: ex-dates
  trade 0.5 to 10 times the usual amount. So ratios that a crash could reach (``SHALLOW_FACTORS``) are inferred only
  when a second, hard fact agrees: the number of issued shares rose by that ratio, or the ISIN changed (each change of
  face value issues a new one).
* Deeper ratios are inferred from the price alone when the opening meets a simple ratio, the whole day stays in its
  neighbourhood, and turnover is in line with the sessions before.

Everything else is a jump: flagged with its ratio and, where one is near, the simple ratio, for a person, the official
list or later counts of the issued shares (``share_counts``) to settle.
"""

from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from market_data.prices.events import BLOCKING_KINDS, EVENT_COLUMNS, FACTOR_KINDS, empty_events, typed_events
from stocks.universe.renames import ISIN_ISSUER_LENGTH

JUMP_CHECK = "price_jump"
"""`check_name` of the findings that keep the jumps."""

JUMP_COLUMNS = ("symbol", "date", "ratio", "reason", "near_factor")
# Face value splits, bonuses, and the two together; those that a crash cannot reach ...
DEEP_FACTORS = (1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 10, 1 / 15, 1 / 20, 1 / 30, 1 / 50, 1 / 100)
# ... and those that it can.
SHALLOW_FACTORS = (1 / 2, 2 / 3, 2 / 5, 3 / 5, 3 / 4, 4 / 5)
# Prices tend to open higher on the ex-date: nine official ones in ten lie between -1 % and +7 %. Wider limits would
# take a bonus of 10:1 (1/11) for a split to a tenth, as it happened on the real files.
OPENING_ABOVE = 0.055
OPENING_BELOW = 0.03
# Low and high against the adjusted previous close: the widest price band is 20 %, plus rounding.
DAY_RANGE = (0.78, 1.22)
TURNOVER_IN_LINE = (0.1, 15.0)
HISTORY_ROWS = 20
MIN_HISTORY_ROWS = 5
# Issued shares before and after agree with a ratio within this; they also move a little by employees' options.
ISSUE_SIZE_TOLERANCE = 0.02
# Openings beyond these, held at the close, cannot come from trading inside a 20 % band.
JUMP_DOWN, JUMP_UP = 0.78, 1.28
# Nearer to the previous close than this, an opening is neither a simple ratio nor a jump.
FAR_OPENING = (0.85, 1.25)
# Over a gap (suspension, another series) prices move by themselves: only a change this large is flagged.
GAP_JUMP_DOWN, GAP_JUMP_UP = 0.45, 2.2

_SAME_EVENT = pd.Timedelta(days=7)


def inferred_events(
    today: pd.DataFrame,
    history: pd.DataFrame,
    covered_until: date | pd.Timestamp | None,
    events: pd.DataFrame | None = None,
    issue_sizes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Infer splits and bonuses of one session that the official list does not reach.

    Parameters
    ----------
    today
        Bar frame of the session.
    history
        Bar frame of the sessions before, the whole market; its latest date is taken for the previous session. The
        last ``HISTORY_ROWS`` rows of a symbol are used.
    covered_until
        Last ex-date up to which the official list is complete; a session up to it yields nothing. None: no list.
    events
        Events known already; a symbol with one around this session gets no inferred one.
    issue_sizes
        Columns symbol, before, today: issued shares at the two sessions, from the exchange's market cap files.

    Returns
    -------
    DataFrame
        Event frame, status ``inferred``, ex-date and known-on the session; the evidence says what was measured.

    Notes
    -----
    Point in time: facts of the session and before alone. Only shares that traded on the very session before are looked
    at: after a gap the opening says nothing about a single day.
    """
    session = _session(today)
    if session is None or history.empty or (covered_until is not None and session <= pd.Timestamp(covered_until)):
        return empty_events()
    facts = _facts(today, history, issue_sizes, set())
    if facts.empty:
        return empty_events()
    facts = facts.loc[facts["adjacent"] & ~facts.index.isin(_settled_symbols(events, session))]
    records = []
    for symbol, row in facts.to_dict("index").items():
        factor, ground = _inferred_factor(row)
        if ground:
            text = f"inferred from the opening at {row['opening']:.4f} of the previous close"
            kind, evidence = likelier_kind(factor), _evidence(row, factor, ground)
            records.append((symbol, session, kind, factor, session, "inferred", text, ground, evidence))
    return typed_events(pd.DataFrame.from_records(records, columns=list(EVENT_COLUMNS))) if records else empty_events()


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
        ``event_without_factor`` (a demerger, rights issue, capital reduction or dividend of the day explains the jump,
        but by how much is unknown), ``event_contradicted`` (an official factor the price does not show),
        ``changed_over_gap``.

    Notes
    -----
    Point in time: facts of the session and before alone. A fall during the day is trading, not a jump; an opening
    that the close took back is a stray trade.
    """
    session = _session(today)
    if session is None or history.empty:
        return _jumps_frame([], session)
    known = events.loc[(events["ex_date"] <= session) & (events["known_on"] <= session)]
    known = known.loc[known["status"].ne("rejected")]
    contradicted = _contradicted_symbols(known.loc[known["ex_date"].eq(session)])
    facts = _facts(today, history, None, contradicted)
    if facts.empty:
        return _jumps_frame([], session)
    known = known.loc[known["symbol"].isin(facts.index)]
    live = known.loc[~(known["symbol"].isin(contradicted) & known["ex_date"].eq(session))]
    over_night = facts["opening"] / _product(facts, live.loc[live["ex_date"].eq(session)])
    over_gap = facts["open"] / facts["last_close"] / _product(facts, live)
    jumped = _stays_outside(over_night, facts, JUMP_DOWN, JUMP_UP)
    changed = _stays_outside(over_gap, facts, GAP_JUMP_DOWN, GAP_JUMP_UP) & ~facts["adjacent"]
    broken = jumped | changed
    facts = facts.assign(ratio=over_night.where(jumped | ~changed, over_gap), over_night=jumped)
    unfactored = set(known.loc[known["ex_date"].eq(session) & known["factor"].isna(), "symbol"])
    records = [
        (symbol, float(row["ratio"]), _reason(symbol, row, unfactored, contradicted), _nearest_factor(row["ratio"]))
        for symbol, row in facts.loc[broken | facts.index.isin(contradicted)].to_dict("index").items()
    ]
    return _jumps_frame(records, session)


def likelier_kind(factor: float) -> str:
    """Return the likelier kind of action; only the factor matters until the official list names the kind."""
    return "bonus" if factor in (1 / 3, 1 / 4, 1 / 6, 2 / 3, 3 / 4, 4 / 5) else "split"


def far_openings(bars: pd.DataFrame, events: pd.DataFrame | None = None) -> pd.Series:
    """Return which rows of a long history may hold an inferred event or a jump; only those need a closer look.

    Parameters
    ----------
    bars
        Bar frame sorted by symbol and date.
    events
        Event frame; with it, the first row of a symbol on or after the ex-date of each factor counts too: a factor
        that the price does not follow is a jump as well.

    Returns
    -------
    Series of bool
        Same index: the opening lies far from the previous close, or from the close of the symbol's row before.
    """
    same = bars["symbol"].eq(bars["symbol"].shift())
    last_close = bars["close"].shift().where(same)
    near = (bars["open"] / bars["prev_close"]).between(*FAR_OPENING)
    near &= (bars["open"] / last_close).between(GAP_JUMP_DOWN, GAP_JUMP_UP)
    far = ~near & last_close.notna()
    if events is None or events.empty:
        return far
    acting = events.loc[events["factor"].gt(0), ["symbol", "ex_date"]]
    rows = bars.loc[bars["symbol"].isin(acting["symbol"]), ["symbol", "date"]].rename_axis("row").reset_index()
    rows = rows.merge(acting, on="symbol")
    first = rows.loc[rows["date"] >= rows["ex_date"]].drop_duplicates(["symbol", "ex_date"])
    return far | pd.Series(bars.index.isin(first["row"]), index=bars.index) & last_close.notna()


def _session(today: pd.DataFrame) -> pd.Timestamp | None:
    dates = today["date"].unique()
    if len(dates) > 1:
        raise ValueError(f"bars of one session expected, got {len(dates)} dates: pass one session at a time")
    return pd.Timestamp(dates[0]) if len(dates) else None


def _facts(
    today: pd.DataFrame, history: pd.DataFrame, issue_sizes: pd.DataFrame | None, always: set[str]
) -> pd.DataFrame:
    """Facts of each symbol that opened far from its previous close or came back after a gap, indexed by symbol."""
    previous_session = history["date"].max()
    neighbours = history.loc[history["date"].eq(previous_session), "symbol"]
    opening = today["open"] / today["prev_close"]
    far = ~opening.between(*FAR_OPENING) | ~today["symbol"].isin(neighbours) | today["symbol"].isin(always)
    facts = today.loc[far & today["prev_close"].gt(0) & today["open"].gt(0)].set_index("symbol")
    past = history.loc[history["symbol"].isin(facts.index)].sort_values("date", kind="stable")
    past = past.groupby("symbol").tail(HISTORY_ROWS)
    last = past.drop_duplicates("symbol", keep="last").set_index("symbol")
    facts = facts.loc[facts.index.isin(last.index)]
    last = last.reindex(facts.index)
    by_symbol = past.groupby("symbol")
    # Two plain aggregations: `agg` with names takes as long as all the rest of a day.
    facts = facts.assign(usual_turnover_lakh=by_symbol["turnover_lakh"].median(), rows=by_symbol.size())
    sizes = issue_sizes.set_index("symbol") if issue_sizes is not None else pd.DataFrame(columns=["before", "today"])
    with_isin = "isin" in facts and "isin" in last
    return facts.assign(
        opening=facts["open"] / facts["prev_close"],
        last_close=last["close"],
        last_date=last["date"],
        adjacent=last["date"].eq(previous_session) & (facts["prev_close"] / last["close"] - 1).abs().lt(0.005),
        new_isin=_changed_isin(facts["isin"], last["isin"]) if with_isin else False,
        turnover_ratio=facts["turnover_lakh"] / facts["usual_turnover_lakh"],
        issue_ratio=(sizes["before"] / sizes["today"]).astype(float).reindex(facts.index),
    )


def _changed_isin(now: pd.Series, before: pd.Series) -> pd.Series:
    both = now.notna() & before.notna()
    same_issuer = now.astype(str).str[:ISIN_ISSUER_LENGTH].eq(before.astype(str).str[:ISIN_ISSUER_LENGTH])
    return both & now.ne(before) & same_issuer


def _inferred_factor(row: Mapping[Hashable, Any]) -> tuple[float, str]:
    """Factor that the facts of one symbol support, and the ground for it; (NaN, "") without any."""
    opening = float(row["opening"])
    issue_ratio = float(row["issue_ratio"])
    factor = _near(opening, DEEP_FACTORS)
    if factor is None and (bool(row["new_isin"]) or not np.isnan(issue_ratio)):
        factor = _near(opening, SHALLOW_FACTORS)
    if factor is None or not _whole_day_agrees(row, factor):
        return np.nan, ""
    if not np.isnan(issue_ratio):
        # The number of shares is the fact itself: it proves the ratio or refutes it.
        return (factor, "issue_size") if abs(issue_ratio / factor - 1) <= ISSUE_SIZE_TOLERANCE else (np.nan, "")
    return factor, "isin" if bool(row["new_isin"]) else "price"


def _near(opening: float, factors: tuple[float, ...]) -> float | None:
    """The only simple ratio near the opening; None where there is none, or more than one."""
    close_by = [f for f in factors if 1 - OPENING_BELOW <= opening / f <= 1 + OPENING_ABOVE]
    return close_by[0] if len(close_by) == 1 else None


def _whole_day_agrees(row: Mapping[Hashable, Any], factor: float) -> bool:
    base = row["prev_close"] * factor
    in_range = row["low"] >= base * DAY_RANGE[0] and row["high"] <= base * DAY_RANGE[1]
    in_line = row["rows"] >= MIN_HISTORY_ROWS and TURNOVER_IN_LINE[0] <= row["turnover_ratio"] <= TURNOVER_IN_LINE[1]
    # Prices that were rewritten but whose turnover was not do not match their average price.
    average = row["turnover_lakh"] * 1e5 / max(row["volume"], 1)
    return bool(in_range and in_line and row["low"] * 0.99 <= average <= row["high"] * 1.01)


def _evidence(row: Mapping[Hashable, Any], factor: float, ground: str) -> dict[str, Any]:
    base = float(row["prev_close"]) * factor
    measured = {
        "previous_close": float(row["prev_close"]),
        "open": float(row["open"]),
        "open_over_adjusted": round(float(row["open"]) / base, 4),
        "low_over_adjusted": round(float(row["low"]) / base, 4),
        "high_over_adjusted": round(float(row["high"]) / base, 4),
        "close_over_adjusted": round(float(row["close"]) / base, 4),
        "turnover_over_usual": round(float(row["turnover_ratio"]), 3),
        "usual_turnover_lakh": round(float(row["usual_turnover_lakh"]), 2),
        "ground": ground,
    }
    if not np.isnan(row["issue_ratio"]):
        measured["issued_shares_before_over_after"] = round(float(row["issue_ratio"]), 5)
    return measured


def _settled_symbols(events: pd.DataFrame | None, session: pd.Timestamp) -> set[str]:
    """Symbols with a factor around this session, or a demerger or rights issue on it."""
    if events is None or events.empty:
        return set()
    near = (events["ex_date"] - session).abs() <= _SAME_EVENT
    factored = near & events["kind"].isin(FACTOR_KINDS)
    blocking = events["ex_date"].eq(session) & events["kind"].isin(BLOCKING_KINDS)
    known = events["known_on"].le(session) & events["status"].ne("rejected")
    return set(events.loc[known & (factored | blocking), "symbol"])


def _stays_outside(opening: pd.Series, facts: pd.DataFrame, down: float, up: float) -> pd.Series:
    """Whether a ratio lies outside the limits at the opening and still at the close."""
    closing = opening * facts["close"] / facts["open"]
    return ((opening < down) & (closing < down)) | ((opening > up) & (closing > up))


def _product(facts: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Product of the factors with an ex-date after the last row of each symbol."""
    acting = events.loc[events["factor"].gt(0) & events["symbol"].isin(facts.index)]
    acting = acting.loc[acting["ex_date"] > acting["symbol"].map(facts["last_date"])]
    return acting.groupby("symbol")["factor"].prod().reindex(facts.index).fillna(1.0)


def _contradicted_symbols(events: pd.DataFrame) -> set[str]:
    denied = events["evidence"].map(lambda known: (known or {}).get("agrees") is False).astype(bool)
    return set(events.loc[denied & events["status"].eq("official"), "symbol"])


def _nearest_factor(ratio: float) -> float:
    near = _near(ratio, DEEP_FACTORS + SHALLOW_FACTORS)
    return np.nan if near is None else near


def _reason(symbol: object, row: Mapping[Hashable, Any], unfactored: set[str], contradicted: set[str]) -> str:
    if symbol in contradicted:
        return "event_contradicted"
    if symbol in unfactored:
        return "event_without_factor"
    if not row["over_night"]:
        return "changed_over_gap"
    return "no_event" if np.isnan(_nearest_factor(row["ratio"])) else "near_simple_ratio"


REASON_WORDS = {
    "no_event": "no known event explains it",
    "near_simple_ratio": "no known event explains it; a split or bonus may be missing",
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
