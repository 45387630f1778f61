"""What the checks of data quality keep out on sessions of the past, whether their evenings ran or not."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from market_data import quality
from market_data.models import Finding
from market_data.quality.blocking import held, refusal_sentence
from market_data.storage import queries


class Blocked(NamedTuple):
    """What a session's checks, and those of the sessions before it, block: jumps of single shares come on top.

    `refusal` says why the whole session has no picks, empty when it may have some.
    """

    symbols: set[str]
    refusal: str


def blocked_between(
    sessions: Sequence[date], metrics_of: Callable[[date], pd.DataFrame | None]
) -> Iterator[tuple[date, Blocked]]:
    """Yield each session with what an evening of that session would have blocked, ascending.

    `metrics_of` gives each session's metrics in turn. It is also asked for the sessions before and between whose
    findings still hold on one of them, and returns None there: such findings do not depend on metrics. What steps other
    than the checks recorded (missing lists, jumps of many shares at once) is read as it is stored.

    Point in time: as `quality.findings_between`.
    """
    wanted, stored = set(sessions), _stored_refusals(sessions)
    rows: list[dict[str, Any]] = []
    for session, findings in quality.findings_between(_sessions_that_hold(sessions), metrics_of=metrics_of):
        blocking = [finding | {"session": pd.Timestamp(session)} for finding in findings if finding["blocks"]]
        rows += [finding for finding in blocking if finding["symbol"]]
        if session not in wanted:
            continue
        of_day = [*stored.get(session, []), *(row for row in blocking if not row["symbol"])]
        yield session, Blocked(_held_symbols(rows, session), refusal_sentence(session, of_day))


def _sessions_that_hold(sessions: Sequence[date]) -> list[date]:
    """The sessions, and those before each whose findings still hold on it."""
    before = queries.sessions_before(sessions[0], quality.HOLDS_SESSIONS - 1)
    loaded = sorted({*before, *queries.sessions_between(sessions[0], sessions[-1]), *sessions})
    ends = [bisect_left(loaded, session) for session in sessions]
    rows = {row for end in ends for row in range(max(end - quality.HOLDS_SESSIONS + 1, 0), end + 1)}
    return [loaded[row] for row in sorted(rows)]


def _held_symbols(rows: list[dict[str, Any]], session: date) -> set[str]:
    if not rows:
        return set()
    frame = pd.DataFrame(rows, columns=["symbol", "session", "check_name"])
    return set(held(frame, session)["symbol"].astype(str))


def _stored_refusals(sessions: Sequence[date]) -> dict[date, list[dict[str, Any]]]:
    """What was stored about whole sessions by steps that are no checks: it is not computed again."""
    names = [check.name for check in quality.CHECKS]
    stored = Finding.objects.filter(session__range=(sessions[0], sessions[-1]), blocks=True, symbol="")
    of_day: dict[date, list[dict[str, Any]]] = {}
    for session, message in stored.exclude(check_name__in=names).values_list("session", "message").order_by("id"):
        if session is not None:
            of_day.setdefault(session, []).append({"message": message})
    return of_day
