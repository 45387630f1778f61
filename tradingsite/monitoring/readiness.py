"""Readiness: whether database, cache and clusters work, and the data are fresh.

Each part states what is wrong and what to do; none reveals an address, an account or a traceback.
"""

import logging
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.cache import cache
from django.db import DatabaseError, connection, transaction

from market_data import trading_calendar
from market_data.storage.queries import latest_loaded_session
from market_data.trading_calendar import CalendarError
from tradingsite.clusters.progress import cluster_liveness

DUE_AFTER: Final = timedelta(hours=9, minutes=30)
"""After a session's close; its bars are requested from 21:00 until 01:00, nine and a half hours after the close."""

_STATEMENT_TIMEOUT: Final = "3s"

Part = dict[str, Any]
logger = logging.getLogger(__name__)


def readiness(now: datetime, only: Collection[str] = ()) -> dict[str, Part]:
    """Check the requested ones of `PARTS` (default: all) and return each with `ok`, `detail` and its figures."""
    requested = [name for name in PARTS if not only or name in only]
    parts: dict[str, Part] = {"cache": _cache()} if "cache" in requested else {}
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'")
            parts |= {name: PARTS[name](now) for name in requested if name != "cache"}
    except DatabaseError:
        logger.exception("the database does not answer")
        for name in requested:
            parts.setdefault(name, _part(False, "Unknown while the database does not answer."))
        parts["database"] = _part(False, "The database does not answer; check that it runs and can be reached.")
    return {name: parts[name] for name in requested}


def _part(ok: bool, detail: str, **figures: object) -> Part:
    return {"ok": ok, "detail": detail, **figures}


def _database(now: datetime) -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return _part(True, "It answers.")


def _cache() -> Part:
    # django-redis swallows connection errors: probe with a write and a read.
    key, value = "readiness", uuid.uuid4().hex
    cache.set(key, value, 10)
    # Any value will do: a simultaneous probe may have overwritten ours.
    if cache.get(key) is None:
        return _part(False, "The cache does not work; pages are slower until it runs again.")
    return _part(True, "It answers.")


def _clusters(now: datetime) -> Part:
    liveness = cluster_liveness(now)
    ages = {name: cluster.heartbeat_age_seconds for name, cluster in liveness.items()}
    silent = [name for name, cluster in liveness.items() if not cluster.is_alive]
    if silent:
        detail = f"No sign of life from {', '.join(silent)}; where nothing restarts them: manage.py qcluster."
        return _part(False, detail, heartbeat_age_seconds=ages)
    return _part(True, "All are alive.", heartbeat_age_seconds=ages)


def _data(now: datetime) -> Part:
    latest = latest_loaded_session()
    if latest is None:
        detail = "No session has been loaded yet; ./run.sh manage run_all loads the market."
        return _part(False, detail, latest_session=None)
    try:
        due = trading_calendar.latest_completed_session(now - DUE_AFTER)
    except CalendarError as error:
        return _part(False, str(error), latest_session=latest)
    if latest < due:
        detail = f"The session of {due} is overdue; see the runs of the job pipeline."
        return _part(False, detail, latest_session=latest, due_session=due)
    return _part(True, f"Loaded up to {latest}.", latest_session=latest, due_session=due)


PARTS: Final[dict[str, Callable[[datetime], Part]]] = {
    "database": _database,
    "cache": lambda now: _cache(),
    "clusters": _clusters,
    "data": _data,
}
