"""Corporate actions as the exchange words them, turned into events with a price factor.

Source of the layout: the exchange's list of corporate actions (``CF-CA-equities.csv``) and the ``bc`` file of its
daily report pack. The purpose is free text; only what is written there counts, nothing is guessed: what looks like a
split or bonus of the share and cannot be read is an event of the kind ``unread``, which keeps the share out of the
picks (see ``unsettled_events``) and never has a factor. What is about another class of share is ``other``.

The factor multiplies prices of the days *before* the ex-date. A face value split from ₹10 to ₹1 is 0.1, a bonus
``a:b`` (a new shares for b held) is ``b / (a + b)``, a consolidation from ₹1 to ₹10 is 10. Dividends, rights,
demergers and capital reductions have no factor here: their effect on the price cannot be read from the text. That of a
demerger is measured at the opening of its ex-date (see ``inference``): prices follow it, the number of shares does not.
"""

import math
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from market_data.prices.bars import SERIES_ORDER

EVENT_COLUMNS = ("symbol", "ex_date", "kind", "factor", "known_on", "status", "purpose", "source", "evidence")
UNREAD = "unread"
"""A split, bonus or consolidation whose wording could not be read."""

KINDS = ("split", "bonus", "dividend", "rights", "demerger", "capital_reduction", "consolidation", UNREAD, "other")
FACTOR_KINDS = ("split", "bonus", "consolidation")
"""Kinds that change the number of shares; a demerger may have a factor too, but leaves the shares as they are."""

SPECIAL_PREOPEN, DETACHED = "special_preopen", "price_band"
"""Sources of a demerger's ratio: the list names the demerger, or only an opening below the price band shows one."""

SAME_EVENT = pd.Timedelta(days=7)
"""Two records of one symbol so near each other are of one event (about five sessions)."""

# A holder receives something that the share's own price does not show, so a return across the ex-date is not a return.
BLOCKING_KINDS = ("rights", "demerger", "capital_reduction")

_NUMBER = r"(\d+(?:\.\d+)?)"
# "from rs 10/- per share to re 1/-", but also "rs.10tors.2".
_FROM_TO = rf"\D*?{_NUMBER}\D*?to(?![a-qs-z])\D*?{_NUMBER}"
_SPLIT_WORD = re.compile(r"\bf\.?\s*v(?:\b|\.|spl)|\bspli?t|\bsub\s*-?\s*divi|\bface\s*val")
_SPLIT = re.compile(rf"(?:\bf\.?\s*v\b|\bfvspl|\bspl|\bsub\s*-?\s*divi|\bface\s*val){_FROM_TO}")
_CONSOLIDATION_WORD = re.compile(r"\bconsol")
_CONSOLIDATION = re.compile(rf"\bconsol\w*{_FROM_TO}")
# "bonus", its short form and its usual misprints.
_BONUS_WORD = re.compile(r"\bbon\b|\bbonus|\bb[ou]*n[ou]*s\b")
_BONUS = re.compile(r"\b(?:bon|bonus\w*|b[ou]*n[ou]*s)\b[^\d:]*(\d+)\s*:\s*(\d+)")
# A slash after an amount (Rs 10/-, Rs 10/ Per Share) separates nothing.
_AMOUNT_END = re.compile(r"(?<=\d)\s*/(?:\s*-|(?=\s*(?:per|to|each)\b))")
_SEPARATORS = re.compile(r"[/+&]")
# Bonus preference shares, debentures, warrants and shares with other rights leave the number of these shares alone.
_NOT_EQUITY = re.compile(
    r"\bo?c?[nc]?[cr]*ps\b|debenture|preference|\bncd|\bccd|\bpref|warrant|\bdvr\b|differential|\bbonds?\b"
)
_RIGHTS = re.compile(r"\brights?\b")
_SCHEME = re.compile(r"de-?merger|spin-?\s?off|\bsc?heme\b|amalgamation|\bmerger\b|hiving")
_DEMERGER = re.compile(r"de-?\s?merger|spin-?\s?off|hiving")
_REDUCTION = re.compile(r"\bcap(?:ital)?\.? red|reduction (?:of|in) (?:share )?(?:capital|face value)")
_DIVIDEND = re.compile(r"\bint?e?ri?i?m?\s*div|\bdivi?d?e?nd|\bdivided\b|\bdiv\b|meetingdividend|interimdividend")
_MEETING = re.compile(r"meeting|\bagm\b|\begm\b|book closure|general|\bgenral\b")


