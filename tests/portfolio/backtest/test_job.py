"""The backtest's job: one computation whatever is delivered, taken over after a kill, ended with its sentence."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from market_data.runs import workers
from portfolio import tasks
from portfolio.backtest import job, writer
from portfolio.backtest.parameters import BacktestError, Parameters, parameters
from portfolio.models import Backtest, User
from tests.backtests import RECIPE, content_json, parameters_json
from tests.faults.drill.worker import fork
from tests.portfolio.backtest.stored import store

pytestmark = pytest.mark.django_db(transaction=True)
Report = Callable[[int, int], None]


@pytest.fixture
def asha() -> User:
    return get_user_model().objects.create_user("asha")


@pytest.fixture
def backtest(asha: User) -> Backtest:
    return writer.request_backtest(asha, parameters_json(), RECIPE)


def state(backtest: Backtest) -> Backtest:
    return Backtest.objects.get(pk=backtest.pk)


def result(parameters: Parameters, report: Report) -> dict[str, Any]:
    report(1, 2)
    return content_json(parameters.as_json())


def test_a_backtest_is_computed_and_stored(backtest: Backtest) -> None:
    job.compute(backtest.pk, result)
    stored = state(backtest)
    assert (stored.status, stored.progress, stored.attempts, stored.reason) == ("completed", 1.0, 1, "")
    assert stored.content == content_json()
    assert (stored.recipe, stored.data_hash) == (RECIPE, "ab" * 32)
    assert stored.started_at
    assert stored.finished_at
    assert stored.lease_until is None


def test_the_same_request_is_answered_by_the_same_backtest(asha: User, backtest: Backtest) -> None:
    assert writer.request_backtest(asha, parameters_json(), RECIPE).pk == backtest.pk
    job.compute(backtest.pk, result)
    assert writer.request_backtest(asha, parameters_json(), RECIPE).pk == backtest.pk
    again = writer.request_backtest(asha, parameters_json(), RECIPE, again=True)
    assert again.pk != backtest.pk
    assert writer.request_backtest(asha, parameters_json(), RECIPE, again=True).pk == again.pk
    others = [
        writer.request_backtest(asha, parameters_json(every=5), RECIPE),
        writer.request_backtest(asha, parameters_json(), "ba9876543210"),
        writer.request_backtest(get_user_model().objects.create_user("ravi"), parameters_json(), RECIPE),
    ]
    assert len({backtest.pk, again.pk, *(other.pk for other in others)}) == 5


def test_what_failed_or_was_cancelled_is_computed_again(asha: User, backtest: Backtest) -> None:
    assert writer.cancel(backtest, "asha")
    assert not writer.cancel(backtest, "asha")
    second = writer.request_backtest(asha, parameters_json(), RECIPE)
    assert second.pk != backtest.pk
    assert (state(backtest).status, state(backtest).reason) == ("cancelled", "Cancelled by asha.")


def test_the_same_amount_written_otherwise_is_the_same_request(asha: User) -> None:
    day = {"first": "2024-01-01", "last": "2024-02-01", "strategy": "model"}
    ids = {job.start(asha, parameters(day | {"capital": text})).pk for text in ("1000000", "1000000.00", "1E6")}
    assert len(ids) == 1
    assert job.start(asha, parameters(day | {"capital": "1000000.5"})).parameters["capital"] == "1000000.50"


def test_a_span_that_goes_on_after_the_data_ends_with_them(asha: User) -> None:
    days = store({"A": [10] * 3})
    open_end = parameters({"first": days[0], "last": "2030-01-01", "strategy": "model", "capital": 1000})
    assert job.start(asha, open_end).last == days[2]
    assert job.start(asha, replace(open_end, last=days[1])).last == days[1]
    after = replace(open_end, first=days[2] + timedelta(days=1))
    assert job.start(asha, after).last == open_end.last, "refused by the computation, which says why"


def test_stored_parameters_are_those_given(asha: User) -> None:
    given = parameters(parameters_json(broker="fyers", every=3) | {"charges": False, "fractional": True})
    stored = job.stored_parameters(job.start(asha, given))
    assert stored.as_json() == given.as_json()
    assert (stored.charges, stored.fractional) == (False, True)


def test_a_person_has_a_limit(asha: User, backtest: Backtest, settings: Settings) -> None:
    settings.BACKTESTS_WAITING = 2
    writer.request_backtest(asha, parameters_json(every=5), RECIPE)
    with pytest.raises(writer.TooManyWaiting, match="2 of your backtests wait or run, and no more than 2 may"):
        writer.request_backtest(asha, parameters_json(every=6), RECIPE)
    writer.cancel(backtest, "asha")
    writer.request_backtest(asha, parameters_json(every=6), RECIPE)


def test_two_requests_at_once_store_one(asha: User, backtest: Backtest) -> None:
    ids, start = [], threading.Barrier(4)

    def request() -> None:
        start.wait()
        ids.append(writer.request_backtest(asha, parameters_json(every=7), RECIPE).pk)
        connections.close_all()

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_deliveries_at_once_compute_once(backtest: Backtest) -> None:
    computed, start = [], threading.Barrier(4)

    def slow(parameters: Parameters, report: Report) -> dict[str, Any]:
        computed.append(1)
        time.sleep(0.2)
        return result(parameters, report)

    def deliver() -> None:
        start.wait()
        job.compute(backtest.pk, slow)
        connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job.compute(backtest.pk, slow)
    assert (len(computed), state(backtest).status, state(backtest).attempts) == (1, "completed", 1)


def _kill_while_computing(backtest: Backtest) -> None:
    """Compute in a child process, and kill it once it has reported."""
    reading, writing = os.pipe()

    def report_and_hang(parameters: Parameters, report: Report) -> dict[str, Any]:
        report(1, 4)
        os.write(writing, b"x")
        time.sleep(600)
        raise AssertionError

    connections.close_all()
    pid = fork(lambda: job.compute(backtest.pk, report_and_hang))
    os.read(reading, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)


def test_a_killed_workers_backtest_is_taken_over_at_once(backtest: Backtest) -> None:
    _kill_while_computing(backtest)
    left = state(backtest)
    assert (left.status, left.attempts, workers.has_ended(left.worker)) == ("running", 1, True)
    job.deliver_next()
    [queued] = OrmQ.objects.all()
    assert (queued.key, queued.task["func"], queued.task["args"]) == ("ml", job.COMPUTE, (backtest.pk,))
    job.compute(backtest.pk, result)
    assert (state(backtest).status, state(backtest).attempts) == ("completed", 2)


def test_a_backtest_that_kills_its_workers_is_given_up(backtest: Backtest) -> None:
    for _ in range(writer.ATTEMPTS):
        _kill_while_computing(backtest)
    job.compute(backtest.pk, result)
    assert state(backtest).status == "failed"
    assert "started 3 times and never ended" in state(backtest).reason


def test_a_silent_worker_of_another_host_keeps_its_lease(backtest: Backtest) -> None:
    soon = timezone.now() + timedelta(seconds=30)
    Backtest.objects.update(status="running", worker="elsewhere:1:b:2:3", lease_until=soon, fence=1, attempts=1)
    job.deliver_next()
    assert not OrmQ.objects.exists()
    job.compute(backtest.pk, result)
    assert state(backtest).attempts == 1
    Backtest.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    job.deliver_next()
    assert OrmQ.objects.count() == 1
    job.compute(backtest.pk, result)
    assert (state(backtest).status, state(backtest).attempts) == ("completed", 2)


def test_whoever_lost_the_claim_stores_nothing(backtest: Backtest) -> None:
    def overtaken(parameters: Parameters, report: Report) -> dict[str, Any]:
        Backtest.objects.update(fence=9)  # as another's claim does
        return result(parameters, report)

    job.compute(backtest.pk, overtaken)
    stored = state(backtest)
    assert (stored.status, stored.content) == ("running", None)


def test_a_cancelled_one_stops_and_stores_nothing(backtest: Backtest, settings: Settings) -> None:
    settings.STEP_LEASE_SECONDS = 1
    sessions = []

    def cancelled(parameters: Parameters, report: Report) -> dict[str, Any]:
        writer.cancel(backtest, "asha")
        for session in range(1_000):
            report(session, 1_000)
            sessions.append(session)
            time.sleep(0.05)
        return result(parameters, report)

    job.compute(backtest.pk, cancelled)
    assert len(sessions) < 1_000
    assert (state(backtest).status, state(backtest).content) == ("cancelled", None)


def test_progress_is_stored_while_it_computes(backtest: Backtest, settings: Settings) -> None:
    settings.STEP_LEASE_SECONDS = 1
    shown: list[float] = []

    def slow(parameters: Parameters, report: Report) -> dict[str, Any]:
        report(3, 4)
        while not shown or shown[-1] == 0:
            shown.append(state(backtest).progress)
            time.sleep(0.02)
        return result(parameters, report)

    job.compute(backtest.pk, slow)
    assert shown[-1] == 0.75


def test_a_failure_keeps_its_sentence(backtest: Backtest) -> None:
    def refused(parameters: Parameters, report: Report) -> dict[str, Any]:
        raise BacktestError("The list value has no rows from 2025-01-01 to 2025-06-30: begin on 2026-02-02 or later.")

    job.compute(backtest.pk, refused)
    assert (state(backtest).status, state(backtest).reason[:37]) == ("failed", "The list value has no rows from 2025-")
    job.compute(backtest.pk, result)
    assert state(backtest).content is None


def test_what_breaks_is_named_without_secrets(backtest: Backtest) -> None:
    def broken(parameters: Parameters, report: Report) -> dict[str, Any]:
        raise RuntimeError("postgres://me:hunter2@host failed")

    job.compute(backtest.pk, broken)
    assert state(backtest).status == "failed"
    assert state(backtest).reason.startswith("RuntimeError: ")
    assert "hunter2" not in state(backtest).reason


def test_content_that_is_no_json_fails(backtest: Backtest) -> None:
    job.compute(backtest.pk, lambda parameters, report: content_json() | {"cash": float("nan")})
    assert (state(backtest).status, state(backtest).content) == ("failed", None)


def test_one_that_takes_too_long_is_ended(backtest: Backtest, settings: Settings) -> None:
    settings.BACKTEST_SECONDS = 0
    job.compute(backtest.pk, result)
    assert state(backtest).status == "failed"
    assert "ended after 0 seconds at 1 of 2" in state(backtest).reason


def test_the_queue_holds_one_at_a_time(asha: User, backtest: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_simulation", lambda: result)
    second = writer.request_backtest(asha, parameters_json(every=5), RECIPE)
    tasks.look_after_backtests()
    tasks.look_after_backtests()
    [queued] = OrmQ.objects.all()
    assert queued.task["args"] == (backtest.pk,)
    queued.delete()
    tasks.compute_backtest(backtest.pk)
    [queued] = OrmQ.objects.all()
    assert queued.task["args"] == (second.pk,)
    queued.delete()
    tasks.compute_backtest(second.pk)
    assert not OrmQ.objects.exists()
    assert set(Backtest.objects.values_list("status", flat=True)) == {"completed"}


def test_the_database_accepts_no_completed_one_without_content(backtest: Backtest) -> None:
    with pytest.raises(Exception, match="backtests_completed_have_content"):
        Backtest.objects.update(status="completed")
    connection.close()
