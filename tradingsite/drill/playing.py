"""A drill: makes the templates and the evenings to compare with, then plays rounds on them."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from market_data.saga import saga_of, sagas
from tradingsite.drill import consumer, market
from tradingsite.drill.faults import Fault, Undisturbed, drawn, systematic
from tradingsite.drill.rounds import Ground, Outcome, Round, played, rng_of
from tradingsite.embedded import EmbeddedPostgres

_EVENINGS = {"evening": market.EVENING, "evening_with_training": market.WITH_TRAINING}


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
    """

    def __init__(self, folder: Path, symbols: int, seed: int, training_every: int) -> None:
        postgres = EmbeddedPostgres(folder, durable=False)
        postgres.hold()
        self._ground = Ground(postgres, folder, postgres.url("postgres"))
        self._symbols, self._seed, self._training_every = symbols, seed, training_every
        self._usual: dict[str, Undisturbed] = {}
        self._wanted: dict[str, market.State] = {}

    def prepare(self) -> Undisturbed:
        """Write the market, fill the templates, and do each evening once in peace; return the plain one's measures."""
        _import_everything()
        market.write_market(self._ground.folder / "exchange", self._symbols, self._seed)
        _in_child(lambda: market.fill_template(self._symbols, self._seed))
        for template, jobs in _EVENINGS.items():
            if self._training_every or template == "evening":
                self._make_evening(template, jobs)
        return self._usual["evening"]

    def _make_evening(self, template: str, jobs: dict[str, tuple[str, ...]]) -> None:
        if template == "evening":
            market.remake(self._ground.server, market.DATABASE, "eve")
        market.remake(self._ground.server, "eve")
        _in_child(lambda: market.plan_evening(jobs))
        market.remake(self._ground.server, market.DATABASE, template)
        for _ in range(2):  # the second one without what the first one had to load
            market.remake(self._ground.server, template)
            one = Round(self._ground, Fault("none"), len(jobs))
            one.play()
            state = market.state(self._ground.folder / "exports")
            market.forget_connection()
            again = state.differences(self._wanted.setdefault(template, state))
            if again:
                raise RuntimeError(f"Two evenings in peace differ, so nothing can be compared: {'; '.join(again)}")
        self._usual[template] = Undisturbed(one.seconds, one.counted("statements"), one.counted("copies"))

    def each_step(self) -> list[tuple[Fault, str]]:
        """Return the faults that strike every step of the evening in turn, with the template that has the step."""
        templates = {job: template for template, jobs in reversed(_EVENINGS.items()) for job in jobs}
        found = []
        for job, template in templates.items():
            if template in self._usual:
                steps = [step.name for step in saga_of(job).steps]
                found += [(fault, template) for fault in systematic(steps)]
        return found

    def play(self, number: int, fault: Fault, template: str) -> Outcome:
        """Play a fault on a template's evening."""
        return played(self._ground, number, fault, template, len(_EVENINGS[template]), self._wanted[template])

    def round(self, number: int) -> Outcome:
        """Play a round; the same seed and number give the same fault."""
        rng = rng_of(self._seed, number)
        training = self._training_every and number % self._training_every == 0
        template = "evening_with_training" if training else "evening"
        return self.play(number, drawn(rng, self._usual[template]), template)


def _import_everything() -> None:
    """Import what an evening imports, so that a forked worker need not."""
    for name in ("lightgbm", "sklearn.ensemble", "skops.io", "exchange_calendars"):
        import_module(name)
    sagas()


def _in_child(work: Callable[[], None]) -> None:
    """Do something in a forked child, so that this process keeps no threads and no connection of it."""
    market.forget_connection()
    _, status = os.waitpid(consumer.forked(work), 0)
    if status:
        raise RuntimeError("The drill's market could not be made; see above.")
