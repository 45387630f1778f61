"""What lies between the simulated account and its venue: the clock, drills, and answers that come too late."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import TypeVar

from brokers.answers import repeated
from brokers.protocol import WRITES, Rejected
from brokers.simulator.faults import EVERY_CALL, Drill, Fault, error_of
from brokers.simulator.venue import SimulatedVenue

Result = TypeVar("Result")
Around = Callable[[SimulatedVenue, str], AbstractContextManager[None]]
"""What is done around each call, by name: where the venue's memory is kept, it is taken up before and kept after."""


def _as_it_is(_: SimulatedVenue, __: str) -> AbstractContextManager[None]:
    return nullcontext()


class SimulatorClient:
    """Makes one account's calls.

    Parameters
    ----------
    clock : to which the venue is moved before each call; None leaves that to whoever holds the venue
    pauses : before each repetition of a reading that was unavailable (seconds); empty: every call once
    around : see `Around`; a call that fails is kept too; None: the venue lives as long as this
    """

    def __init__(
        self,
        venue: SimulatedVenue,
        clock: Callable[[], datetime] | None = None,
        *,
        drills: Iterable[Drill] = (),
        pauses: Sequence[float] = (0.0, 0.0),
        around: Around | None = None,
    ) -> None:
        self.venue, self._clock, self._pauses, self._around = venue, clock, tuple(pauses), around or _as_it_is
        self._drills: list[Drill] = [drill for each in drills for drill in [each] * each.times]
        self._requests_before = venue.state.requests

    def drill(self, drill: Drill) -> None:
        """Fail calls to come; earlier drills of the same call come first."""
        self._drills += [drill] * drill.times

    def requests_made(self) -> int:
        """How many calls were made since the account was opened."""
        return self.venue.state.requests - self._requests_before

    def call(self, name: str, run: Callable[[SimulatedVenue], Result]) -> Result:
        """Return what the venue answers; raises BrokerError."""
        return repeated(name, self._pauses, lambda: self._kept(name, run))

    def _kept(self, name: str, run: Callable[[SimulatedVenue], Result]) -> Result:
        with self._around(self.venue, name):
            return self._attempt(name, run)

    def _attempt(self, name: str, run: Callable[[SimulatedVenue], Result]) -> Result:
        self.venue.state.requests += 1
        if self._clock is not None:
            self.venue.advance(self._clock())
        drill = self._next_drill(name)
        if drill is None:
            return run(self.venue)
        if drill.done and name in WRITES:
            with suppress(Rejected):  # nobody hears that either
                run(self.venue)
        raise error_of(drill, name)

    def _next_drill(self, name: str) -> Drill | None:
        for place, drill in enumerate(self._drills):
            if drill.call in (name, EVERY_CALL):
                return self._drills.pop(place)
        behaviour, number = self.venue.behaviour, self.venue.state.requests
        if behaviour.late_answer_chance and behaviour.draw("late", number) < behaviour.late_answer_chance:
            return Drill(name, Fault.SLOW, done=True)
        return None
