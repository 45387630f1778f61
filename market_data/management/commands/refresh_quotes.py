"""`manage.py refresh_quotes`: stores intraday quotes."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Store the provider's quotes of the running session."
    job = "quotes"
