"""Clusters on the home page: alive, busy, never started, dead – and dead is seen after a minute or so."""

import subprocess
import sys
from datetime import timedelta

import psutil
import pytest
from django.utils import timezone

from market_data.models import Heartbeat
from market_data.runs import workers
from tests.runs import make_run
from tradingsite.clusters.states import cluster_states

pytestmark = pytest.mark.django_db


def state(now, cluster="data"):
    return next(one for one in cluster_states(now) if one.name == cluster)


def beat(seconds_ago, worker=""):
    now = timezone.now()
    Heartbeat.objects.update_or_create(
        cluster="data", defaults={"finished_at": now - timedelta(seconds=seconds_ago), "worker": worker}
    )
    return now


@pytest.fixture
def gone() -> str:
    """The name of a worker on this host whose process has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        parts = workers.identity().split(":")
        name = f"{parts[0]}:{process.pid}:{psutil.Process(process.pid).create_time():.0f}:{parts[3]}"
        process.kill()
    return name


def test_a_cluster_that_beats_is_alive_and_one_that_never_did_is_said_so():
    found = state(beat(50, workers.identity()))
    assert (found.state, found.age_seconds) == ("alive", 50)
    assert state(timezone.now(), "ml").state == "never"


def test_a_cluster_whose_worker_has_ended_is_dead_after_a_minute(gone):
    assert state(beat(55, gone)).state == "alive"
    found = state(beat(62, gone))
    assert found.state == "dead"
    assert "62 s ago" in found.told


def test_one_of_which_nothing_is_known_is_dead_after_its_silence():
    assert state(beat(95, "elsewhere:1:1:1")).state == "alive"
    assert state(beat(101, "elsewhere:1:1:1")).state == "dead"


def test_a_long_step_under_a_living_lease_is_not_dead():
    run = make_run()
    now = beat(600, workers.identity())
    run.steps.filter(status="running").update(lease_until=now + timedelta(seconds=30))
    assert state(now).state == "busy"
    run.steps.filter(status="running").update(lease_until=now - timedelta(seconds=1))
    assert state(now).state == "dead"
