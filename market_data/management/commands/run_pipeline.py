"""`manage.py run_pipeline`: the data saga for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    """Bring the database up to a session: bars, adjustments, indicators, metrics, validation."""

    help = "Bring the database up to a session: bars, adjustments, indicators, metrics, validation."
    job = "pipeline"
