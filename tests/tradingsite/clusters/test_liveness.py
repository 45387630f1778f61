"""Liveness of clusters, and that everything which shows or acts on it agrees."""

import itertools
import os
import socket
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from market_data.models import Heartbeat, PipelineStep, StepAttempt
from tests.runs import make_run
from tradingsite.alerts import conditions
from tradingsite.alerts.symptoms import CheckContext
from tradingsite.clusters import health
from tradingsite.clusters.liveness import STUCK_AFTER, Liveness, SilenceWatch
from tradingsite.clusters.progress import process_group_liveness
from tradingsite.clusters.states import cluster_states
from tradingsite.imports.admin import cluster_notice
from tradingsite.monitoring.readiness import readiness

NOW = datetime(2026, 4, 30, 22, 0, tzinfo=timezone.get_default_timezone())
LONG, SHORT, MINUTE = 2 * STUCK_AFTER, STUCK_AFTER / 2, timedelta(minutes=1)
HOST = socket.gethostname()

AGES = (None, SHORT, LONG)
SITUATIONS = [
    {"heartbeat": heartbeat, "lease": lease, "step_end": step_end, "due": due}
    for heartbeat, lease, step_end, due in itertools.product(AGES, (None, MINUTE, -MINUTE), AGES, AGES)
]


@pytest.fixture
def no_database_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """Let the container's check read over the test's connection: no other sees its rows."""
    monkeypatch.setattr(psycopg, "connect", lambda **_: nullcontext(connection.connection))


def store(now: datetime, *, heartbeat: Any = None, lease: Any = None, step_end: Any = None, due: Any = None) -> None:
    """Store a state of the cluster ml by the ages of its signs; a lease by its remaining time."""
    Heartbeat.objects.create(cluster="data", finished_at=now)
    if heartbeat is not None:
        Heartbeat.objects.create(cluster="ml", finished_at=now - heartbeat)
    if due is not None:
        OrmQ.objects.create(key="ml", payload="x", lock=now - due)
    make_run("training_1", job="training", names=("LABELS", "TRAIN"), done=1)
    steps = PipelineStep.objects.filter(run="training_1")
    steps.update(worker=f"{HOST}:{os.getpid()}")
    if step_end is not None:
        end_attempt("LABELS", now - step_end)
    if lease is not None:
        steps.filter(name="TRAIN").update(lease_until=now + lease)


def end_attempt(name: str, at: datetime, outcome: str = "completed") -> StepAttempt:
    step = PipelineStep.objects.get(name=name)
    return StepAttempt.objects.create(
        step=step, number=1, fence=1, worker=step.worker, started_at=at, ended_at=at, outcome=outcome
    )


def answers(now: datetime) -> dict[str, bool]:
    """Return for each of the six whether it takes the cluster ml for alive."""
    context = CheckContext(now, now - timedelta(days=1), "data", HOST, {})
    part = readiness(now, ["clusters"])["clusters"]
    return {
        "console": next(cluster for cluster in cluster_states(now) if cluster.name == "ml").state in ("alive", "busy"),
        "readiness": part["ok"],
        "uploads": not cluster_notice("ml"),
        "container": health.main(["ml"]) == 0,
        "alerts": not conditions.stuck_clusters(context).symptoms,
        "supervisor": not process_group_liveness("ml", os.getpgrp()).is_stuck,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_all_six_agree(situation: dict[str, Any], no_database_of_its_own: None):
    now = timezone.now()
    store(now, **situation)
    is_due = situation["due"] == LONG
    is_silent = situation["lease"] != MINUTE and SHORT not in (situation["heartbeat"], situation["step_end"])
    has_started = situation["lease"] == MINUTE or situation["heartbeat"] or situation["step_end"]
    actual = answers(now)
    expected = dict.fromkeys(actual, not (is_due and is_silent))
    if not has_started and not is_due:
        # Nothing waits for it, so nobody is alarmed and nothing restarted; but nobody relies on it either.
        expected |= {"console": False, "readiness": False, "uploads": False, "container": False}
    assert actual == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "outcome"), [("completed", "completed"), ("failed", "failed"), ("pending", "postponed")]
)
def test_a_long_training_is_no_alarm_while_it_lasts_nor_when_it_has_just_ended(
    no_database_of_its_own: None, status: str, outcome: str
):
    now = timezone.now()
    store(now, heartbeat=timedelta(hours=1), lease=MINUTE, due=timedelta(hours=1))
    assert set(answers(now).values()) == {True}
    PipelineStep.objects.filter(name="TRAIN").update(status=status, lease_until=None)
    attempt = end_attempt("TRAIN", now, outcome)
    assert set(answers(now).values()) == {True}
    attempt.ended_at = now - LONG
    attempt.save()
    assert set(answers(now).values()) == {False}


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", ["lost", "cancelled"])
def test_an_attempt_that_others_ended_is_no_sign_of_life(no_database_of_its_own: None, outcome: str):
    now = timezone.now()
    store(now, heartbeat=timedelta(hours=1), due=timedelta(hours=1))
    end_attempt("TRAIN", now, outcome)
    assert set(answers(now).values()) == {False}


def test_a_cluster_whose_signs_are_old_only_because_the_clock_jumped_is_not_silent():
    seconds, watch = STUCK_AFTER.total_seconds(), SilenceWatch()
    beat = Liveness("ml", NOW, heartbeat_at=NOW, due_since=NOW)
    assert not watch.is_silent(beat, 1000.0)
    jumped = replace(beat, now=NOW + timedelta(hours=1))
    assert jumped.is_stuck
    assert not watch.is_silent(jumped, 1015.0)
    after = replace(jumped, heartbeat_at=NOW + timedelta(hours=1))
    assert not watch.is_silent(after, 1060.0)
    assert watch.is_silent(replace(after, now=NOW), 1060.0 + seconds), "set back, the silence counts on"
    assert not watch.is_silent(after, 5.0), "the machine was started anew"


def test_silence_counts_from_the_last_sign_of_any_kind():
    signs: dict[str, Any] = {"heartbeat_at": NOW - LONG, "due_since": NOW - LONG}
    assert Liveness("ml", NOW, **signs).silence == LONG
    assert Liveness("ml", NOW, **signs, attempt_ended_at=NOW - SHORT).silence == SHORT
    assert Liveness("ml", NOW, **signs, watched_since=NOW - MINUTE).silence == LONG
    assert Liveness("ml", NOW, watched_since=NOW - MINUTE).silence == MINUTE
    assert Liveness("ml", NOW, **signs, is_at_work=True).silence == timedelta(0)
    assert Liveness("ml", NOW, heartbeat_at=NOW + MINUTE).silence == timedelta(0)  # clocks of two machines differ
    assert Liveness("ml", NOW).silence == timedelta.max


@pytest.mark.parametrize(("past", "stuck"), [(-1, False), (1, True)])
def test_exactly_the_threshold_decides(past: int, stuck: bool):
    ago = NOW - STUCK_AFTER - timedelta(seconds=past)
    assert Liveness("ml", NOW, heartbeat_at=ago, due_since=NOW - LONG).is_stuck is stuck
    assert Liveness("ml", NOW, heartbeat_at=NOW - LONG, due_since=ago).is_stuck is stuck