@dataclass(frozen=True)
class ParsedAction:
    """One action read from a purpose: its kind and the factor for prices before the ex-date (NaN where none)."""

    kind: str
    factor: float


def parse_purpose(purpose: str) -> list[ParsedAction]:
    """Return every action that one free text names: split, consolidation, bonus, others, in this order.

    Such a text is ``Bonus 1:1/Face Value Split (Sub-Division) - From Rs 10/- To Re 1/-``. A pure meeting or book
    closure has no action.
    """
    text = " ".join(str(purpose).lower().split())
    clauses = _SEPARATORS.split(_AMOUNT_END.sub(" ", text))
    actions = _first_read([action for clause in clauses for action in _face_value_actions(clause)])
    actions.extend(_first_read([action for clause in clauses for action in _bonus_actions(clause)]))
    others = (("demerger", _SCHEME), ("rights", _RIGHTS), ("capital_reduction", _REDUCTION), ("dividend", _DIVIDEND))
    actions.extend(ParsedAction(kind, math.nan) for kind, words in others if words.search(text))
    if not actions and text and not _MEETING.search(text):
        actions.append(ParsedAction("other", math.nan))
    return actions


def names_demerger(purpose: str) -> bool:
    """Whether a text names a demerger itself, not just some scheme of arrangement."""
    return bool(_DEMERGER.search(str(purpose).lower()))


def _first_read(actions: list[ParsedAction]) -> list[ParsedAction]:
    """Return one of the actions that the clauses of a text name: the first with a ratio, else the first."""
    return ([action for action in actions if not math.isnan(action.factor)] or actions)[:1]


def _face_value_actions(clause: str) -> list[ParsedAction]:
    """Splits and consolidations: both change the face value; its direction tells which."""
    actions = []
    for word, ratio in ((_SPLIT_WORD, _SPLIT), (_CONSOLIDATION_WORD, _CONSOLIDATION)):
        if word.search(clause) and not _REDUCTION.search(clause):
            match = ratio.search(clause)
            factor = _ratio(float(match[2]), float(match[1])) if match else math.nan
            actions.append(_of_shares(clause, "split" if factor < 1 else "consolidation", factor))
    return actions


def _bonus_actions(clause: str) -> list[ParsedAction]:
    if not _BONUS_WORD.search(clause):
        return []
    match = _BONUS.search(clause)
    new, held = (float(match[1]), float(match[2])) if match else (math.nan, math.nan)
    return [_of_shares(clause, "bonus", _ratio(held, new + held))]


def _of_shares(clause: str, kind: str, factor: float) -> ParsedAction:
    """Return the action, or what it is when the clause names another class of share or its ratio was not read."""
    if _NOT_EQUITY.search(clause):
        return ParsedAction("other", math.nan)
    return ParsedAction(UNREAD if math.isnan(factor) else kind, factor)


def _ratio(part: float, whole: float) -> float:
    """``part / whole``, NaN unless both are positive and they differ (10 to 10 is a misprint, not a split)."""
    return part / whole if part > 0 and whole > 0 and part != whole else math.nan


def empty_events() -> pd.DataFrame:
    """Return an event frame without rows, with the dtypes of a filled one."""
    return _no_events().copy()


@cache
def _no_events() -> pd.DataFrame:
    return typed_events(pd.DataFrame({column: pd.Series(dtype=object) for column in EVENT_COLUMNS}))


def typed_events(events: pd.DataFrame) -> pd.DataFrame:
    """Give an event frame its dtypes and its order (symbol, ex-date, kind)."""
    texts = dict.fromkeys(("symbol", "kind", "status", "purpose", "source", "evidence"), object)
    events = events[list(EVENT_COLUMNS)].astype({**texts, "factor": np.float64})
    for column in ("ex_date", "known_on"):
        events[column] = pd.to_datetime(events[column]).astype("datetime64[ns]")
    return events.sort_values(["symbol", "ex_date", "kind"], kind="stable", ignore_index=True)


