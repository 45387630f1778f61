"""`manage.py run_pipeline`: runs the data saga for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Bring the database up to a session: bars, adjustments, indicators, metrics, validation."
    job = "pipeline"
