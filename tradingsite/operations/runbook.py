"""The runbook: which of its entries a failure belongs to, and its text as parts a page can show.

The text is docs/RUNBOOK.md; a heading ``## slug: title`` begins an entry. Only paragraphs, lists and `code` are used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_HEADING: Final = re.compile(r"^## ([a-z-]+): (.+)$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`]+)`")

# The first rule whose words a reason holds; what errored without a known reason broke.
_RULES: Final[tuple[tuple[str, str], ...]] = (
    (r"No space left|DiskFull|disk is full", "disk-full"),
    (r"has no bars for|is missing|put the day's file", "file-missing"),
    (r"could not be taken|truncated|could not be read|changed while|not believed|cannot be believed", "file-refused"),
    (r"did not answer|timed out|Retry-After|refused the connection|HTTP \d{3}|answered [45]\d\d", "source-silent"),
    (r"Market days are known|No session (on|after)", "calendar-ends"),
    (r"The fit ended with|No accepted model", "training-failed"),
    (r"its worker died|Interrupted|interrupted", "worker-died"),
    (r"server closed the connection|terminating connection|OperationalError|connection .* lost", "database-lost"),
    (r"failed a check|failed the check|tolerance", "check-failed"),
    (r"stock_filters|threshold", "filters-invalid"),
    (r"holds a (real|simulated) market", "other-market"),
    (r"back-up|BACKUP_DIR", "backup-failed"),
    (r"cancelled by", "cancelled"),
)
STEP_BROKE, FAILED, CLUSTER_DEAD = "step-broke", "step-failed", "cluster-dead"


@dataclass(frozen=True)
class Entry:
    """One entry: `first` is its first sentence of what to do."""

    slug: str
    title: str
    html: SafeString
    first: str


def entry_of(reason: str, *, broke: bool = False) -> Entry:
    """Return the entry a failure belongs to.

    Parameters
    ----------
    reason : str
        What the step said.
    broke : bool
        Whether it broke (a traceback) rather than said so.
    """
    slug = next((slug for words, slug in _RULES if re.search(words, reason)), STEP_BROKE if broke else FAILED)
    return entries()[slug]


def slugs_of_rules() -> set[str]:
    """Return the entries that failures can point to."""
    return {slug for _, slug in _RULES} | {STEP_BROKE, FAILED, CLUSTER_DEAD}


@cache
def entries() -> dict[str, Entry]:
    """Return all entries by slug, in the order of the file."""
    text = Path(settings.BASE_DIR, "docs", "RUNBOOK.md").read_text(encoding="utf-8")
    found = list(_HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    made = {}
    for match, end in zip(found, ends, strict=True):
        body = text[match.end() : end].strip()
        made[match[1]] = Entry(match[1], match[2], _html(body), _first_deed(body))
    return made


def _first_deed(body: str) -> str:
    """Return the first point of the entry's list: what to do first."""
    point = next((line[2:] for line in _joined(body) if line.startswith(("- ", "1. "))), "")
    return re.sub(r"^\. ", "", point).strip().replace("`", "")


def _joined(body: str) -> Iterator[str]:
    """Yield paragraphs and points, each on one line; a point begins with a dash or a number."""
    current = ""
    for line in [*body.splitlines(), ""]:
        begins = not line.strip() or re.match(r"^(- |\d+\. )", line)
        if begins and current:
            yield current
            current = ""
        current = f"{current} {line.strip()}".strip()
    if current:
        yield current


def _html(body: str) -> SafeString:
    parts, kind = [], ""
    for line in _joined(body):
        match = re.match(r"^(- |\d+\. )", line)
        wanted = "" if not match else "ul" if match[1] == "- " else "ol"
        if wanted != kind:
            parts += [f"</{kind}>"] if kind else []
            parts += [f"<{wanted}>"] if wanted else []
            kind = wanted
        text = _CODE.sub(r"<code>\1</code>", escape(line[match.end() :] if match else line))
        parts.append(f"<li>{text}</li>" if match else f"<p>{text}</p>")
    if kind:
        parts.append(f"</{kind}>")
    return mark_safe("\n".join(parts))
