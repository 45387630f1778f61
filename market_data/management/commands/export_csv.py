"""`manage.py export_csv`: the four CSV files."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Write the four CSV files and their manifest into the export folder."
    job = "csv_export"
