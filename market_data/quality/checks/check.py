"""What a check is and how its faults become findings; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import pandas as pd

from market_data.quality.checks.evidence import Evidence

HOLDS_SESSIONS = 20
"""Sessions for which a finding blocks its symbol by default: the month whose averages contain the wrong bar."""

MOST_SYMBOLS = 25
FEWEST_SYMBOLS, SHARE_OF_MARKET = 5, 0.05
"""Faults of more symbols (25; in a small market 5 %, at least 5) are one problem of the day, not many of symbols."""

_SAMPLE = 20


class Blocks(StrEnum):
    """What a finding blocks from the picks."""

    NOTHING = "nothing"
    SYMBOL = "symbol"
    DAY = "day"


class Fault(NamedTuple):
    """One fault: its symbol (empty for the whole day), a sentence, the values behind it, and a remedy of its own."""

    symbol: str
    message: str
    sample: dict[str, Any]
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One check of a session: `find`, which is pure, returns the faults in a session's evidence.

    `severity` is info, warning or error. A check that blocks symbols blocks the day when it finds more of them than
    `limit_of` allows. For the operator, `why` says what it compares and why its limits are where they are. A finding
    blocks its symbol for `holds` sessions, its own included. `needs` is the frame of the evidence that must have rows
    for the check to run; empty when it needs none.
    """

    name: str
    severity: str
    blocks: Blocks
    why: str
    remedy: str
    find: Callable[[Evidence], Sequence[Fault]]
    holds: int = HOLDS_SESSIONS
    needs: str = "bars"

    def findings(self, evidence: Evidence) -> list[dict[str, Any]]:
        """Return the faults as fields of a finding, at most ``limit_of`` about symbols.

        More of them become one finding of the day, with their number and a sample.
        """
        if self.needs and getattr(evidence, self.needs).empty:
            return []
        faults = sorted(self.find(evidence), key=lambda fault: fault[:2])
        of_symbols = [fault for fault in faults if fault.symbol]
        if len(of_symbols) > limit_of(len(evidence.bars)):
            of_day = [fault for fault in faults if not fault.symbol]
            return [self._finding(fault) for fault in [*of_day, _together(of_symbols)]]
        return [self._finding(fault) for fault in faults]

    def _finding(self, fault: Fault) -> dict[str, Any]:
        return {
            "check_name": self.name,
            "severity": self.severity,
            "blocks": self.blocks != Blocks.NOTHING,
            "symbol": fault.symbol,
            "message": fault.message,
            "remedy": fault.remedy or self.remedy,
            "sample": fault.sample,
        }


def limit_of(bars: int) -> int:
    """Return how many symbols one check may name singly in a market of that many bars."""
    return min(MOST_SYMBOLS, max(FEWEST_SYMBOLS, int(SHARE_OF_MARKET * bars)))


def _together(faults: Sequence[Fault]) -> Fault:
    sample = {"count": len(faults), "symbols": {fault.symbol: fault.sample for fault in faults[:_SAMPLE]}}
    return Fault("", f"{len(faults)} symbols, among them: {faults[0].message}", sample)


def day_fault(message: str, **sample: Any) -> list[Fault]:
    return [Fault("", message, sample)]


def symbol_faults(rows: pd.DataFrame, text: str, *columns: str) -> list[Fault]:
    """Return one fault per row, each of another symbol.

    `text` is a `str.format` template over the columns of `rows`; `columns` are kept as the sample.
    """
    if rows.empty:
        return []
    return [
        Fault(str(row["symbol"]), text.format_map(row), {name: plain(row[name]) for name in columns})
        for row in rows.astype(object).to_dict("records")
    ]


def first_reason(rows: pd.DataFrame, reasons: Mapping[str, pd.Series]) -> pd.Series:
    """Return for each row the first reason that applies, empty where none does; NULL does not apply."""
    reason = pd.Series("", index=rows.index)
    for text, condition in reasons.items():
        applies = condition.fillna(False).astype(bool)
        if applies.any():
            reason = reason.mask(applies & reason.eq(""), text)
    return reason


def counted(symbols: Sequence[str], singular: str, plural: str, **sample: Any) -> list[Fault]:
    """Return one fault of the day that counts symbols and names some; none without symbols.

    `singular` and `plural` are its sentences for one symbol and for more.
    """
    if not symbols:
        return []
    some = ", ".join(symbols[:5]) + (" …" if len(symbols) > 5 else "")
    message = (singular if len(symbols) == 1 else plural).format(count=len(symbols), some=some, **sample)
    return day_fault(message, count=len(symbols), symbols=list(symbols[:_SAMPLE]), **sample)


def plain(value: Any) -> Any:
    """Return a value as a JSON scalar, floats rounded to six decimals."""
    if pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return round(value, 6) if isinstance(value, float) else value
