"""`manage.py cleanup`: removes what is old."""

from market_data.job_command import JobCommand


class Command(JobCommand):
    """Remove picks older than 90 days, and exports, queue results and undo data older than 30 days."""

    help = "Remove picks older than 90 days, and exports, queue results and undo data older than 30 days."
    job = "cleanup"
