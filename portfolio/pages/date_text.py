"""Dates and times as text."""

from datetime import date, datetime

from django.utils import formats, timezone


def day_text(day: date) -> str:
    """A day as `Thursday 30 April 2026`."""
    return formats.date_format(day, "l j F Y")


def time_text(moment: datetime | None) -> str:
    """A moment in India Standard Time as `1 May, 02:15 IST`; a dash for None."""
    return "–" if moment is None else formats.date_format(timezone.localtime(moment), "j F, H:i") + " IST"
