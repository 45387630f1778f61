"""Breaks this process from within: at a chosen statement, or in the middle of a COPY; and tells who claimed what when.

Statements are counted on the main thread's connection, which is the one that claims, writes and commits.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from django.db import connection, transaction

from market_data.models import PipelineStep

Place = Literal["before", "after", "copy", "before commit", "after commit"]
_CLAIMS = "UPDATE pipeline_execution_tracking SET status = 'running', attempts"
_LAST_WRITE = 'UPDATE "pipeline_runs" SET "summary"'


@dataclass(frozen=True)
class Injection:
    """What happens to a worker from within.

    Attributes
    ----------
    number
        The how manieth statement, block of COPY, or commit; 0 is none. Counted within `step` where one is named.
    place
        Before the statement, after it, or halfway through a block of COPY; when all of a step is written and only the
        commit is missing; or when that has come through.
    step
        Only in this step; empty: anywhere.
    sends
        What the process sends itself.
    """

    number: int = 0
    place: Place = "before"
    step: str = ""
    sends: signal.Signals = signal.SIGKILL


class Counter:
    """Counts statements and COPYs, sends the signal at the chosen one, and writes events as lines of JSON to a pipe."""

    def __init__(self, injection: Injection, pipe: int) -> None:
        self.statements = 0
        self.copies = 0
        self._injection = injection
        self._pipe = pipe
        self._step = ""
        self._commits = 0

    def install(self) -> None:
        """Begin to count on this process's connection."""
        connection.execute_wrappers.append(self._statement)
        write = psycopg.Copy.write

        def broken_write(copy: Any, data: Any) -> None:
            self.copies += 1
            if self._is_here("copy", self.copies):
                half = bytes(data)[: len(data) // 2]
                write(copy, half)
                self._strike()
            write(copy, data)

        broken: Any = broken_write
        psycopg.Copy.write = broken  # type: ignore[method-assign]

    def say(self, **event: Any) -> None:
        """Tell whoever watches; one write of a short line arrives whole."""
        os.write(self._pipe, (json.dumps({"at": time.monotonic(), "pid": os.getpid(), **event}) + "\n").encode())

    def _statement(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.statements += 1
        if self._is_here("before", self.statements):
            self._strike()
        result = execute(sql, params, many, context)
        text = sql if isinstance(sql, str) else ""
        if text.startswith(_CLAIMS) and context["cursor"].rowcount == 1:
            self._claimed(params["id"])
        if text.startswith(_LAST_WRITE):
            self._commits += 1
            if self._is_here("before commit", self._commits):
                self._strike()
            if self._is_here("after commit", self._commits):
                transaction.on_commit(self._strike)
        if self._is_here("after", self.statements):
            self._strike()
        return result

    def _claimed(self, step_id: int) -> None:
        self.say(claimed=step_id)
        if self._injection.step:
            self._commits = self.copies = 0
            self._step = PipelineStep.objects.values_list("name", flat=True).get(pk=step_id)

    def _is_here(self, place: Place, number: int) -> bool:
        wanted = self._injection
        return wanted.place == place and wanted.number == number and wanted.step in ("", self._step)

    def _strike(self) -> None:
        os.kill(os.getpid(), self._injection.sends)
