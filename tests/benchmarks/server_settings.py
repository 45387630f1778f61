"""The product's settings, with one more address: an empty page, the yardstick for the picks."""

from tradingsite.settings import *  # noqa: F403

# Counted as in production, and never reached.
API_READS_PER_MINUTE = 10**9
ROOT_URLCONF = "tests.benchmarks.urls"
