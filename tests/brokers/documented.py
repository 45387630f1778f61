"""The tables of `docs/brokers.md`: which fault or code becomes which class, on a reading and on a write."""

import re

from brokers.protocol import WRITES
from tests.architecture.sources import ROOT

_DOCUMENT = (ROOT / "docs" / "brokers.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows below a heading of the document, without the table's head."""
    parts = re.split(r"^## ", _DOCUMENT, flags=re.MULTILINE)
    [text] = [section for section in parts if section.startswith(heading)]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def expected(row: list[str], call: str) -> str:
    return row[-1] if call in WRITES else row[-2]
