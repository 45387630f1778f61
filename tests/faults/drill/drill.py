"""A drill: builds the templates and the reference evenings, then plays rounds on them."""

import os
import random
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from market_data.runs.saga import saga_of, sagas
from tests.faults.drill import market, worker
from tests.faults.drill.faults import Fault, Undisturbed, draw_fault, faults_of_each_step, kill
from tests.faults.drill.overlapping import OverlappingDrill
from tests.faults.drill.round import Arena, Outcome, Round, play_round, rng_of_round
from tests.faults.drill.small_disk import FOLDER, SmallDisk
from tradingsite.embedded.servers import EmbeddedPostgres

_WHOLE, _WITH_TRAINING = "evening", "evening_with_training"
_EVENINGS = {_WHOLE: market.EVENING, _WITH_TRAINING: market.WITH_TRAINING}
WHOLE_EVERY = 10
"""Rounds between two whole evenings; the others play one job on what the jobs before it left."""


class Drill:
    """The rounds of one seed on one market.

    Parameters
    ----------
    folder : Path
        Folder of the server and of all files.
    symbols : int
        Securities in the market.
    seed : int
        Of the market and of the faults.
    training_every : int
        Rounds between two evenings with training; 0: never.
    kind : str
        Words in the kind of every random fault; empty: any.
    """

    def __init__(self, folder: Path, symbols: int, seed: int, training_every: int, kind: str = "") -> None:
        postgres = EmbeddedPostgres(folder, durable=False)
        postgres.acquire()
        self._arena = Arena(postgres, folder, postgres.url("postgres"))
        self._symbols, self._seed, self._training_every, self._kind = symbols, seed, training_every, kind
        self._planned_jobs: dict[str, int] = {}
        self._undisturbed: dict[str, Undisturbed] = {}
        self._expected: dict[str, market.State] = {}

    def prepare(self) -> Undisturbed:
        """Write the market, fill the templates and play each evening undisturbed; return the size of the whole one."""
        self._prepare_eve(market.JOBS_OF_THE_EVE)
        for template, jobs in _EVENINGS.items():
            if self._training_every or template == _WHOLE:
                market.recreate_database(self._arena.server, "eve")
                self._make_template(template, jobs, len(jobs))
        market.recreate_database(self._arena.server, "eve")
        # One template a job, each on what the jobs before it left.
        for number, (job, prerequisites) in enumerate(market.EVENING.items(), 1):
            self._make_template(job, {job: prerequisites}, number)
        self._mount_small_disk()
        return self._undisturbed[_WHOLE]

    def prepare_overlapping(self) -> OverlappingDrill:
        """Write the market, and return overlapping rounds on it whose templates are filled."""
        self._prepare_eve(("pipeline", "fill_data", "business_logic", "validation"))
        overlapping = OverlappingDrill(self._arena, self._seed, self._kind, _in_child)
        overlapping.prepare()
        return overlapping

    def _prepare_eve(self, jobs: Sequence[str]) -> None:
        _import_everything()
        market.write_market(self._arena.folder / "exchange", self._symbols, self._seed)
        _in_child(lambda: market.fill_template(self._symbols, self._seed, jobs))
        market.recreate_database(self._arena.server, market.DATABASE, "eve")

    def _mount_small_disk(self) -> None:
        disk = SmallDisk(self._arena.folder / FOLDER)
        largest = self._arena.server.execute("SELECT max(pg_database_size(datname)) FROM pg_database").fetchone()
        if largest and disk.mount(self._arena.server, int(largest[0])):
            self._arena.disk = disk

    def _make_template(self, template: str, jobs: dict[str, tuple[str, ...]], planned: int) -> None:
        """Queue jobs in the database as it stands, keep it as a template, and play them twice undisturbed."""
        _in_child(lambda: market.plan_evening(jobs))
        market.recreate_database(self._arena.server, market.DATABASE, template)
        self._planned_jobs[template] = planned
        for _ in range(2):  # the second time is measured: caches are warm
            market.recreate_database(self._arena.server, template)
            undisturbed = Round(self._arena, Fault("none"), planned)
            undisturbed.play()
            state = market.state(self._arena.folder / "exports")
            market.close_connection()
            differences = state.differences(self._expected.setdefault(template, state))
            if differences:
                raise RuntimeError(f"Two undisturbed evenings differ, so rounds cannot be compared: {differences}")
        self._undisturbed[template] = Undisturbed(
            undisturbed.seconds, undisturbed.total("statements"), undisturbed.total("copies")
        )

    def each_step(self) -> list[tuple[Fault, str]]:
        """Faults that strike every step of the evening in turn, each with the template that has the step."""
        templates = {job: job for job in market.EVENING}
        if self._training_every:
            templates["training"] = _WITH_TRAINING
        planned = []
        for job, template in templates.items():
            steps = [step.name for step in saga_of(job).steps]
            planned += [(fault, template) for fault in faults_of_each_step(steps)]
        return planned

    def play(self, number: int, fault: Fault, template: str) -> Outcome:
        """Play a given fault on a template's evening."""
        return play_round(self._arena, number, fault, template, self._planned_jobs[template], self._expected[template])

    def play_random(self, number: int) -> Outcome:
        """Play a random fault; the same seed and number give the same fault."""
        rng = rng_of_round(self._seed, number)
        template = self._template(rng, number)
        fault = draw_fault(rng, self._undisturbed[template], self._kind)
        if template in market.EVENING and (fault.copies > 1 or fault.triggers):
            template = _WHOLE  # these strike the start of jobs, so play all of them
        elif template in market.EVENING and fault.file_limit:
            template = "csv_export"  # the only job that writes files
        return self.play(number, fault, template)

    def _template(self, rng: random.Random, number: int) -> str:
        """A whole evening now and then, else one of its jobs, weighted by its duration."""
        if self._training_every and number % self._training_every == 0:
            return _WITH_TRAINING
        if number % WHOLE_EVERY == 0:
            return _WHOLE
        return rng.choices(list(market.EVENING), [self._undisturbed[job].seconds for job in market.EVENING])[0]


def _import_everything() -> None:
    """Import what an evening imports, so that forked workers need not."""
    for name in ("lightgbm", "sklearn.ensemble", "skops.io", "exchange_calendars"):
        import_module(name)
    for package in ("market_data", "stocks", "ml"):
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if ".migrations" not in module.name and ".management" not in module.name:
                import_module(module.name)
    sagas()


def _in_child(work: Callable[[], None]) -> None:
    """Run a function in a forked child, so that this process keeps none of its threads and connections."""
    market.close_connection()
    pid = worker.fork(work)
    try:
        _, status = os.waitpid(pid, 0)
    except KeyboardInterrupt:
        kill(pid)
        os.waitpid(pid, 0)
        raise
    if status:
        raise RuntimeError("The drill's market could not be built; see above.")
