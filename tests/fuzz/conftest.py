"""Counts of the inputs tried, printed at the end of the run."""

import pytest

from tests.fuzz.counts import Counts

_COUNTS = pytest.StashKey[Counts]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = Counts()


@pytest.fixture(scope="session")
def counts(request: pytest.FixtureRequest) -> Counts:
    return request.config.stash.setdefault(_COUNTS, Counts())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(_COUNTS, Counts())
    if counts.tried and (terminalreporter.verbosity > 0 or config.getoption("--hypothesis-profile") != "tests"):
        terminalreporter.section("inputs tried")
        for line in counts.lines():
            terminalreporter.write_line(line)
