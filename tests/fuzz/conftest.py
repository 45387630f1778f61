"""Counts of the inputs tried, shown when the run ends."""

import pytest

from tests.fuzz.counts import Counts

_COUNTS = pytest.StashKey[Counts]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[_COUNTS] = Counts()


@pytest.fixture(scope="session")
def counts(request: pytest.FixtureRequest) -> Counts:
    """Where a test says what it tried."""
    return request.config.stash.setdefault(_COUNTS, Counts())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many inputs each reader was given."""
    counts = config.stash.get(_COUNTS, Counts())
    if counts.tried and (terminalreporter.verbosity > 0 or config.getoption("--hypothesis-profile") != "tests"):
        terminalreporter.section("inputs tried")
        for line in counts.lines():
            terminalreporter.write_line(line)
