"""`manage.py cleanup`: deletes what is old."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = (
        "Remove picks and log-ins older than 90 days, exports and queue results older than 30, undo data of all but ten"
        " nights."
    )
    job = "cleanup"
