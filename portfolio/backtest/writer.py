"""The only writer of `backtests`: each change of a row's status is one conditional update.

A claim raises the fence and gives a lease; whoever lost either may write nothing more. What has ended is never changed:
to compute again is a further row. Leases are written and compared by the database's clock alone.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from market_data.runs import workers
from market_data.runs.leases import longest_lease
from portfolio.models import Backtest, User

ATTEMPTS: Final = 3
"""A backtest whose worker died so many times is given up."""

_Status = Backtest.Status
# No lease, one that has expired or was given before the clock was set back, or one whose worker has provably ended.
_IS_FREE: Final = (
    "status = 'waiting' OR (status = 'running' AND (worker = %(ended)s OR lease_until IS NULL"
    " OR lease_until NOT BETWEEN now() AND now() + make_interval(secs => %(longest_lease)s)))"
)
_CLAIM: Final = (
    "UPDATE backtests SET status = 'running', attempts = attempts + 1, fence = fence + 1, progress = 0,"
    " worker = %(worker)s, lease_until = now() + make_interval(secs => %(lease)s),"
    " started_at = coalesce(started_at, now())"
    f" WHERE id = %(id)s AND fence = %(fence)s AND attempts < %(attempts)s AND ({_IS_FREE}) RETURNING fence"
)
_GIVE_UP: Final = (
    "UPDATE backtests SET status = 'failed', fence = fence + 1, lease_until = NULL, finished_at = now(),"
    f" reason = %(reason)s WHERE id = %(id)s AND fence = %(fence)s AND attempts >= %(attempts)s AND ({_IS_FREE})"
)
_RENEW: Final = (
    "UPDATE backtests SET lease_until = now() + make_interval(secs => %(lease)s), progress = %(progress)s"
    " WHERE id = %(id)s AND fence = %(fence)s AND status = 'running'"
)


class TooManyWaiting(Exception):
    """A person has as many unfinished backtests as one may have; the sentence says so."""


class Claim(NamedTuple):
    """A worker's right to one backtest; another claim of it has a higher fence."""

    id: int
    fence: int


def request_backtest(owner: User, parameters: Mapping[str, Any], recipe: str, *, again: bool = False) -> Backtest:
    """Store a backtest to be computed, or return the one that answers the same request.

    That is the owner's newest by the same parameters and recipe that waits, runs or has completed; with `again`, only
    one that has not ended.

    Parameters
    ----------
    owner
        Who asks for it; `BACKTESTS_WAITING` limits how many of one person wait or run.
    parameters
        As `Parameters.as_json` writes them; checked by the caller.
    recipe
        The champion's, whose predictions the list comes from.

    Raises
    ------
    TooManyWaiting
        With the limit and what to do.
    """
    with transaction.atomic():
        # One request of a person at a time: two at once must neither both be stored nor exceed the limit.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        own = Backtest.objects.filter(owner=owner)
        answers = Backtest.UNFINISHED if again else (*Backtest.UNFINISHED, _Status.COMPLETED)
        same = own.filter(parameters=dict(parameters), recipe=recipe, status__in=answers).defer("content").first()
        if same is not None:
            return same
        unfinished = own.filter(status__in=Backtest.UNFINISHED).count()
        if unfinished >= settings.BACKTESTS_WAITING:
            raise TooManyWaiting(
                f"{unfinished} of your backtests wait or run, and no more than {settings.BACKTESTS_WAITING} may:"
                " wait for one, or cancel one."
            )
        return Backtest.objects.create(
            owner=owner,
            strategy=parameters["strategy"],
            first=date.fromisoformat(parameters["first"]),
            last=date.fromisoformat(parameters["last"]),
            parameters=dict(parameters),
            recipe=recipe,
        )


def claim(backtest: Backtest) -> Claim | None:
    """Claim a backtest that waits, or whose worker is gone; of any number of callers one succeeds.

    After `ATTEMPTS` claims it fails instead: its worker died each time.
    """
    reason = (
        f"It was started {backtest.attempts} times and never ended: its worker died each time. Shorten the span, and"
        " tell whoever looks after the system."
    )
    values: dict[str, Any] = {
        "id": backtest.pk,
        "fence": backtest.fence,
        "attempts": ATTEMPTS,
        "worker": workers.identity(),
        "ended": backtest.worker if backtest.worker and workers.has_ended(backtest.worker) else None,
        "lease": settings.STEP_LEASE_SECONDS,
        "longest_lease": longest_lease().total_seconds(),
        "reason": reason,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_GIVE_UP, values)
    return None if row is None else Claim(backtest.pk, row[0])


def renew(claim: Claim, progress: float) -> bool:
    """Prolong a claim and store the progress (0-1); False when it is lost: taken over, or cancelled."""
    values = {"id": claim.id, "fence": claim.fence, "progress": progress, "lease": settings.STEP_LEASE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, values)
        return bool(cursor.rowcount)


def complete(claim: Claim, content: Mapping[str, Any]) -> bool:
    """Store the result with its recipe and data hash; False, and nothing is stored, when the claim is lost."""
    return _end(
        claim,
        status=_Status.COMPLETED,
        content=content,
        recipe=content["recipe"],
        data_hash=content["data_hash"],
        progress=1.0,
    )


def fail(claim: Claim, reason: str) -> bool:
    """End a backtest with the sentence that says why; False when the claim is lost."""
    return _end(claim, status=_Status.FAILED, reason=reason)


def cancel(backtest: Backtest, by: str) -> bool:
    """Cancel a backtest that waits or runs; False when it had ended. Its worker notices and writes nothing."""
    unfinished = Backtest.objects.filter(pk=backtest.pk, status__in=Backtest.UNFINISHED)
    return bool(
        unfinished.update(status=_Status.CANCELLED, reason=f"Cancelled by {by}.", lease_until=None, finished_at=Now())
    )


def _end(claim: Claim, **values: Any) -> bool:
    owned = Q(pk=claim.id, fence=claim.fence, status=_Status.RUNNING)
    return bool(Backtest.objects.filter(owned).update(lease_until=None, finished_at=Now(), **values))
