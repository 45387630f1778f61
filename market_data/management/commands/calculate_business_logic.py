"""`manage.py calculate_business_logic`: ratios from statements."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    """Compute the ratios from the statements published by the session."""

    help = "Compute the ratios from the statements published by the session."
    job = "business_logic"
