"""`manage.py fill_data`: completes what is NULL and can be computed."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Complete NULLs with the pipeline's own functions and report how many."
    job = "fill_data"
