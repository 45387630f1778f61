"""Goes on after the database went away: a restart takes seconds and must not cost a run."""

import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connection

DATABASE_LOST = (
    OperationalError,
    InterfaceError,
    InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)
"""What is raised when the server ends, refuses or runs out of room; COPY raises the driver's own errors.

An internal error is what a process hears that was silent for too long in a transaction: its session was ended.
"""

_PAUSES_SECONDS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0)

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
Given = ParamSpec("Given")


def retry_while_database_is_down(action: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result:
    """Return what `action` returns; while the database is away try again, on a new connection, for half a minute.

    `action` may be carried out twice: its first commit may have come through although its answer did not.

    Raises
    ------
    OperationalError, InterfaceError
        When the database stays away, or at once inside a transaction, which is lost with its connection.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return action(*given, **named)
        except DATABASE_LOST as error:
            if connection.in_atomic_block:
                raise
            logger.warning("the database went away", extra={"reason": str(error).strip(), "seconds": pause})
            connection.close()
            time.sleep(pause)
    return action(*given, **named)
