"""The queue's results as JSON: django-q2 stores arguments and results as pickles, and reading one runs what it says.

Whoever can write a row of `django_q_task` would run code in the page or cluster that reads it. The field encodes by two
functions of its module; here they become JSON's. Nothing of ours reads a result but the admin, which shows it.
"""

import json
from typing import Any, Final

from picklefield import fields

from brokers.redaction import redacted, without_values

UNREADABLE: Final = "(a pickle, which is not read)"
"""Shown for what an older version stored, or somebody planted."""


def store_results_as_json() -> None:
    """Make django-q2 write and read JSON in this process; called once, before the first task."""
    fields.dumps, fields.loads = _dumps, _loads


def _dumps(value: Any, protocol: int | None = None) -> bytes:
    """Encode a value without secrets; what JSON does not know becomes its text."""
    return without_values(json.dumps(redacted(value), default=str)).encode()


def _loads(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return UNREADABLE
