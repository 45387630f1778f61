"""Overlapping rounds: operators who start, cancel, retry and roll back runs of the same tables at the same moment.

Each round starts from the same database. Its operators act at once, workers execute, a fault strikes. Then the tables
must be as after some serial order of what was started; and after two more operators have rolled back everything at the
same time, as before the round.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

from django.conf import settings
from django_q.models import OrmQ

from market_data import tasks
from market_data.models import ImportedFile, PipelineRun, RunUndo
from market_data.runs import engine, interventions, lifecycle, rollback
from market_data.runs.saga import NotRetryable, SagaError
from stocks.models import FinancialStatement
from tests.faults.drill import market, worker
from tests.faults.drill.faults import Fault, Undisturbed, draw_fault, kill
from tests.faults.drill.round import Arena, Outcome, Round
from tests.state_hash import contract_hash, differences
from tradingsite.imports import uploads

EVE, AFTER_PIPELINE = "eve_with_upload", "after_pipeline"
WORKERS = 2
FAULTS = ("killed", "stopped beyond its lease")
_IMPORT = "import"
_RECHECK_SECONDS, _PATIENCE_SECONDS = 0.1, 120.0
_OPERATORS_DONE = "operators_done"

Operator = Callable[[], None]
Hashes = dict[str, str]


# --- what operators do ----------------------------------------------------------------------------------------------
def start(job: str) -> PipelineRun:
    """Start a job for the evening, or the import of the stored file."""
    if job == _IMPORT:
        return uploads.start_import(ImportedFile.objects.get(), "drill", only_good=False)
    return tasks.trigger(job, triggered_by="drill", session=market.eve_and_evening()[1])


def _until(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError("an operator waited in vain")
        time.sleep(_RECHECK_SECONDS)


def _status(run: PipelineRun) -> str:
    return str(PipelineRun.objects.values_list("status", flat=True).get(pk=run.pk))


def _end(run: PipelineRun) -> str:
    """Wait for the end of a run and return its status."""
    _until(lambda: _status(run) not in PipelineRun.ACTIVE)
    return _status(run)


def _newest(job: str) -> PipelineRun | None:
    _, evening = market.eve_and_evening()
    return PipelineRun.objects.filter(job=job, session=evening).order_by("-sequence").first()


def _persist(run: PipelineRun) -> None:
    """Bring a run to its end, retrying and resuming it; start the job again where it may not go on."""
    while (status := _end(run)) != PipelineRun.Status.COMPLETED:
        try:
            if status == PipelineRun.Status.FAILED:
                run = lifecycle.retry_failed(run.pk, "drill")[0]
            else:
                run = interventions.resume(run.pk, "drill")
            tasks.deliver(run)
        except NotRetryable:
            run = start(run.job)


def _starts(*jobs: str) -> list[Operator]:
    return [lambda job=job: start(job) for job in jobs]  # type: ignore[misc]


def _cancel_and_resume(rng: random.Random, usual_seconds: float) -> list[Operator]:
    """A pipeline is cancelled at a moment and goes on while a file is imported."""
    cancel_after, resume_after = rng.uniform(0, usual_seconds), rng.choice([0.0, rng.uniform(0, 0.5)])

    def interrupt() -> None:
        run = start("pipeline")
        time.sleep(cancel_after)
        with suppress(SagaError):  # it has ended
            interventions.cancel(run.pk, "drill")
        time.sleep(resume_after)
        _persist(run)

    return [interrupt, _import_when("pipeline", PipelineRun.Status.CANCELLED, PipelineRun.Status.COMPLETED)]


def _fail_and_retry(rng: random.Random, usual_seconds: float) -> list[Operator]:
    """A pipeline fails on a file that is not there, and is retried while another file is imported."""
    retry_after = rng.choice([0.0, rng.uniform(0, usual_seconds)])

    def retry() -> None:
        file = _daily_file()
        hidden = file.rename(file.with_name("hidden"))
        try:
            run = start("pipeline")
            _end(run)
        finally:
            hidden.rename(file)
        time.sleep(retry_after)
        _persist(run)

    return [retry, _import_when("pipeline", PipelineRun.Status.FAILED)]


def _daily_file() -> Path:
    """Return the file with the bars of the evening, whatever its format calls it."""
    _, evening = market.eve_and_evening()
    stamps = (f"{evening:%Y%m%d}", f"{evening:%d%m%Y}", f"{evening:%d%b%Y}".upper())
    files = Path(settings.NSE_ARCHIVE_DIR or "").glob("bhavcopy/*")
    return next(file for file in files if any(stamp in file.name for stamp in stamps))


def _import_when(job: str, *statuses: str) -> Operator:
    def import_file() -> None:
        _until(lambda: (run := _newest(job)) is not None and (run.status in statuses or run.aliases != []))
        start(_IMPORT)

    return import_file


def _roll_back_meanwhile(rng: random.Random, usual_seconds: float) -> list[Operator]:
    """A run is rolled back at the moment at which another on the same tables is started."""
    pause = rng.choice([0.0, rng.uniform(0, 0.2)])

    def roll_back() -> None:
        run = start("fill_data")
        _until(lambda: _status(run) == PipelineRun.Status.COMPLETED)
        time.sleep(pause)
        with suppress(SagaError):  # the other is at work, or has built on it
            rollback.roll_back(run.pk, "drill")

    def start_other() -> None:
        done = (PipelineRun.Status.COMPLETED, PipelineRun.Status.ROLLED_BACK)
        _until(lambda: (run := _newest("fill_data")) is not None and run.status in done)
        start("business_logic")

    return [roll_back, start_other]


@dataclass(frozen=True)
class Story:
    """What is started at once from a template, and the serial orders that may result; no orders: any result."""

    name: str
    template: str
    operators: Callable[[random.Random, float], list[Operator]]
    orders: tuple[tuple[str, ...], ...] = ()


STORIES = (
    Story(
        "fill with business logic",
        AFTER_PIPELINE,
        lambda *_: _starts("fill_data", "business_logic"),
        tuple(permutations(("fill_data", "business_logic"))),
    ),
    Story(
        "import with pipeline", EVE, lambda *_: _starts("pipeline", _IMPORT), tuple(permutations(("pipeline", _IMPORT)))
    ),
    Story("cancel, import, resume", EVE, _cancel_and_resume, tuple(permutations(("pipeline", _IMPORT)))),
    Story("fail, import, retry", EVE, _fail_and_retry, tuple(permutations(("pipeline", _IMPORT)))),
    Story(
        "roll back with business logic",
        AFTER_PIPELINE,
        _roll_back_meanwhile,
        (("business_logic",), ("fill_data", "business_logic")),
    ),
    Story(
        "five jobs at once",
        AFTER_PIPELINE,
        lambda *_: _starts("fill_data", "business_logic", "validation", "pipeline", _IMPORT),
    ),
)


# --- templates ------------------------------------------------------------------------------------------------------
def store_upload() -> None:
    """Store and check a file that changes statements, in the connected database, and empty the queue."""
    rows = FinancialStatement.objects.filter(kind="quarter").order_by("symbol", "-period_end").distinct("symbol")
    lines = [
        f"{row.symbol},{row.period_end},quarter,{row.published_on},{(row.revenue or 100) * 2},{row.net_income or 10}"
        for row in rows[:15]
    ]
    content = "\n".join(["symbol,period_end,kind,published_on,revenue,net_income", *lines]).encode()
    file = uploads.store_upload(content, "statements.csv", "financial_statements", "drill")
    engine.advance(uploads.start_check(file, "drill").pk, wait=True)
    file.refresh_from_db()
    if not uploads.state_of(file).may_import:
        raise RuntimeError(f"The drill's upload cannot be imported: {uploads.state_of(file).report}")
    OrmQ.objects.all().delete()


def play_serially(jobs: Sequence[str]) -> None:
    """Execute jobs one after the other in this process."""
    for job in jobs:
        run = engine.advance(start(job).pk, wait=True)
        if run.status != PipelineRun.Status.COMPLETED:
            raise RuntimeError(f"{run.pk} {run.status}: {run.reason}")
    OrmQ.objects.all().delete()


# --- rounds ---------------------------------------------------------------------------------------------------------
class OverlappingRound(Round):
    """Plays the operators of a story and its workers under a fault."""

    pace = 5.0

    def __init__(self, arena: Arena, fault: Fault, operators: Sequence[Operator]) -> None:
        super().__init__(arena, replace(fault, workers=WORKERS), 0)
        self._acts = operators
        self._operators: set[int] = set()
        self._done = arena.folder / _OPERATORS_DONE

    def _prepare(self) -> None:
        self._done.unlink(missing_ok=True)

    def _start_others(self) -> None:
        self._operators = {worker.fork(act) for act in self._acts}

    def _is_over(self) -> bool:
        return self._done.exists() and not PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).exists()

    def _reap_workers(self) -> None:
        super()._reap_workers()
        if self._operators and not _reap(self._operators):
            self._done.touch()

    def play(self) -> None:
        try:
            super().play()
        finally:
            for pid in self._operators:
                kill(pid)
                os.waitpid(pid, 0)


def _reap(operators: set[int]) -> set[int]:
    """Remove those that have ended, and return the others."""
    for pid in [*operators]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            operators.discard(pid)
            if not os.WIFEXITED(status) or os.WEXITSTATUS(status):
                raise RuntimeError("an operator was refused what he may do; see above")
    return operators


def _roll_all_back(since: int, seed: float) -> None:
    """Roll back every run created since, trying in any order until none is left."""
    rng, deadline = random.Random(seed), time.monotonic() + _PATIENCE_SECONDS
    while runs := list(PipelineRun.objects.filter(sequence__gt=since).exclude(status=PipelineRun.Status.ROLLED_BACK)):
        refusals = []
        for run in rng.sample(runs, len(runs)):
            try:
                rollback.roll_back(run.pk, "drill")
            except SagaError as refusal:
                refusals.append(str(refusal))
        if time.monotonic() > deadline:
            raise TimeoutError(f"not everything can be rolled back: {refusals}")


def roll_back_twice_at_once(since: int, rng: random.Random) -> None:
    """Let two operators roll everything back at the same time; one of them may be killed and replaced."""
    market.close_connection()
    kill_after = rng.uniform(0, 0.3) if rng.random() < 0.3 else None
    seeds = [rng.random(), rng.random()]
    operators = {worker.fork(lambda seed=seed: _roll_all_back(since, seed)) for seed in seeds}  # type: ignore[misc]
    try:
        if kill_after is not None:
            time.sleep(kill_after)
            victim = operators.pop()
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            operators.add(worker.fork(lambda: _roll_all_back(since, rng.random())))
        while _reap(operators):
            time.sleep(_RECHECK_SECONDS)
    finally:
        for pid in operators:
            kill(pid)
            os.waitpid(pid, 0)


class OverlappingDrill:
    """Overlapping rounds of one seed, on the templates of a drill's market."""

    def __init__(self, arena: Arena, seed: int, kind: str, in_child: Callable[[Operator], None]) -> None:
        self._arena, self._seed, self._kind, self._in_child = arena, seed, kind, in_child
        self._before: dict[str, Hashes] = {}
        self._since: dict[str, int] = {}
        self._expected: dict[Story, list[Hashes]] = {}
        self._undisturbed: dict[Story, Undisturbed] = {}

    def prepare(self) -> None:
        """Make the templates, and the result of every serial order of each story."""
        self._make_template("eve", store_upload, EVE)
        self._make_template(EVE, lambda: play_serially(["pipeline"]), AFTER_PIPELINE)
        results: dict[tuple[str, tuple[str, ...]], Hashes] = {}
        for story in STORIES:
            for order in story.orders:
                if (story.template, order) not in results:
                    market.recreate_database(self._arena.server, story.template)
                    self._in_child(lambda order=order: play_serially(order))  # type: ignore[misc]
                    results[story.template, order] = _hashes()
            self._expected[story] = [results[story.template, order] for order in story.orders]
            self._measure(story)

    def _make_template(self, source: str, work: Operator, name: str) -> None:
        market.recreate_database(self._arena.server, source)
        self._in_child(work)
        self._before[name] = _hashes()
        self._since[name] = PipelineRun.objects.order_by("-sequence").values_list("sequence", flat=True)[0]
        market.close_connection()
        market.recreate_database(self._arena.server, market.DATABASE, name)

    def _measure(self, story: Story) -> None:
        """Play a story undisturbed: for the size of its faults, and because it must pass too."""
        self._undisturbed[story] = Undisturbed(2.0, 500, 20)
        rng = random.Random(0)
        round_ = OverlappingRound(self._arena, Fault("none"), story.operators(rng, 2.0))
        wrong = self._differences(story, round_, rng)
        if wrong:
            raise RuntimeError(f"{story.name!r} leaves a difference without any fault: {wrong}")
        seconds, statements = round_.seconds, round_.total("statements") // WORKERS
        self._undisturbed[story] = Undisturbed(seconds, max(1, statements), max(1, round_.total("copies") // 2))

    def play_random(self, number: int) -> Outcome:
        """Play a random story under a random fault; the same seed and number give the same."""
        rng = random.Random(f"overlapping/{self._seed}/{number}")
        story = rng.choice(STORIES)
        usual = self._undisturbed[story]
        fault = Fault("none") if rng.random() < 0.15 else self._draw(rng, usual)
        started_at = time.monotonic()
        round_ = OverlappingRound(self._arena, fault, story.operators(rng, usual.seconds))
        wrong = self._differences(story, round_, rng)
        seconds, struck = time.monotonic() - started_at, round_.struck_at is not None
        return Outcome(number, f"{story.name}, {fault.kind}", struck, round_.recovery_seconds(), seconds, tuple(wrong))

    def _draw(self, rng: random.Random, usual: Undisturbed) -> Fault:
        while True:
            fault = draw_fault(rng, usual, self._kind)
            if any(words in fault.kind for words in FAULTS):
                return fault

    def _differences(self, story: Story, round_: OverlappingRound, rng: random.Random) -> list[str]:
        market.recreate_database(self._arena.server, story.template)
        try:
            round_.play()
            return [*self._wrong_result(story), *self._wrong_rollback(story, rng)]
        except (TimeoutError, RuntimeError) as error:
            return [str(error)]
        finally:
            market.close_connection()

    def _wrong_result(self, story: Story) -> list[str]:
        done = (PipelineRun.Status.COMPLETED, PipelineRun.Status.ROLLED_BACK, PipelineRun.Status.CANCELLED)
        runs = PipelineRun.objects.filter(sequence__gt=self._since[story.template]).exclude(status__in=done)
        wrong = [f"run {run.pk} {run.status}: {run.reason}" for run in runs]
        after = _hashes()
        orders = [differences(after, expected) for expected in self._expected[story]]
        if orders and all(orders):
            wrong.append(f"as after no serial order: {' / '.join(', '.join(tables) for tables in orders)} differ")
        return wrong

    def _wrong_rollback(self, story: Story, rng: random.Random) -> list[str]:
        since = self._since[story.template]
        roll_back_twice_at_once(since, rng)
        wrong = [f"rolled back, {table} differs" for table in differences(_hashes(), self._before[story.template])]
        rolled_back = PipelineRun.objects.filter(sequence__gt=since).values_list("pk", flat=True)
        if left := RunUndo.objects.filter(run_id__in=list(rolled_back)).count():
            wrong.append(f"{left} before-images are left")
        return wrong


def _hashes() -> Hashes:
    hashes = contract_hash()
    market.close_connection()
    return hashes
