"""A worker of the queue in one process, forked from one that has imported everything: it does what a cluster does.

It takes tasks from the same table, in the same way, as the queue's own processes; only its heartbeat comes oftener.
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


def forked(work: Callable[[], None]) -> int:
    """Do something in a forked child and return its process id.

    The child ends with code 0, or 1 after an exception; nothing of this process's state is tidied up by it. The caller
    has closed its database connections.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    gc.disable()  # a worker lives for seconds; its collections would copy every page that it shares with its parent
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def work_through(jobs: int) -> None:
    """Do the tasks of all clusters until so many jobs have ended (or wait for a failed one) and nothing is queued."""
    beat_at = 0.0
    while True:
        try:
            if time.monotonic() >= beat_at:
                for cluster in settings.CLUSTERS:
                    tasks.heartbeat(cluster)
                beat_at = time.monotonic() + _HEARTBEAT_SECONDS
                if _is_done(jobs):
                    return
            if not _one_task():
                time.sleep(_IDLE_SECONDS)
        except DATABASE_LOST:
            connection.close()
            time.sleep(_IDLE_SECONDS)


def _is_done(jobs: int) -> bool:
    runs = PipelineRun.objects.filter(intended_at__isnull=False)
    stands = set(PipelineRun.objects.values_list("status", flat=True).distinct())
    if PipelineRun.Status.FAILED in stands:
        stands.discard(PipelineRun.Status.WAITING)  # for a job that somebody must ask for again
    return (
        runs.count() >= jobs
        and stands.isdisjoint(PipelineRun.ACTIVE)
        and not OrmQ.objects.filter(lock__lte=timezone.now()).exists()
    )


def _one_task() -> bool:
    """Fetch a task, do it and acknowledge it, as the queue does; True when there was one."""
    now = timezone.now()
    found = OrmQ.objects.filter(lock__lte=now).order_by("pk").first()
    if found is None:
        return False
    fetched = OrmQ.objects.filter(pk=found.pk, lock=found.lock)
    if not fetched.update(lock=now + timedelta(seconds=Conf.RETRY)):
        return True  # another worker was faster
    task = found.task
    function = pydoc.locate(task["func"])
    try:
        function(*task["args"], **task["kwargs"])  # type: ignore[operator]
    except DATABASE_LOST:
        logger.exception("task failed")
        connection.close()
    except Exception:
        logger.exception("task failed")
    OrmQ.objects.filter(pk=found.pk).delete()
    return True
