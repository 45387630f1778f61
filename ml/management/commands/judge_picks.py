"""`manage.py judge_picks`: the job `scoreboard` for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Judge the published picks whose ten sessions are over, and add what came of them to the scoreboard."
    job = "scoreboard"
