"""`manage.py train_models`: the saga `training` for one session."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    """Fit, judge and store the price and risk models for a session."""

    help = "Fit, judge and store the price and risk models for a session."
    job = "training"
