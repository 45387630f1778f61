"""A drill: makes the templates and the evenings to compare with, then plays rounds on them."""

import os
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from market_data.runs.saga import saga_of, sagas
from tradingsite.drill import consumer, market
from tradingsite.drill.faults import Fault, Undisturbed, drawn, kill, systematic
from tradingsite.drill.rounds import Ground, Outcome, Round, played, rng_of
from tradingsite.drill.small_disk import FOLDER, SmallDisk
from tradingsite.embedded.servers import EmbeddedPostgres

_WHOLE, _WITH_TRAINING = "evening", "evening_with_training"
_EVENINGS = {_WHOLE: market.EVENING, _WITH_TRAINING: market.WITH_TRAINING}
WHOLE_EVERY = 10
"""Every so many rounds the whole evening is played; the others play one job, on what those before it left."""


class Drill:
    """The rounds of one seed on one market.

    Parameters
    ----------
    folder : Path
        Where the server runs and all files go.
    symbols : int
        Securities in the market.
    seed : int
        Of the market and of the faults.
    training_every : int
        Every so many rounds the evening has a training; 0 never.
    kind : str
        Words that the kind of every random fault has; empty: any.
    """

    def __init__(self, folder: Path, symbols: int, seed: int, training_every: int, kind: str = "") -> None:
        postgres = EmbeddedPostgres(folder, durable=False)
        postgres.hold()
        self._ground = Ground(postgres, folder, postgres.url("postgres"))
        self._symbols, self._seed, self._training_every, self._kind = symbols, seed, training_every, kind
        self._planned: dict[str, int] = {}
        self._usual: dict[str, Undisturbed] = {}
        self._wanted: dict[str, market.State] = {}

    def prepare(self) -> Undisturbed:
        """Write the market, fill the templates, and do each evening once in peace; return the whole one's measures."""
        _import_everything()
        market.write_market(self._ground.folder / "exchange", self._symbols, self._seed)
        _in_child(lambda: market.fill_template(self._symbols, self._seed))
        market.remake(self._ground.server, market.DATABASE, "eve")
        for template, jobs in _EVENINGS.items():
            if self._training_every or template == _WHOLE:
                market.remake(self._ground.server, "eve")
                self._make_template(template, jobs, len(jobs))
        market.remake(self._ground.server, "eve")
        for done, (job, waits_for) in enumerate(market.EVENING.items()):
            self._make_template(job, {job: waits_for}, done + 1)  # on what the jobs before it have left
        self._mount()
        return self._usual[_WHOLE]

    def _mount(self) -> None:
        disk = SmallDisk(self._ground.folder / FOLDER)
        found = self._ground.server.execute("SELECT max(pg_database_size(datname)) FROM pg_database").fetchone()
        if found and disk.mount(self._ground.server, int(found[0])):
            self._ground.disk = disk

    def _make_template(self, template: str, jobs: dict[str, tuple[str, ...]], planned: int) -> None:
        """Queue jobs in the database as it stands, keep it as a template, and do them twice in peace."""
        _in_child(lambda: market.plan_evening(jobs))
        market.remake(self._ground.server, market.DATABASE, template)
        self._planned[template] = planned
        for _ in range(2):  # the second one without what the first one had to load
            market.remake(self._ground.server, template)
            one = Round(self._ground, Fault("none"), planned)
            one.play()
            state = market.state(self._ground.folder / "exports")
            market.forget_connection()
            again = state.differences(self._wanted.setdefault(template, state))
            if again:
                raise RuntimeError(f"Two evenings in peace differ, so nothing can be compared: {'; '.join(again)}")
        self._usual[template] = Undisturbed(one.seconds, one.counted("statements"), one.counted("copies"))

    def each_step(self) -> list[tuple[Fault, str]]:
        """Return the faults that strike every step of the evening in turn, with the template that has the step."""
        templates = {job: job for job in market.EVENING}
        if self._training_every:
            templates["training"] = _WITH_TRAINING
        found = []
        for job, template in templates.items():
            steps = [step.name for step in saga_of(job).steps]
            found += [(fault, template) for fault in systematic(steps)]
        return found

    def play(self, number: int, fault: Fault, template: str) -> Outcome:
        """Play a fault on a template's evening."""
        return played(self._ground, number, fault, template, self._planned[template], self._wanted[template])

    def round(self, number: int) -> Outcome:
        """Play a round; the same seed and number give the same fault."""
        rng = rng_of(self._seed, number)
        template = self._template(rng, number)
        fault = drawn(rng, self._usual[template], self._kind)
        if template in market.EVENING and (fault.copies > 1 or fault.triggers):
            template = _WHOLE  # what strikes the jobs' starts is played with all of them
        elif template in market.EVENING and fault.file_limit:
            template = "csv_export"  # no other job writes files
        return self.play(number, fault, template)

    def _template(self, rng: random.Random, number: int) -> str:
        """Return a whole evening now and then, else one of its jobs, the longer the oftener."""
        if self._training_every and number % self._training_every == 0:
            return _WITH_TRAINING
        if number % WHOLE_EVERY == 0:
            return _WHOLE
        return rng.choices(list(market.EVENING), [self._usual[job].seconds for job in market.EVENING])[0]


def _import_everything() -> None:
    """Import what an evening imports, so that a forked worker need not."""
    for name in ("lightgbm", "sklearn.ensemble", "skops.io", "exchange_calendars"):
        import_module(name)
    for package in ("market_data", "stocks", "ml"):
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if ".migrations" not in module.name and ".management" not in module.name:
                import_module(module.name)
    sagas()


def _in_child(work: Callable[[], None]) -> None:
    """Do something in a forked child, so that this process keeps no threads and no connection of it."""
    market.forget_connection()
    pid = consumer.forked(work)
    try:
        _, status = os.waitpid(pid, 0)
    except KeyboardInterrupt:
        kill(pid)
        os.waitpid(pid, 0)
        raise
    if status:
        raise RuntimeError("The drill's market could not be made; see above.")
