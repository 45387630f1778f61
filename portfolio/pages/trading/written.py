"""Numbers, names and keys as people and programs write them: read exactly, or refused with value and remedy."""

import re
from decimal import Decimal
from typing import Final

from portfolio.orders.events import LARGEST_QUANTITY

HIGHEST_PRICE: Final = 10_000_000
MOST_MONEY: Final = Decimal(1_000_000_000)
_QUANTITY = re.compile(r"[0-9]{1,9}")
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,4})?")
_RUPEES = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&_.-]{0,49}")
_KEY = re.compile(r"[A-Za-z0-9_-]{8,40}")
_LONGEST_SHOWN: Final = 30


class NotWritten(ValueError):
    """A text that says no such thing; the sentence names it and what to write."""


def quantity(text: str) -> int:
    """A number of shares above zero."""
    if not _QUANTITY.fullmatch(text) or not int(text):
        raise NotWritten(f"{shown(text)} is no number of shares: give a whole number from 1 to {LARGEST_QUANTITY}.")
    return int(text)


def price(text: str) -> Decimal:
    """A price in ₹ above zero."""
    value = Decimal(text) if _AMOUNT.fullmatch(text) else Decimal(0)
    if not 0 < value <= HIGHEST_PRICE:
        raise NotWritten(
            f"{shown(text)} is no price: give ₹ per share above 0, at most {HIGHEST_PRICE}, such as 1402.50."
        )
    return value


def rupees(text: str) -> Decimal:
    """An amount of money above zero, to the paisa."""
    value = Decimal(text) if _RUPEES.fullmatch(text) else Decimal(0)
    if not 0 < value <= MOST_MONEY:
        raise NotWritten(
            f"{shown(text)} is no amount: give ₹ above 0, at most {MOST_MONEY:f}, with paise, such as 1000000.00."
        )
    return value


def protection(text: str) -> Decimal:
    """How far from the last price a market order may go, in percent; -1: the broker's own limit."""
    if text == "-1":
        return Decimal(-1)
    value = Decimal(text) if _RUPEES.fullmatch(text) else Decimal(0)
    if not 0 < value <= 100:
        raise NotWritten(
            f"{shown(text)} is no market protection: give percent above 0, at most 100, or -1 for the broker's own."
        )
    return value


def symbol(text: str) -> str:
    """A share's symbol, in capitals; whether there is such a share is for the checks to say."""
    name = text.upper()
    if not _SYMBOL.fullmatch(name):
        raise NotWritten(f"{shown(text)} is no symbol: give the NSE's, such as RELIANCE or M&M.")
    return name


def one_time_key(text: str) -> str:
    """The key by which a second submission is known."""
    if not _KEY.fullmatch(text):
        raise NotWritten(
            f"{shown(text)} is no one-time key: give 8 to 40 letters, digits, - or _, another for each order;"
            " on a page, open the form again."
        )
    return text


def shown(text: str) -> str:
    """A text as sentences quote it."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def signed_quantity(text: str) -> int:
    """A number of shares that come, or with a minus that go."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    return sign * quantity(digits)


def signed_rupees(text: str) -> Decimal:
    """An amount of money that comes, or with a minus that goes."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    return sign * rupees(digits)
