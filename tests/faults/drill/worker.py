"""A queue worker in one process, forked from a parent that has already imported everything.

It takes tasks from the same table and in the same way as the queue's own processes; only its heartbeat is faster.
"""

import gc
import logging
import os
import pydoc
import time
import traceback
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ

from market_data import tasks
from market_data.models import PipelineRun
from market_data.runs.reconnecting import DATABASE_LOST

_HEARTBEAT_SECONDS = 0.25
_IDLE_SECONDS = 0.01

logger = logging.getLogger(__name__)


def fork(work: Callable[[], None]) -> int:
    """Run a function in a forked child and return the child's process id.

    The child exits with code 0, or 1 after an exception, without cleaning up anything inherited from this process.
    Close the database connections before calling.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    gc.disable()  # a worker lives for seconds; a collection would copy every page it shares with its parent
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def work_until(is_over: Callable[[], bool], *, pace: float = 1.0) -> None:
    """Execute the tasks of all clusters until the round is over and the queue is empty.

    At a higher pace an idle worker looks less often: where many wait for each other, looking takes the processors.
    """
    next_heartbeat = 0.0
    while True:
        try:
            if time.monotonic() >= next_heartbeat:
                for cluster in settings.CLUSTERS:
                    tasks.heartbeat(cluster)
                next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS * pace
                if is_over() and not OrmQ.objects.filter(lock__lte=timezone.now()).exists():
                    return
            if not _execute_next_task():
                time.sleep(_IDLE_SECONDS * pace)
        except DATABASE_LOST:
            connection.close()
            time.sleep(_IDLE_SECONDS)


def have_ended(jobs: int) -> bool:
    """Whether that many planned jobs have ended.

    A job that waits for a failed one counts as ended: only an operator's retry can start it.
    """
    runs = PipelineRun.objects.filter(intended_at__isnull=False)
    statuses = set(PipelineRun.objects.values_list("status", flat=True).distinct())
    if PipelineRun.Status.FAILED in statuses:
        statuses.discard(PipelineRun.Status.WAITING)
    return runs.count() >= jobs and statuses.isdisjoint(PipelineRun.ACTIVE)


def _execute_next_task() -> bool:
    """Lock a task, execute it and acknowledge it, as the queue does; False when the queue is empty."""
    now = timezone.now()
    queued = OrmQ.objects.filter(lock__lte=now).order_by("pk").first()
    if queued is None:
        return False
    if not OrmQ.objects.filter(pk=queued.pk, lock=queued.lock).update(lock=now + timedelta(seconds=Conf.RETRY)):
        return True  # another worker was faster
    task = queued.task
    function = pydoc.locate(task["func"])
    try:
        function(*task["args"], **task["kwargs"])  # type: ignore[operator]
    except DATABASE_LOST:
        logger.exception("task failed")
        connection.close()
    except Exception:
        logger.exception("task failed")
    OrmQ.objects.filter(pk=queued.pk).delete()
    return True
