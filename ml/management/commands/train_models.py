"""`manage.py train_models`: the job `training` for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Fit, evaluate and store the price and risk models of a session."
    job = "training"
