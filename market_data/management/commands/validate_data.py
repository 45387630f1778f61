"""`manage.py validate_data`: the data-quality checks."""

from market_data.job_command import JobCommand


class Command(JobCommand):
    """Check the session's data and record findings."""

    help = "Check the session's data and record findings."
    job = "validation"
