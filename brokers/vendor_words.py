"""The words of a broker's answer: shown in sentences of ours, and read where nothing else tells the outcome; pure."""

import re
from typing import Final

from brokers.redaction import without_secrets

_LONGEST: Final = 300
_TIME_WAS_OUT: Final = re.compile(r"\btimed?[ -]?out|\border ?book\b", re.IGNORECASE)
"""Kite: “Order request timed out. Please check the order book and confirm before placing again.”"""


def vendor_words(message: object) -> str:
    """The broker's own words for a sentence of ours: short, on one line, without secrets."""
    words = " ".join(without_secrets(str(message or "")).split())[:_LONGEST]
    return f"“{words}”" if words else "without a word"


def says_that_time_was_out(words: str) -> bool:
    """Whether a refusal says that nobody waited for the outcome: what was requested may have been done."""
    return bool(_TIME_WAS_OUT.search(words))
