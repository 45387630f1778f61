"""Computing backtests in the background: one delivery carries an id, and any number of deliveries compute once.

The queue holds at most one of them at a time, so that the nightly training waits for no more than one.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django_q.models import OrmQ
from django_q.tasks import async_task

from brokers.redaction import redacted
from market_data.runs import workers
from market_data.runs.leases import Keeper, database_time, longest_lease
from market_data.runs.reconnecting import DATABASE_LOST, retry_while_database_is_down
from market_data.storage.queries import latest_session
from ml.champions.queries import champion
from portfolio.backtest import queries, writer
from portfolio.backtest.parameters import BacktestError, Parameters, parameters
from portfolio.models import Backtest, User

CLUSTER: Final = "ml"
"""The queue of what computes for minutes; it has one worker."""

BACKTEST: Final = "backtest"
"""What its work is called beside that of jobs."""

COMPUTE: Final = "portfolio.tasks.compute_backtest"

_PAISA: Final = Decimal("0.01")

Compute = Callable[[Parameters, Callable[[int, int], None]], dict[str, Any]]

logger = logging.getLogger(__name__)


class ClaimLost(Exception):
    """Another worker computes the backtest by now, or it was cancelled: further work is discarded."""


class _Keeper(Keeper):
    """Renews the claim of a backtest."""

    def __init__(self, claim: writer.Claim) -> None:
        super().__init__(f"backtest-{claim.id}", settings.STEP_LEASE_SECONDS)
        self._claim = claim
        self._deadline = time.monotonic() + settings.BACKTEST_SECONDS

    def is_lost(self) -> bool:
        return not writer.renew(self._claim, self.progress)

    def report(self, done: int, total: int) -> None:
        """Receive the progress of the work; ClaimLost or BacktestError ends it."""
        if self.lost:
            raise ClaimLost
        if time.monotonic() > self._deadline:
            raise BacktestError(
                f"It was ended after {settings.BACKTEST_SECONDS} seconds at {done} of {total}: shorten the span, or let"
                " an operator raise BACKTEST_SECONDS."
            )
        self.progress = min(done / total, 1.0) if total else 0.0


def start(owner: User, terms: Parameters, *, again: bool = False) -> Backtest:
    """Store a backtest of the champion's list and queue it, or return the one that answers the same request.

    Raises
    ------
    writer.TooManyWaiting
        When as many of this person as may wait already do.
    """
    current, latest = champion(), latest_session()
    # 1000000, 1000000.0 and 1E6 are the same request.
    whole = terms.capital.to_integral_value()
    capital = whole if terms.capital == whole else terms.capital.quantize(_PAISA)
    # A span that goes on after the data is another request once they do.
    last = latest if latest and terms.first <= latest < terms.last else terms.last
    stored = replace(terms, capital=capital, last=last).as_json()
    backtest = writer.request_backtest(owner, stored, current.recipe if current else "", again=again)
    deliver_next()
    return backtest


def stored_parameters(backtest: Backtest) -> Parameters:
    """The parameters of a stored backtest; BacktestError when this version of the software does not allow them."""
    return parameters(backtest.parameters | {"charges": backtest.parameters["broker"] is not None})


def _simulation() -> Compute:
    from portfolio.backtest.content import backtest  # slow, and those who only queue one do not need it

    return backtest


def compute(backtest_id: int, simulate: Compute | None = None) -> None:
    """Claim a backtest, compute it and store the result, or the sentence that says why there is none.

    Delivering the same id twice is harmless; a database that restarts leaves it to the next delivery.
    """
    backtest = Backtest.objects.defer("content").get(pk=backtest_id)
    claim = writer.claim(backtest) if backtest.is_unfinished else None
    if claim is None:
        return
    with _Keeper(claim) as keeper:
        try:
            content = (simulate or _simulation())(stored_parameters(backtest), keeper.report)
            is_stored = retry_while_database_is_down(writer.complete, claim, content)
        except ClaimLost:
            is_stored = False
        except BacktestError as error:
            is_stored = retry_while_database_is_down(writer.fail, claim, str(error))
        except DATABASE_LOST:
            connection.close()
            raise
        except Exception as error:
            logger.exception("backtest broke", extra={"backtest": backtest_id})
            reason = redacted(f"{type(error).__name__}: {error}")
            is_stored = retry_while_database_is_down(writer.fail, claim, reason)
    if not is_stored:
        logger.warning("backtest taken over or cancelled", extra={"backtest": backtest_id})


def deliver_next() -> None:
    """Queue the oldest backtest that waits or whose worker is gone, unless one is queued already.

    A task that a worker has fetched does not count: the worker may be dead.
    """
    now, latest = database_time(), longest_lease()
    queued = OrmQ.objects.filter(key=CLUSTER, lock__lte=now)
    if any(task.task.get("func") == COMPUTE for task in queued):
        return
    for backtest in queries.unfinished():
        is_leased = backtest.lease_until is not None and now <= backtest.lease_until <= now + latest
        if backtest.status == Backtest.Status.WAITING or not is_leased or workers.has_ended(backtest.worker):
            async_task(COMPUTE, backtest.pk, cluster=CLUSTER, group=f"backtest {backtest.pk}", save=False)
            return
