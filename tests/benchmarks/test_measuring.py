"""What the benchmarks' table says follows from what was measured."""

import sys

import pytest

from tests.benchmarks.measuring import Figure, Pair, alternated, peak_memory
from tests.benchmarks.web_client import Burst, joined


def test_the_two_ways_alternate_each_after_its_preparation():
    done: list[str] = []
    pair = alternated(lambda: done.append("A"), lambda: done.append("B"), 2, before=lambda: done.append("-"))
    assert "".join(done) == "-A-B-A-B"
    assert (len(pair.ours), len(pair.theirs)) == (2, 2)


def test_speed_and_time_are_ratios_of_the_same_round():
    pair = Pair(ours=[2.0, 4.0], theirs=[1.0, 8.0])
    assert pair.slower() == (2.0, 0.5)
    assert pair.faster() == (0.5, 2.0)
    assert pair.faster(scale=10) == (5.0, 20.0)


@pytest.mark.parametrize(
    ("ratios", "at_least", "verdict"),
    [
        ((0.4, 0.45, 9.0), True, "MISSED"),
        ((0.1, 0.5, 0.9), True, "met"),
        ((0.8, 0.1, 0.9), True, "aim met"),
        ((0.4, 0.45, 9.0), False, "met"),
        ((0.9, 0.6, 0.7), False, "MISSED"),
    ],
)
def test_the_median_is_held_against_target_and_aim(ratios, at_least, verdict):
    aim = 0.8 if at_least else 0.3
    figure = Figure("f", ratios, "", "", target=0.5, aim=aim, at_least=at_least)
    assert figure.verdict == verdict
    assert figure.spread == (min(ratios), max(ratios))
    assert Figure("f", ratios, "", "").verdict == ""


def test_bursts_join_to_one_rate_and_one_tail():
    whole = joined([Burst(2, 1.0, (0.1, 0.2)), Burst(2, 3.0, (0.3, 0.4))])
    assert (whole.requests, whole.rate) == (4, 1.0)
    assert Burst(100, 1.0, tuple(n / 100 for n in range(100))).p99 == 0.98


def test_the_peak_counts_children_and_a_failure_says_why():
    hold = "import subprocess, sys, time; b = bytearray(b'x') * 60_000_000; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}]); print('out')"
    peak, output = peak_memory([sys.executable, "-c", parent], {})
    assert peak > 70_000_000
    assert output == "out\n"
    with pytest.raises(RuntimeError, match="no such thing"):
        peak_memory([sys.executable, "-c", "raise SystemExit('no such thing')"], {})
