"""`manage.py suggest_stocks`: the job `selection` for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Rank the tradable shares and publish the picks of each strategy."
    job = "selection"
