"""No page and no cluster runs what a row of the queue's results says."""

import base64
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, Success, Task

from tradingsite.clusters.results import UNREADABLE

pytestmark = pytest.mark.django_db


class Exploit:
    """Its pickle makes a folder when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def plant(mark: Path, *, success: bool) -> Task:
    now = timezone.now()
    task = Task.objects.create(id=f"{success:032}", name="planted", func="a.b", started=now, stopped=now)
    content = base64.b64encode(pickle.dumps(Exploit(mark))).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_q_task SET args = %s, kwargs = %s, result = %s, success = %s WHERE id = %s",
            [content, content, content, success, task.id],
        )
    return task


@pytest.mark.parametrize("success", [True, False])
def test_a_planted_pickle_is_never_read(client: Client, tmp_path: Path, success: bool) -> None:
    mark = tmp_path / "was_here"
    task = plant(mark, success=success)
    client.force_login(get_user_model().objects.create_superuser("operator"))
    kind = "success" if success else "failure"
    for address in (
        reverse(f"admin:django_q_{kind}_changelist"),
        reverse(f"admin:django_q_{kind}_change", args=[task.id]),
        reverse("admin:django_q_schedule_changelist"),
        reverse("admin:index"),
    ):
        assert client.get(address).status_code == 200
    list(Success.objects.select_for_update())  # as a cluster does after each task
    list(Failure.objects.all())
    assert Task.get_result(task.id) == UNREADABLE
    assert not mark.exists()


def test_what_the_queue_stores_is_json_and_comes_back() -> None:
    now = timezone.now()
    facts: dict[str, Any] = {"name": "n", "func": "a.b", "started": now, "stopped": now}
    Task.objects.create(id="0" * 32, args=("run_1", 7), kwargs={"at": now}, result="Traceback …", **facts)
    task = Task.objects.get()
    assert (task.args, task.kwargs, task.result) == (["run_1", 7], {"at": str(now)}, "Traceback …")
    with connection.cursor() as cursor:
        cursor.execute("SELECT args FROM django_q_task")
        assert base64.b64decode(cursor.fetchone()[0]) == b'["run_1", 7]'
