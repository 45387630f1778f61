"""Liveness of one process group, and the release of a dead cluster's prefetched tasks."""

import os
import socket
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from market_data.models import Heartbeat, PipelineStep, StepAttempt
from portfolio.models import Backtest
from tests.backtests import store_completed
from tests.runs import make_run
from tradingsite.clusters.liveness import STUCK_AFTER
from tradingsite.clusters.progress import process_group_liveness, release_prefetched

pytestmark = pytest.mark.django_db
OWN_WORKER = f"{socket.gethostname()}:{os.getpid()}"


def own_group():
    return process_group_liveness("data", os.getpgrp())


@pytest.fixture
def due_task() -> OrmQ:
    return OrmQ.objects.create(key="data", payload="x", lock=timezone.now() - 2 * STUCK_AFTER)


@pytest.fixture
def running_step() -> PipelineStep:
    make_run(names=("STOCKS",), done=0)
    step = PipelineStep.objects.get()
    step.worker, step.lease_until = OWN_WORKER, timezone.now() + timedelta(seconds=30)
    step.save()
    return step


def test_a_cluster_without_due_work_is_not_stuck():
    OrmQ.objects.create(key="ml", payload="x", lock=timezone.now() - 2 * STUCK_AFTER)
    OrmQ.objects.create(key="data", payload="x", lock=timezone.now())
    assert not own_group().is_stuck


def test_a_cluster_with_due_work_is_as_old_as_its_heartbeat(due_task: OrmQ):
    assert own_group().silence == timedelta.max
    assert own_group().is_stuck
    Heartbeat.objects.create(cluster="data", finished_at=timezone.now() - timedelta(minutes=10))
    assert timedelta(minutes=10) <= own_group().silence < timedelta(minutes=11)
    assert own_group().is_stuck
    Heartbeat.objects.filter(cluster="data").update(finished_at=timezone.now())
    assert own_group().silence < STUCK_AFTER
    assert not own_group().is_stuck


@pytest.mark.parametrize(("fetched_ago", "stuck"), [(2 * STUCK_AFTER, True), (STUCK_AFTER / 2, False)])
def test_what_a_frozen_cluster_fetched_long_ago_is_due_work(fetched_ago: timedelta, stuck: bool):
    retry = timedelta(seconds=settings.Q_CLUSTER["retry"])
    OrmQ.objects.create(key="data", payload="x", lock=timezone.now() - fetched_ago + retry)
    assert own_group().is_stuck is stuck


def test_an_overdue_schedule_is_due_work():
    Schedule.objects.create(
        func="market_data.tasks.heartbeat", cluster="data", next_run=timezone.now() - 2 * STUCK_AFTER, repeats=-1
    )
    assert own_group().is_stuck


def test_a_long_step_under_a_living_lease_is_progress(due_task: OrmQ, running_step: PipelineStep):
    assert own_group().silence == timedelta(0)
    assert not own_group().is_stuck
    assert process_group_liveness("data", 1).is_stuck  # another process group's work says nothing about this cluster
    assert process_group_liveness("ml", os.getpgrp()).silence == timedelta.max
    running_step.lease_until = timezone.now() - timedelta(seconds=1)
    running_step.save()
    assert own_group().is_stuck


@pytest.mark.parametrize("outcome", ["completed", "failed", "postponed"])
def test_the_end_of_an_attempt_is_progress(due_task: OrmQ, running_step: PipelineStep, outcome: str):
    PipelineStep.objects.update(lease_until=None)
    attempt = StepAttempt.objects.create(step=running_step, number=1, fence=1, worker=OWN_WORKER, outcome=outcome)
    attempt.ended_at = timezone.now() - timedelta(seconds=20)
    attempt.save()
    assert timedelta(seconds=20) <= own_group().silence < timedelta(seconds=60)
    attempt.ended_at = timezone.now() - 2 * STUCK_AFTER
    attempt.save()
    assert own_group().is_stuck


def test_a_backtest_is_progress_of_its_cluster():
    OrmQ.objects.create(key="ml", payload="x", lock=timezone.now() - 2 * STUCK_AFTER)
    owner = get_user_model().objects.create_user("asha")
    backtest = store_completed(owner)
    Backtest.objects.update(
        status="running", worker=OWN_WORKER, lease_until=timezone.now() + timedelta(seconds=30), finished_at=None
    )
    assert process_group_liveness("ml", os.getpgrp()).silence == timedelta(0)
    assert process_group_liveness("ml", 1).is_stuck
    assert own_group().silence == timedelta.max  # it is no work of the other cluster
    Backtest.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert process_group_liveness("ml", os.getpgrp()).is_stuck
    Backtest.objects.update(status="failed", lease_until=None, finished_at=timezone.now() - timedelta(seconds=20))
    assert timedelta(seconds=20) <= process_group_liveness("ml", os.getpgrp()).silence < timedelta(seconds=60)
    Backtest.objects.filter(pk=backtest.pk).update(status="cancelled")  # by a person: no sign of the worker
    assert process_group_liveness("ml", os.getpgrp()).is_stuck


def test_fetched_tasks_of_a_dead_cluster_are_delivered_again_at_once():
    fetched = OrmQ.objects.create(key="data", payload="x", lock=timezone.now() + timedelta(hours=2))
    other = OrmQ.objects.create(key="ml", payload="x", lock=timezone.now() + timedelta(hours=2))
    release_prefetched("data")
    fetched.refresh_from_db()
    other.refresh_from_db()
    assert fetched.lock <= timezone.now() < other.lock
