"""Benchmarks: `./run.sh bench` prints one table. No tests: a figure is a ratio in one run, and nothing is asserted."""
