"""Events inferred from one session's openings, where no list of corporate actions tells them.

The exchange's list comes first, and it is authoritative for what it covers: companies of the main board, up to its last
ex-date. Funds, SME shares and later sessions are judged by their own evidence, and only from facts of the session and
before. What the facts can carry was measured on three years of the real market (see the tests):

* An opening below the price band proves that the base was changed (see ``openings``). Near a ratio that splits and
  bonuses often have it is one of them. Prices tend to open higher on such a day: of 185 official ones nine in ten lie
  between -1 % and +8 %, and none leaves the band around its new base.
* Ratios at which a rights issue or demerger opens as often (2/3, 3/5, 3/4 ...), or that lie inside the band, need a
  second, hard fact: the number of issued shares rose by that ratio, or the ISIN changed (each change of face value
  issues a new one).
* Any other opening below the band shows that something was detached from the share: a demerger, or a rights issue that
  no list names. Its ratio is the opening over the previous close, as index providers take it from the special pre-open
  session. It adjusts prices, never the number of shares; because the opening cannot tell a demerger from an odd bonus,
  the share stays flagged until the list or the number of shares confirms it.
* A demerger that the list names has its ratio from the opening of the ex-date in the same way, however small it is.

A fall within the band is trading, whatever ratio it meets. What remains is a jump (see ``jumps``).
"""

from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from market_data.prices.events import (
    BLOCKING_KINDS,
    DETACHED,
    EVENT_COLUMNS,
    SAME_EVENT,
    SPECIAL_PREOPEN,
    UNREAD,
    empty_events,
    names_demerger,
    typed_events,
)
from market_data.prices.openings import below_band, opening_facts, session_of

OPENING_SOURCES = ("price", "isin", "issue_size", SPECIAL_PREOPEN, DETACHED)
"""Sources of events inferred from a day's opening; those inferred from the number of shares come later."""

# Nothing but a split or bonus opens so deep ...
DEEP_FACTORS = (1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 10, 1 / 15, 1 / 20, 1 / 30, 1 / 50, 1 / 100)
# ... or is so common at these ratios below the band; the others need a second fact.
COMMON_FACTORS = (1 / 2, 2 / 5)
SHALLOW_FACTORS = (*COMMON_FACTORS, 2 / 3, 3 / 5, 3 / 4, 4 / 5)
# Limits of opening over ratio. Wider ones would take a bonus of 10:1 (1/11) for a split to a tenth, or a split to a
# fifth that opened a fifth higher for one to a quarter, as it happened on the real files.
LIMITS = {1 / 2: (0.94, 1.08), 1 / 3: (0.94, 1.08), 1 / 4: (0.97, 1.08), 1 / 5: (0.97, 1.08)}
OTHER_LIMITS = (0.97, 1.055)
# Low and high against the adjusted previous close: the widest price band, plus rounding.
DAY_RANGE = (0.78, 1.22)
MIN_HISTORY_ROWS = 5
# Issued shares before and after agree with a ratio within this; they also move a little by employees' options.
ISSUE_SIZE_TOLERANCE = 0.02
# A demerger leaves more than this; what opens deeper is a split or bonus of a ratio too odd to tell.
LEAST_KEPT = 0.25
MAIN_BOARD = ("EQ", "BE", "BZ")


