"""Clusters on the home page: alive, busy, never started, or dead."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from market_data.models import Heartbeat
from tests.runs import make_run
from tradingsite.clusters.states import cluster_states

pytestmark = pytest.mark.django_db


def state(now, cluster="data"):
    return next(state for state in cluster_states(now) if state.name == cluster)


def beat(seconds_ago):
    """Store the last heartbeat, and a task that has waited for an hour."""
    now = timezone.now()
    Heartbeat.objects.update_or_create(
        cluster="data", defaults={"finished_at": now - timedelta(seconds=seconds_ago), "worker": "elsewhere:1:1:1"}
    )
    OrmQ.objects.create(key="data", payload="x", lock=now - timedelta(hours=1))
    return now


def test_a_cluster_that_beats_is_alive_and_one_that_never_did_has_not_started():
    data = state(beat(50))
    assert (data.state, data.age_seconds, data.queued) == ("alive", 50, 1)
    assert state(timezone.now(), "ml").state == "never"


def test_a_cluster_is_dead_after_three_minutes_of_silence():
    assert state(beat(175)).state == "alive"
    dead = state(beat(185))
    assert dead.state == "dead"
    assert "3 min ago" in dead.message


def test_a_long_step_under_a_living_lease_is_not_dead():
    run = make_run()
    now = beat(600)
    run.steps.filter(status="running").update(lease_until=now + timedelta(seconds=30))
    assert state(now).state == "busy"
    run.steps.filter(status="running").update(lease_until=now - timedelta(seconds=1))
    assert state(now).state == "dead"
