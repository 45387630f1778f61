"""The lock of an account's one sender: held by a database session of its own, for as long as that lives.

No clock and no process id is asked: a clock that jumps would let a second sender in.
"""

from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from django.db import Error, connections

_CLASS: Final = 5115
_TAKE: Final = "SELECT pg_try_advisory_lock(%s, %s)"
_HELD: Final = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid = pg_backend_pid()"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = %s AND objid = %s"
)


class AnotherSender(Exception):
    """The account has a sender already; the sentence says so."""


class LockLost(Exception):
    """The session that held the lock has ended: another sender may be at work."""


class AccountLock:
    """Held from its making until it is closed; raises AnotherSender where another session holds it."""

    def __init__(self, account: int) -> None:
        self._key = (_CLASS, account)
        self._session = connections["default"].copy()
        try:
            with self._session.cursor() as cursor:
                cursor.execute(_TAKE, self._key)
                [is_ours] = cursor.fetchone() or (False,)
            if not is_ours:
                raise AnotherSender(f"Another sender is at work for account {account}; there is one at a time.")
        except BaseException:
            self._session.close()
            raise

    def check(self) -> None:
        """Raise LockLost unless the session still holds it."""
        try:
            # A session that was cut off is never opened again: its lock has gone with it.
            if self._session.connection is None:
                raise LockLost("The session of the sender's lock was closed.")
            with self._session.cursor() as cursor:
                cursor.execute(_HELD, self._key)
                [held] = cursor.fetchone() or (0,)
        except Error as error:
            raise LockLost(f"The session of the sender's lock has ended ({type(error).__name__}).") from None
        if not held:
            raise LockLost("The sender's lock has gone.")

    def close(self) -> None:
        """Let it go."""
        # First by a statement: the server notices the end of a session only after a while.
        with suppress(Error):
            if self._session.connection is not None:
                with self._session.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s, %s)", self._key)
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
