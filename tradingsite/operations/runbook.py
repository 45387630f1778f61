"""The runbook, docs/RUNBOOK.md, as entries the console can show.

A heading ``## key: title`` starts an entry. A failed step stores the key of the entry that helps with it.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from market_data.models import PipelineStep

_HEADING: Final = re.compile(r"^## ([a-z-]+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One entry; `first_step` is the first thing to do, as plain text."""

    key: str
    title: str
    html: SafeString
    first_step: str


def entry_of(step: PipelineStep) -> Entry:
    """The entry for a failed step; a general one where its failure named none."""
    general = "step-broke" if step.status == PipelineStep.Status.ERRORED else "step-failed"
    # A key of another version of the program may have lost its entry.
    return entries().get(step.runbook) or entries()[general]


@cache
def entries() -> dict[str, Entry]:
    """All entries by key, in the order of the file."""
    text = Path(settings.BASE_DIR, "docs", "RUNBOOK.md").read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {
        heading[1]: _entry(heading[1], heading[2], text[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    }


def _entry(key: str, title: str, body: str) -> Entry:
    from markdown_it import MarkdownIt  # slow, and only the console's pages need it

    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(body)
    list_start = next((place for place, token in enumerate(tokens) if token.type == "list_item_open"), len(tokens))
    inline = next((token for token in tokens[list_start:] if token.type == "inline"), None)
    children = inline.children or () if inline else ()
    words = "".join(" " if child.type == "softbreak" else child.content for child in children)
    # markdown-it escapes the text and, without the option `html`, passes no markup through.
    return Entry(key, title, mark_safe(markdown.render(body)), words)
