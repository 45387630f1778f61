"""Blots secrets out of texts that leave the process: logs, tracebacks, reasons of steps, alerts.

First by value: whoever reads or decrypts a secret registers it, and from then on it is blotted out wherever it appears.
Then by shape, for secrets that nobody registered: what follows a name such as ``password=``, how brokers and messengers
write their tokens, and passwords in addresses.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

STARS: Final = "***"
SHORTEST_VALUE: Final = 8
"""Shorter values are left to the shapes: blotted out everywhere, `a` or `1234` would make every text unreadable."""

_spellings: tuple[str, ...] = ()

_SECRET_NAME: Final = re.compile(
    r"secret|token|passw|passphrase|authorization|api[-_]?key|auth_?code|cookie|^(pin|pwd|t?otp)$", re.IGNORECASE
)
_NAMES: Final = (
    *("secret", "token", "passwd", "password", "passphrase", "api_key", "api-key", "apikey", "session_id", "sessionid"),
    *("checksum", "pin", "pwd", "otp", "auth_code", "authcode"),
)
_NAME: Final = (
    r"(?:(?:secret|token|passw(?:or)?d|passphrase|api[-_]?key|auth_?code|session_?id|checksum)\w{0,40}"
    r"|(?<![a-z_])(?:pin|pwd|t?otp))"
)
_QUOTED: Final = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_SHAPES: Final = tuple(
    (words, re.compile(pattern, re.IGNORECASE), replacement)
    for words, pattern, replacement in (
        # Up to the last @ before a blank: a password may contain one. Bounded, or a hostile text would take hours.
        (("@",), r"(://[^:/?#\s\"'@]{0,100}:)[^\s\"']{1,300}(?=@)", rf"\1{STARS}"),
        (("/bot",), r"(/bot)\d+:[\w-]+", rf"\1{STARS}"),
        (
            ("authorization",),
            r"(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:basic|bearer|token|enctoken)?\s*)[^\s\"',;]+",
            rf"\1{STARS}",
        ),
        (("eyj",), r"\beyJ[\w-]{4,4000}\.[\w-]{4,4000}\.[\w-]*", STARS),  # a JSON web token, whatever stands before it
        # A digit tells a token from a word: "token authentication failed".
        (
            ("basic ", "bearer ", "token "),
            r"\b(basic|bearer|token|enctoken) (?=[\w.~+/=:-]*\d)[\w.~+/=:-]{8,}",
            rf"\1 {STARS}",
        ),
        (
            _NAMES,
            rf"({_NAME}[\"']?\s{{0,9}}[=:]\s{{0,9}})(?:{_QUOTED}|[^\s\"'&,;}})\]]{{3,}})",
            rf"\1{STARS}",
        ),
    )
)
"""Words of which a text must have one, what is blotted out, and what stays of it."""


def register_secrets(*values: str) -> None:
    """Blot out these values, as they are and as addresses, JSON and Python's `repr` spell them, from now on."""
    global _spellings  # noqa: PLW0603  # one registry a process
    spelt = {
        spelling
        for value in values
        if len(value) >= SHORTEST_VALUE
        for spelling in (value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1])
    }
    if not spelt.issubset(_spellings):
        # The longest first: one secret may be a part of another. A new tuple, because other threads are reading.
        _spellings = tuple(sorted(spelt.union(_spellings), key=len, reverse=True))


def register_address(address: str) -> None:
    """Blot out the password of an address."""
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return
    register_secrets(password, unquote(password))


def register_secret_address(address: str) -> None:
    """Blot out an address that is a secret as a whole, and its path, which messages repeat without the host."""
    register_address(address)
    _, _, path = address.partition("://")[2].partition("/")
    register_secrets(address, path)


def without_values(text: str) -> str:
    """Return the text with every registered secret replaced by stars."""
    for spelling in _spellings:
        if spelling in text:
            text = text.replace(spelling, STARS)
    return text


def without_secrets(text: str) -> str:
    """Return the text with every registered secret, and all that looks like one, replaced by stars."""
    text = without_values(text)
    lower = text.lower()
    for words, shape, replacement in _SHAPES:
        if any(word in lower for word in words):
            text = shape.sub(replacement, text)
    return text


def redacted(value: Any, name: str = "") -> Any:
    """Return a value of a log line without secrets, however deep in it; with a secret-sounding name, only stars."""
    if name and _SECRET_NAME.search(name):
        return STARS
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {key: redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    return value