def official_events(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the exchange's published rows as an event frame.

    Parameters
    ----------
    raw
        Columns symbol, series, purpose, ex_date and source; optionally known_on (date of the publication) and
        face_value. The list's face value is that of the day it was downloaded, not of the event: it is not used.

    Returns
    -------
    DataFrame
        Event frame, status ``official``, one row per action. The same action published twice (a second series, a
        revised text, two sources) counts once, known on the earliest of the dates.

    Notes
    -----
    Point in time: ``known_on`` is the published date where the source has one and otherwise the ex-date. The exchange
    announces weeks ahead, but the list does not say when, so nothing before the ex-date may use it.

    Raises
    ------
    KeyError
        When a required column is missing.
    """
    rows = raw[raw["series"].astype(str).str.strip().isin(SERIES_ORDER)].reset_index(drop=True)
    ex_date = pd.to_datetime(rows["ex_date"])
    rows = rows.assign(
        symbol=rows["symbol"].astype(str).str.strip(),
        purpose=rows["purpose"].astype(str).str.strip(),
        ex_date=ex_date,
        known_on=pd.to_datetime(rows["known_on"]).fillna(ex_date) if "known_on" in rows else ex_date,
    )
    rows = rows[rows["ex_date"].notna()]
    parsed = {text: parse_purpose(text) for text in rows["purpose"].unique()}
    records = [
        (row.symbol, row.ex_date, action.kind, action.factor, row.known_on, "official", row.purpose, row.source, None)
        for row in rows.itertuples(index=False)
        for action in parsed[str(row.purpose)]
    ]
    return _without_repeats(typed_events(pd.DataFrame.from_records(records, columns=list(EVENT_COLUMNS))))


def _without_repeats(events: pd.DataFrame) -> pd.DataFrame:
    """Drop repeats of one action; a revised text wins over the one it contradicts."""
    revised = events["purpose"].str.contains("revised", case=False)
    priced = events["kind"].isin(FACTOR_KINDS)
    # Two dividends of one day are two; two readings of one split are one.
    detail = events["purpose"].str.lower().where(~priced, "")
    known_on = events["known_on"].groupby([events["symbol"], events["ex_date"], events["kind"], detail])
    order = events.assign(known_on=known_on.transform("min"), _detail=detail, _first=~(revised & priced))
    order = order.sort_values(["symbol", "ex_date", "kind", "_first"], kind="stable")
    order = order.drop_duplicates(["symbol", "ex_date", "kind", "_detail"])
    return typed_events(order)


def unsettled_events(events: pd.DataFrame) -> pd.DataFrame:
    """Select the unread splits and bonuses (event frame) whose ratio nothing else tells.

    One is settled by another event of the symbol with a factor within ``SAME_EVENT``: a text that could be read,
    or what prices and share counts proved. A second action of the same text tells nothing about the unread one.
    """
    is_unread = events["kind"].eq(UNREAD) & events["status"].ne("rejected")
    if not is_unread.any():
        return events[is_unread]
    unread = events[is_unread].rename_axis("row").reset_index()
    priced = events.loc[events["factor"].gt(0) & events["status"].ne("rejected"), ["symbol", "ex_date", "purpose"]]
    pairs = unread.merge(priced, on="symbol", suffixes=("", "_priced"))
    near = (pairs["ex_date"] - pairs["ex_date_priced"]).abs() <= SAME_EVENT
    settled = pairs.loc[near & pairs["purpose"].ne(pairs["purpose_priced"]), "row"]
    return events[is_unread & ~events.index.isin(settled)]


def blocked_events(events: pd.DataFrame) -> pd.DataFrame:
    """Select the events (event frame) that a label must not cross.

    These are demergers and other schemes, rights issues and capital reductions that are not rejected, whether or not
    prices are adjusted for them, and splits, bonuses and consolidations whose ratio nothing tells. Demergers stand for
    schemes of arrangement too: the list names few of them more closely.
    """
    blocking = events["kind"].isin(BLOCKING_KINDS) & events["status"].ne("rejected")
    return events[blocking | events.index.isin(unsettled_events(events).index)].reset_index(drop=True)
