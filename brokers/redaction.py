"""Blots secrets out of texts that leave the process: logs, tracebacks, reasons of steps, alerts.

First by value: whoever reads or decrypts a secret registers it, and from then on it is blotted out wherever it appears.
Then by shape, for secrets that nobody registered: what follows a name such as ``password=``, how brokers and messengers
write their tokens, and passwords in addresses.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

STARS: Final = "***"
SHORTEST_VALUE: Final = 8
"""Shorter values are left to the shapes: blotted out everywhere, `a` or `1234` would make every text unreadable."""

_spellings: tuple[str, ...] = ()

_SECRET_NAME: Final = re.compile(
    r"secret|token|passw|passphrase|authorization|api[-_]?key|auth_?code|cookie|checksum|app_?id_?hash|^(pin|pwd|t?otp)$",
    re.IGNORECASE,
)
_NAMES: Final = (
    *("secret", "token", "passwd", "password", "passphrase", "api_key", "api-key", "apikey", "session_id", "sessionid"),
    *("checksum", "pin", "pwd", "otp", "auth_code", "authcode", "idhash", "id_hash"),
)
_NAME: Final = (
    r"(?:(?:secret|token|passw(?:or)?d|passphrase|api[-_]?key|auth_?code|session_?id|checksum|app_?id_?hash)\w{0,40}"
    r"|(?<![a-z_])(?:pin|pwd|t?otp))"
)
_QUOTED: Final = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_SHAPES: Final = tuple(
    (words, re.compile(pattern, re.IGNORECASE))
    for words, pattern in (
        # Up to the last @ before a blank: a password may contain one. Bounded, or a hostile text would take hours.
        (("@",), r"(://[^:/?#\s\"'@]{0,100}:)[^\s\"']{1,300}(?=@)"),
        (("/bot",), r"(/bot)\d+:[\w-]+"),
        (
            ("authorization",),
            r"(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:basic|bearer|token|enctoken)?\s*)[^\s\"',;]+",
        ),
        (("eyj",), r"\beyJ[\w-]{4,4000}\.[\w-]{4,4000}\.[\w-]*"),  # a JSON web token, whatever stands before it
        # A digit tells a token from a word: "token authentication failed".
        (
            ("basic ", "bearer ", "token "),
            r"\b((?:basic|bearer|token|enctoken) )(?=[\w.~+/=:-]*\d)[\w.~+/=:-]{8,}",
        ),
        (
            _NAMES,
            rf"({_NAME}[\"']?\s{{0,9}}[=:]\s{{0,9}})(?:{_QUOTED}|[^\s\"'&,;}})\]]{{3,}})",
        ),
    )
)
"""Words of which a text must have one, and what is blotted out, but for its first group, which stays."""


def register_secrets(*values: str) -> None:
    """Blot out these values, as they are and as addresses, JSON, HTML and Python's `repr` spell them, from now on."""
    global _spellings  # noqa: PLW0603  # one registry a process
    spelt = {
        spelling
        for value in values
        if len(value) >= SHORTEST_VALUE
        for spelling in (
            *(value, quote(value, safe=""), quote_plus(value)),
            *(json.dumps(value)[1:-1], repr(value)[1:-1], html.escape(value)),
        )
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
    return _blotted(text, _value_spans(text))


def without_secrets(text: str) -> str:
    """Return the text with every registered secret, and all that looks like one, replaced by stars.

    Both are looked for in the text as it is: somebody's password may be the word ``password``, by which the shapes know
    another one, and a shape may end in the middle of a registered secret.
    """
    return _blotted(text, [*_value_spans(text), *_shape_spans(text)])


def _value_spans(text: str) -> Iterator[tuple[int, int]]:
    for spelling in _spellings:
        start = text.find(spelling)
        while start >= 0:
            yield start, start + len(spelling)
            start = text.find(spelling, start + 1)


def _shape_spans(text: str) -> Iterator[tuple[int, int]]:
    """What the shapes blot out: all that follows the group that stays."""
    lower = text.lower()
    for words, shape in _SHAPES:
        if any(word in lower for word in words):
            for match in shape.finditer(text):
                yield (match.end(1) if shape.groups else match.start()), match.end()


def _blotted(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with stars for each stretch that spans cover."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done or not parts:
            parts += [text[done:start], STARS]
        done = max(done, end)
    return "".join((*parts, text[done:])) if parts else text


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
