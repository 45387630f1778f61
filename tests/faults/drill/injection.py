"""Breaks this process from within, at a chosen statement, COPY block or commit, and reports each claim with its time.

Statements are counted on the main thread's connection: the one that claims, writes and commits.
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
_CLAIM_SQL = "UPDATE pipeline_execution_tracking SET status = 'running', attempts"
_LAST_WRITE_SQL = 'UPDATE "pipeline_runs" SET "summary"'


@dataclass(frozen=True)
class Injection:
    """Where a worker signals itself.

    Attributes
    ----------
    number
        Ordinal of the statement, COPY block or commit, counted within `step` if that is set; 0 never strikes.
    place
        Before or after the statement; halfway through the COPY block; with the step written and only the commit
        missing; or right after that commit.
    step
        Strike only in this step; empty: anywhere.
    sends
        The signal.
    """

    number: int = 0
    place: Place = "before"
    step: str = ""
    sends: signal.Signals = signal.SIGKILL


class Counter:
    """Counts statements and COPY blocks, signals at the chosen one, and writes events as JSON lines to a pipe."""

    def __init__(self, injection: Injection, pipe: int) -> None:
        self.statements = 0
        self.copies = 0
        self._injection = injection
        self._pipe = pipe
        self._step = ""
        self._commits = 0

    def install(self) -> None:
        """Start counting on this process's connection."""
        connection.execute_wrappers.append(self._statement)
        write = psycopg.Copy.write

        def breaking_write(copy: Any, data: Any) -> None:
            self.copies += 1
            if self._is_place("copy", self.copies):
                write(copy, bytes(data)[: len(data) // 2])
                self._strike()
            write(copy, data)

        replacement: Any = breaking_write
        psycopg.Copy.write = replacement  # type: ignore[method-assign]

    def report(self, **event: Any) -> None:
        # A single short write to a pipe is atomic: lines of several workers do not mix.
        os.write(self._pipe, (json.dumps({"at": time.monotonic(), "pid": os.getpid(), **event}) + "\n").encode())

    def _statement(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.statements += 1
        if self._is_place("before", self.statements):
            self._strike()
        result = execute(sql, params, many, context)
        text = sql if isinstance(sql, str) else ""
        if text.startswith(_CLAIM_SQL) and context["cursor"].rowcount == 1:
            self._note_claim(params["id"])
        if text.startswith(_LAST_WRITE_SQL):
            self._commits += 1
            if self._is_place("before commit", self._commits):
                self._strike()
            if self._is_place("after commit", self._commits):
                transaction.on_commit(self._strike)
        if self._is_place("after", self.statements):
            self._strike()
        return result

    def _note_claim(self, step_id: int) -> None:
        self.report(claimed=step_id)
        if self._injection.step:
            self._commits = self.copies = 0
            self._step = PipelineStep.objects.values_list("name", flat=True).get(pk=step_id)

    def _is_place(self, place: Place, number: int) -> bool:
        target = self._injection
        return target.place == place and target.number == number and target.step in ("", self._step)

    def _strike(self) -> None:
        os.kill(os.getpid(), self._injection.sends)
