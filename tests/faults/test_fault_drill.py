"""Faults in every step of both sagas, and some at random: each run ends by itself, leaving the usual tables.

The drill plays on a server of its own; these tests read its report.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 12

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3000)]


def played(*options: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.faults", *options, f"--rounds={ROUNDS}", "--seed=7", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"IGNORE_DOTENV": "1"}, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    rounds: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[0])["rounds"]
    return rounds


@pytest.fixture(scope="module")
def rounds() -> list[dict[str, Any]]:
    """Every step struck in turn, training too, and a few rounds at random."""
    return played("--each-step")


def of_kind(rounds: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    return [outcome for outcome in rounds if words in outcome["kind"]]


@pytest.mark.parametrize(
    ("words", "fewest"),
    [
        ("worker killed before the commit of", 17),
        ("cluster killed after the commit of", 17),
        ("worker killed inside COPY of", 5),
        ("worker stopped before the commit of", 3),
    ],
)
def test_every_step_survives(rounds: list[dict[str, Any]], words: str, fewest: int) -> None:
    struck = of_kind(rounds, words)
    assert len(struck) >= fewest
    assert {outcome["kind"]: outcome["differences"] for outcome in struck if outcome["differences"]} == {}
    assert all(outcome["struck"] for outcome in struck)


@pytest.mark.parametrize("step", ["PUBLISH", "TRAIN", "HISTORICAL_DATA", "CSV_EXPORT"])
def test_the_steps_that_matter_most_are_among_them(rounds: list[dict[str, Any]], step: str) -> None:
    assert len(of_kind(rounds, f"commit of {step}")) >= 2


def test_rounds_at_random_leave_no_difference(rounds: list[dict[str, Any]]) -> None:
    at_random = [outcome for outcome in rounds if outcome["number"] > 0]
    assert len(at_random) == ROUNDS
    assert {outcome["number"]: outcome["differences"] for outcome in at_random if outcome["differences"]} == {}


def test_overlapping_rounds_leave_no_difference() -> None:
    """Runs of the same tables are started, retried and rolled back at once, on a small market."""
    at_once = played("--overlapping", "--symbols=24")
    assert len({outcome["kind"].partition(",")[0] for outcome in at_once}) >= 4, "several stories are played"
    assert {outcome["number"]: outcome["differences"] for outcome in at_once if outcome["differences"]} == {}
