"""Reads `.env` as docker compose reads it, and refuses what the two could understand differently.

No message holds a value: it may be a secret, or the rest of one. `run.sh` runs this file by any Python 3, before
anything is installed: ``python3 -I tradingsite/dotenv.py .env NAME`` prints the value of a variable.

Its rules are those of compose-go's `dotenv/parser.go`: blanks around ``=``, ``export`` before the name, ``NAME: value``
and comments after a blank; in single quotes everything stands for itself, in double quotes escapes count; quoted values
may have several lines; the last of two lines with the same name counts. Stricter: nothing is replaced after ``$``
(``$$`` is a dollar), a name alone is no setting, and a ``#`` that versions of compose read differently must be quoted.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_START = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:=|:(?=[ \t]|$))[ \t]*")
_QUOTED = {"'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL), '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)}
_AFTER_QUOTE = re.compile(r"\s*(?:#.*)?")
_ESCAPE = re.compile(r'\\(0[0-7]{0,3}|[abcfnrtv$"\\])')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class DotenvError(ValueError):
    """A line of the file cannot be read; the sentence names the line and the variable, never a value."""


class Variable(NamedTuple):
    """A variable of the file, and the line that it begins on."""

    name: str
    value: str
    line: int


def variables(content: bytes, file: str = ".env") -> list[Variable]:
    """Return the variables in order of their lines; DotenvError at the first line that is none."""
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DotenvError(f"{file}, line {line}, is not UTF-8 text: save the file in that encoding.") from None
    return list(_variables(text, file))


def _variables(text: str, file: str) -> Iterator[Variable]:
    place, line = 0, 1
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        statement = text[place:end].strip()
        if not statement or statement.startswith("#"):
            place, line = end + 1, line + 1
            continue
        place = text.index(statement[0], place)
        start = _START.match(text, place, end)
        if start is None:
            raise DotenvError(f"{file}, line {line}, is not NAME=value, a comment or empty.")
        name, at = start[1], f"{file}, line {line}: {start[1]}"
        if text[start.end() : start.end() + 1] in _QUOTED:
            value, end = _quoted(text, start.end(), at)
        else:
            value = _bare(text[start.end() : end], at)
        if "\0" in value:
            raise DotenvError(f"{at} holds a NUL character, which no variable can.")
        yield Variable(name, value, line)
        line += text.count("\n", place, end) + 1
        place = end + 1


def _quoted(text: str, start: int, at: str) -> tuple[str, int]:
    """Return a quoted value and the end of its last line."""
    quote = text[start]
    value = _QUOTED[quote].match(text, start)
    if value is None:
        raise DotenvError(f"{at} begins with {quote} and does not end with it.")
    end = text.find("\n", value.end())
    end = len(text) if end < 0 else end
    if not _AFTER_QUOTE.fullmatch(text[value.end() : end]):
        raise DotenvError(f"{at} goes on after its closing {quote}: write \\{quote} inside, or use the other quotes.")
    inner = value[1].replace(f"\\{quote}", quote)
    return (inner if quote == "'" else _without_dollars(_ESCAPE.sub(_unescaped, inner), at)), end


def _unescaped(escape: "re.Match[str]") -> str:
    character = escape[1]
    if character[0] == "0":
        return chr(int(character, 8) & 0xFF)
    return _ESCAPED.get(character, character)


def _bare(rest: str, at: str) -> str:
    """Return a value without quotes."""
    value = rest.partition(" #")[0].rstrip()
    if rest.startswith("#") or "\t#" in value:
        raise DotenvError(f"{at} has a # that may be a comment or not: quote the value, or leave a blank before the #.")
    if _ASCII_CONTROL.search(value):
        raise DotenvError(f"{at} holds a control character: save the file as plain text, one variable a line.")
    return _without_dollars(value, at)


def _without_dollars(value: str, at: str) -> str:
    literal = value.replace("$$", "")
    if "$" in literal:
        raise DotenvError(f"{at} has a $, which docker compose would replace: put the value into single quotes.")
    return value.replace("$$", "$")


if __name__ == "__main__":
    path, wanted = sys.argv[1:]
    try:
        values = [variable.value for variable in variables(Path(path).read_bytes(), path) if variable.name == wanted]
    except (DotenvError, OSError) as error:
        sys.exit(str(error))
    sys.stdout.write("".join(values[-1:]))