def inferred_events(
    today: pd.DataFrame,
    history: pd.DataFrame,
    covered_until: date | pd.Timestamp | None,
    events: pd.DataFrame | None = None,
    issue_sizes: pd.DataFrame | None = None,
    kinds: Mapping[Hashable, str] | None = None,
) -> pd.DataFrame:
    """Infer the splits, bonuses and demergers of one session, and the ratios of demergers that a list names.

    Parameters
    ----------
    today
        Bar frame of the session.
    history
        Bar frame of the sessions before, the whole market; its latest date is taken for the previous session. The
        last ``HISTORY_ROWS`` rows of a symbol are used.
    covered_until
        Last ex-date up to which the official list is complete for companies of the main board; None: no list.
    events
        Events known already; a symbol with a factor around this session gets no second one.
    issue_sizes
        Columns symbol, before, today: issued shares at the two sessions, from the exchange's market cap files.
    kinds
        share, fund or unknown of each symbol; without it all are shares.

    Returns
    -------
    DataFrame
        Event frame, status ``inferred``, ex-date and known-on the session; the evidence says what was measured.

    Notes
    -----
    Point in time: facts of the session and before alone. Only shares that traded on the very session before are looked
    at: after a gap or a listing the opening says nothing about a single day.
    """
    session = session_of(today)
    if session is None or history.empty:
        return empty_events()
    known = _known(events, session)
    due = known[known["ex_date"].between(history["date"].max(), session, inclusive="right")]
    demergers = due[due["kind"].eq("demerger") & due["status"].eq("official")]
    named = demergers.groupby("symbol")["purpose"].agg(" + ".join).to_dict()
    if covered_until is not None and session <= pd.Timestamp(covered_until):
        unread = due.loc[due["kind"].eq(UNREAD), "symbol"]
        is_company = today["symbol"].map(lambda symbol: _kind(kinds, symbol) == "share").astype(bool)
        is_listed = today["series"].isin(MAIN_BOARD) & is_company
        today = today[~is_listed | today["symbol"].isin({*named, *unread})]
    facts = opening_facts(today, history, issue_sizes, named.keys()) if len(today) else today
    if facts.empty:
        return empty_events()
    is_fund = [_kind(kinds, symbol) == "fund" for symbol in facts.index]
    facts = facts.assign(below_band=below_band(facts), is_fund=is_fund).loc[facts["adjacent"]]
    official = due[due["status"].eq("official") & due["factor"].gt(0)].groupby("symbol")["factor"].prod()
    settled = _settled_symbols(known, session)
    measured = _measured_symbols(known, session)
    records = []
    for symbol, row in facts.to_dict("index").items():
        event = None
        if symbol in named:
            if symbol not in measured:
                event = _named_demerger(row, named[symbol], float(official.get(symbol, 1.0)))
        elif symbol not in settled:
            event = _split(row) or _detached(row)
        if event is not None:
            kind, factor, source, text, evidence = event
            records.append((symbol, session, kind, factor, session, "inferred", text, source, evidence))
    return typed_events(pd.DataFrame.from_records(records, columns=list(EVENT_COLUMNS))) if records else empty_events()


def likelier_kind(factor: float) -> str:
    """Return the likelier kind of action; only the factor matters until the official list names the kind."""
    return "bonus" if factor in (1 / 3, 1 / 4, 1 / 6, 2 / 3, 3 / 4, 4 / 5) else "split"


def nearest_factor(ratio: float) -> float:
    """Return the only simple ratio near an opening; NaN where there is none, or more than one."""
    near = _near(ratio, DEEP_FACTORS + SHALLOW_FACTORS)
    return np.nan if near is None else near


_Event = tuple[str, float, str, str, dict[str, Any]]
"""Kind, factor, source, text and evidence."""


def _kind(kinds: Mapping[Hashable, str] | None, symbol: Hashable) -> str:
    return "share" if kinds is None else kinds.get(symbol, "unknown")


def _known(events: pd.DataFrame | None, session: pd.Timestamp) -> pd.DataFrame:
    if events is None:
        return empty_events()
    return events[events["known_on"].le(session) & events["status"].ne("rejected")]


def _settled_symbols(known: pd.DataFrame, session: pd.Timestamp) -> set[object]:
    """Symbols with a factor around this session, or a demerger, rights issue or capital reduction on it."""
    near = known["factor"].gt(0) & ((known["ex_date"] - session).abs() <= SAME_EVENT)
    blocking = known["ex_date"].eq(session) & known["kind"].isin(BLOCKING_KINDS)
    return set(known.loc[near | blocking, "symbol"])


