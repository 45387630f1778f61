"""`manage.py calculate_business_logic`: computes ratios from statements."""

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = "Compute the ratios from the statements published by the session."
    job = "business_logic"
