"""Reconnecting to a lost database: a restart takes seconds and must not cost a run."""

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
"""What is raised when the server stops, refuses or runs out of space; COPY raises the driver's own errors.

A process whose session was terminated because it idled in a transaction for too long gets an internal error.
"""

_PAUSES_SECONDS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0)

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


def retry_while_database_is_down(
    action: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs
) -> Result:
    """Call `action` and return its result; while the database is down retry, on a new connection, for half a minute.

    `action` may be executed twice: its first commit may have succeeded although the confirmation was lost. Raises one
    of `DATABASE_LOST` when the database stays down; at once inside a transaction, which is lost with its connection.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return action(*arguments, **keywords)
        except DATABASE_LOST as error:
            if connection.in_atomic_block:
                raise
            logger.warning("database lost", extra={"reason": str(error).strip(), "seconds": pause})
            connection.close()
            time.sleep(pause)
    return action(*arguments, **keywords)
