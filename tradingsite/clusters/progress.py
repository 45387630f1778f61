"""Liveness of the clusters over Django's connection, and the release of a dead cluster's prefetched tasks."""

import os
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from market_data.runs import workers
from market_data.runs.leases import database_time
from market_data.runs.saga import sagas
from portfolio.backtest import job
from tradingsite.clusters.liveness import Liveness, StepSign, read_liveness


def cluster_liveness(now: datetime, watched_since: datetime | None = None) -> dict[str, Liveness]:
    """Return the liveness of each cluster, wherever its processes run."""
    with connection.cursor() as cursor:
        return read_liveness(cursor, settings.CLUSTERS, now, _is_job_of, watched_since)


def process_group_liveness(cluster: str, group: int) -> Liveness:
    """Return the liveness of the part of a cluster that is one process group on this machine."""

    def is_own(cluster: str, step: StepSign) -> bool:
        if not _is_job_of(cluster, step):
            return False
        pid = workers.process_id(step.worker)
        return pid is not None and process_group(pid) == group

    with connection.cursor() as cursor:
        return read_liveness(cursor, [cluster], database_time(), is_own)[cluster]


def process_group(pid: int) -> int | None:
    """Return the group of a process, or None if it has ended."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def release_prefetched(cluster: str) -> None:
    """Make the tasks that a dead cluster had fetched available now instead of after the queue's retry time.

    A second delivery is harmless: a step is claimed by one conditional UPDATE.
    """
    now = timezone.now()
    try:
        OrmQ.objects.filter(key=cluster, lock__gt=now).update(lock=now)
    finally:
        if not connection.in_atomic_block:
            connection.close()  # rarely used: a restart of the database would break an open one


def _is_job_of(cluster: str, step: StepSign) -> bool:
    if step.job == job.BACKTEST:
        return cluster == job.CLUSTER
    saga = sagas().get(step.job)
    return saga is not None and saga.cluster == cluster
