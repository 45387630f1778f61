"""What a check is, and what it finds; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import pandas as pd

from market_data.quality.checks.evidence import Evidence

HOLDS_SESSIONS = 20
"""How long a blocking finding about a symbol keeps it out: the month whose averages its wrong bar is part of."""

SYMBOLS_A_CHECK = 25
FEWEST_SYMBOLS, SHARE_OF_MARKET = 5, 0.05
"""More symbols than these (25; in a small market 5 %, at least 5) are one trouble of the day, not many of symbols."""

_SAMPLE = 20


class Blocks(StrEnum):
    """What a finding keeps out of the picks."""

    NOTHING = "nothing"
    SYMBOL = "symbol"
    DAY = "day"


class Fault(NamedTuple):
    """One thing a check found: the symbol (empty for the whole day), a sentence, and the values behind it."""

    symbol: str
    message: str
    sample: dict[str, Any]


@dataclass(frozen=True)
class Check:
    """One check of a session.

    Attributes
    ----------
    name
        As in `findings.check_name`.
    severity
        info, warning or error.
    blocks
        What it keeps out of the picks: nothing, the symbol it names, or the whole day. A check that blocks symbols and
        finds more of them than ``limit_of`` allows distrusts the day.
    why
        What it looks at and why its limits are where they are, for a person.
    remedy
        What a person does about it.
    find
        Pure: what is wrong with a session's evidence.
    holds
        For how many sessions, its own among them, a finding about a symbol keeps the symbol out.
    needs
        Frame of the evidence without which there is nothing to check; empty where the check looks at none.
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
        """Return what the check finds as fields of a finding, at most ``limit_of`` of them.

        Where there are more, one finding of the day takes their place: their number, and some of them as its sample.
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
            "remedy": self.remedy,
            "sample": fault.sample,
        }


def limit_of(bars: int) -> int:
    """Return how many symbols of a market of that many bars one check may name singly."""
    return min(SYMBOLS_A_CHECK, max(FEWEST_SYMBOLS, int(SHARE_OF_MARKET * bars)))


def _together(faults: Sequence[Fault]) -> Fault:
    sample = {"count": len(faults), "symbols": {fault.symbol: fault.sample for fault in faults[:_SAMPLE]}}
    return Fault("", f"{len(faults)} symbols, among them: {faults[0].message}", sample)


def day_fault(message: str, **sample: Any) -> list[Fault]:
    """Return one fault of the whole day."""
    return [Fault("", message, sample)]


def symbol_faults(rows: pd.DataFrame, text: str, *columns: str) -> list[Fault]:
    """Return one fault a row.

    Parameters
    ----------
    rows
        Has symbol.
    text
        The sentence, with columns of the rows in braces, as `str.format` takes them.
    columns
        Those kept as the sample.
    """
    if rows.empty:
        return []
    return [
        Fault(str(row["symbol"]), text.format_map(row), {name: plain(row[name]) for name in columns})
        for row in rows.astype(object).to_dict("records")
    ]


def first_reason(rows: pd.DataFrame, reasons: Mapping[str, pd.Series]) -> pd.Series:
    """Return for each row the first of some reasons that holds, empty where none does; unknown does not hold."""
    reason = pd.Series("", index=rows.index)
    for words, unsure in reasons.items():
        holds = unsure.fillna(False).astype(bool)
        if holds.any():
            reason = reason.mask(holds & reason.eq(""), words)
    return reason


def counted(symbols: Sequence[str], text: str, **sample: Any) -> list[Fault]:
    """Return one fault of the day about a number of symbols; none where there are none."""
    if not symbols:
        return []
    some = ", ".join(symbols[:5]) + (" …" if len(symbols) > 5 else "")
    message = text.format(count=len(symbols), some=some, **sample)
    return day_fault(message, count=len(symbols), symbols=list(symbols[:_SAMPLE]), **sample)


def plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return round(value, 6) if isinstance(value, float) else value
