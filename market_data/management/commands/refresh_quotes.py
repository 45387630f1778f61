"""`manage.py refresh_quotes`: intraday quotes."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    """Store the provider's quotes of the running session."""

    help = "Store the provider's quotes of the running session."
    job = "quotes"
