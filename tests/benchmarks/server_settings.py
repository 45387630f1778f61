"""The product's settings, with one more address: an empty page, the yardstick for the picks."""

from tradingsite.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
