"""Who waits for a lock, for tests that let two sessions meet."""

from django.db import connection

WAITING_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def waiting_sessions() -> int:
    """Number of sessions of the test's own database that wait for a lock; the server has those of other workers, too.

    A transaction keeps its first view of the activity until that is cleared.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(WAITING_SESSIONS)
        return int(cursor.fetchone()[0])