def _measured_symbols(known: pd.DataFrame, session: pd.Timestamp) -> set[object]:
    """Symbols of which an opening around this session has given a factor already."""
    near = (known["ex_date"] - session).abs() <= SAME_EVENT
    return set(known.loc[near & known["factor"].gt(0) & known["status"].ne("official"), "symbol"])


def _named_demerger(row: Mapping[Hashable, Any], purpose: str, other_factors: float) -> _Event | None:
    """Ratio of a demerger of the list; a mere scheme of arrangement detaches something only below the band."""
    ratio = float(row["opening"]) / other_factors
    if ratio >= 1 or not (names_demerger(purpose) or bool(row["below_band"])) or not _average_in_range(row):
        return None
    text = f"measured at the opening of the ex-date, {ratio:.4f} of the previous close"
    evidence = _evidence(row, ratio * other_factors, SPECIAL_PREOPEN) | {"official_purpose": purpose}
    return "demerger", ratio, SPECIAL_PREOPEN, text, evidence


def _split(row: Mapping[Hashable, Any]) -> _Event | None:
    """Split or bonus that the facts of one symbol support."""
    issue_ratio, new_isin = float(row["issue_ratio"]), bool(row["new_isin"])
    candidates: tuple[float, ...] = (*DEEP_FACTORS, *COMMON_FACTORS) if row["below_band"] else ()
    if new_isin or not np.isnan(issue_ratio):
        candidates = DEEP_FACTORS + SHALLOW_FACTORS
    factor = _near(float(row["opening"]), candidates)
    if factor is None and row["is_fund"]:
        # A fund's first order may lie anywhere in its band: then the close tells the new level.
        factor = _near(float(row["close"] / row["prev_close"]), candidates)
    if factor is None or not _whole_day_agrees(row, factor):
        return None
    source = "isin" if new_isin else "price"
    if not np.isnan(issue_ratio):
        # The number of shares is the fact itself: it proves the ratio or refutes it.
        if abs(issue_ratio / factor - 1) > ISSUE_SIZE_TOLERANCE:
            return None
        source = "issue_size"
    text = f"inferred from the opening at {row['opening']:.4f} of the previous close"
    return likelier_kind(factor), factor, source, text, _evidence(row, factor, source)


def _detached(row: Mapping[Hashable, Any]) -> _Event | None:
    """What an opening below the band shows where no split or bonus explains it."""
    ratio, issue_ratio = float(row["opening"]), float(row["issue_ratio"])
    near_split = _near(ratio, (*DEEP_FACTORS, *COMMON_FACTORS, 2 / 3)) is not None
    if not row["below_band"] or row["is_fund"] or ratio < LEAST_KEPT or near_split:
        return None
    if abs(issue_ratio - 1) > ISSUE_SIZE_TOLERANCE or not _whole_day_agrees(row, ratio):
        return None
    text = f"inferred from the opening at {ratio:.4f} of the previous close, below the price band"
    return "demerger", ratio, DETACHED, text, _evidence(row, ratio, DETACHED)


def _near(ratio: float, factors: tuple[float, ...]) -> float | None:
    """The only one of the factors near a ratio; None where there is none, or more than one."""
    close_by = [f for f in set(factors) if _is_within(ratio / f, LIMITS.get(f, OTHER_LIMITS))]
    return close_by[0] if len(close_by) == 1 else None


def _is_within(times: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= times <= limits[1]


def _whole_day_agrees(row: Mapping[Hashable, Any], factor: float) -> bool:
    base = row["prev_close"] * factor
    in_range = row["low"] >= base * DAY_RANGE[0] and row["high"] <= base * DAY_RANGE[1]
    return bool(in_range and row["rows"] >= MIN_HISTORY_ROWS and _average_in_range(row))


def _average_in_range(row: Mapping[Hashable, Any]) -> bool:
    """Whether turnover and volume fit the prices: those that were rewritten alone do not match their average."""
    average = row["turnover_lakh"] * 1e5 / max(row["volume"], 1)
    return bool(row["low"] * 0.99 <= average <= row["high"] * 1.01)


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
