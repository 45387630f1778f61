"""Acts that change no row: a back-up that was made, a restoration, an export."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS

from tradingsite.models import AuditEntry


def record_act(
    act: str, *, details: dict[str, Any] | None = None, run_id: str = "", using: str = DEFAULT_DB_ALIAS
) -> None:
    """Add an act to the audit, in the caller's transaction; who, when and from where is the database's answer."""
    AuditEntry.objects.using(using).create(act=act, after=details, run_id=run_id)
