"""Corporate actions as the exchange words them, turned into events with a price factor.

Source of the layout: the exchange's list of corporate actions (``CF-CA-equities.csv``) and the ``bc`` file of its
daily report pack. The purpose is free text; only what is written there counts, nothing is guessed: a split whose
ratio cannot be read is an event without a factor, which the checks downstream show.

The factor multiplies prices of the days *before* the ex-date. A face value split from ₹10 to ₹1 is 0.1, a bonus
``a:b`` (a new shares for b held) is ``b / (a + b)``, a consolidation from ₹1 to ₹10 is 10. Dividends, rights,
demergers and capital reductions have no factor here: their effect on the price cannot be read from the text.
"""

import math
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from market_data.prices.bars import SERIES_ORDER

EVENT_COLUMNS = ("symbol", "ex_date", "kind", "factor", "known_on", "status", "purpose", "source", "evidence")
KINDS = ("split", "bonus", "dividend", "rights", "demerger", "capital_reduction", "consolidation", "other")
FACTOR_KINDS = ("split", "bonus", "consolidation")
# A holder receives something that the share's own price does not show, so a return across the ex-date is not a return.
BLOCKING_KINDS = ("rights", "demerger", "capital_reduction")

_NUMBER = r"(\d+(?:\.\d+)?)"
_FROM_TO = rf"\D*?{_NUMBER}.*?\bto\b\D*?{_NUMBER}"
_SPLIT_WORD = re.compile(r"\bfv\s*spl|\bsplit\b|\bsplt\b|\bsub\s*-?\s*division\b")
_SPLIT = re.compile(rf"(?:spl\w*|sub\s*-?\s*division)\b{_FROM_TO}")
_CONSOLIDATION_WORD = re.compile(r"\bconsolidation\b")
_CONSOLIDATION = re.compile(rf"\bconsolidation\b{_FROM_TO}")
_BONUS_WORD = re.compile(r"\bbonus\b")
_BONUS = re.compile(r"\bbonus\b(?:\s+(?:issue|shares?|equity))*[\s:-]*(\d+)\s*:\s*(\d+)")
# Bonus preference shares, debentures and warrants leave the number of equity shares alone.
_NOT_EQUITY = re.compile(r"\bncrps\b|\bncps\b|debenture|preference|\bncd|\bccd|\bpref|warrant")
_RIGHTS = re.compile(r"\brights?\b")
_SCHEME = re.compile(r"de-?merger|spin-?\s?off|\bsc?heme\b|amalgamation|\bmerger\b|hiving")
_REDUCTION = re.compile(r"\bcap(?:ital)?\.? red|reduction (?:of|in) (?:share )?capital")
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
    actions = _face_value_actions(text)
    actions.extend(_bonus_actions(text))
    others = (("demerger", _SCHEME), ("rights", _RIGHTS), ("capital_reduction", _REDUCTION), ("dividend", _DIVIDEND))
    actions.extend(ParsedAction(kind, math.nan) for kind, words in others if words.search(text))
    if not actions and text and not _MEETING.search(text):
        actions.append(ParsedAction("other", math.nan))
    return actions


def _face_value_actions(text: str) -> list[ParsedAction]:
    """Splits and consolidations: both change the face value; its direction tells which."""
    actions = []
    for kind, word, ratio in (("split", _SPLIT_WORD, _SPLIT), ("consolidation", _CONSOLIDATION_WORD, _CONSOLIDATION)):
        if not word.search(text):
            continue
        match = ratio.search(text)
        factor = _ratio(float(match[2]), float(match[1])) if match else math.nan
        actual = kind if math.isnan(factor) else "split" if factor < 1 else "consolidation"
        actions.append(ParsedAction(actual, factor))
    return actions


def _bonus_actions(text: str) -> list[ParsedAction]:
    if not _BONUS_WORD.search(text):
        return []
    clause = text[text.index("bonus") :]
    if _NOT_EQUITY.search(clause):
        return [ParsedAction("other", math.nan)]
    match = _BONUS.search(clause)
    new, held = (float(match[1]), float(match[2])) if match else (math.nan, math.nan)
    return [ParsedAction("bonus", _ratio(held, new + held))]


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
    events = events.loc[:, list(EVENT_COLUMNS)].astype({**texts, "factor": np.float64})
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
    rows = raw.loc[raw["series"].astype(str).str.strip().isin(SERIES_ORDER)].reset_index(drop=True)
    ex_date = pd.to_datetime(rows["ex_date"])
    rows = rows.assign(
        symbol=rows["symbol"].astype(str).str.strip(),
        purpose=rows["purpose"].astype(str).str.strip(),
        ex_date=ex_date,
        known_on=pd.to_datetime(rows["known_on"]).fillna(ex_date) if "known_on" in rows else ex_date,
    )
    rows = rows.loc[rows["ex_date"].notna()]
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


def blocked_events(events: pd.DataFrame) -> pd.DataFrame:
    """Select the events (event frame) that a label must not cross.

    These are demergers and other schemes, rights issues and capital reductions that are not rejected, and splits,
    bonuses and consolidations whose ratio could not be read. Demergers stand for schemes of arrangement too: the list
    names few of them more closely.
    """
    blocking = events["kind"].isin(BLOCKING_KINDS)
    unread = events["kind"].isin(FACTOR_KINDS) & events["factor"].isna()
    return events.loc[(blocking | unread) & (events["status"] != "rejected")].reset_index(drop=True)
