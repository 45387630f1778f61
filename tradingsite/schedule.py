"""The scheduled jobs, as the sagas describe them, and the order of a whole evening.

The clock (India Standard Time) says when a job may start; its prerequisites, of the same session, say whether it may.
"""

from datetime import datetime
from typing import Final

from croniter import croniter

from market_data.runs.prerequisites import chain_to
from market_data.runs.saga import NO_SESSION, Saga, sagas

_SOME_MORNING = datetime(2026, 1, 5, 5, 59)


def scheduled_jobs() -> list[Saga]:
    """Return the sagas that have a schedule, in the order of a day that begins at six in the morning."""
    return sorted((saga for saga in sagas().values() if saga.cron), key=_place_in_the_day)


def evening_jobs() -> list[Saga]:
    """Return the scheduled jobs that begin with the pipeline or wait for another job."""
    return [saga for saga in scheduled_jobs() if saga.waits_for or saga.job == "pipeline"]


def whole_evening() -> list[str]:
    """Return an evening's jobs in the order in which `run_all` and the console run them: those of the picks first."""
    of_the_picks = chain_to("selection")
    return [*of_the_picks, *(saga.job for saga in evening_jobs() if saga.job not in of_the_picks)]


def other_jobs() -> list[Saga]:
    return [saga for saga in scheduled_jobs() if saga.stands_for == NO_SESSION or saga.job == "quotes"]


def _place_in_the_day(saga: Saga) -> tuple[int, int]:
    due: datetime = croniter(saga.cron, _SOME_MORNING).get_next(datetime)
    return (due.hour - _SOME_MORNING.hour) % 24, due.minute


_WEEKDAYS: Final = {"*": "every day", "1-5": "Monday to Friday", "0": "Sundays", "1": "Mondays", "6": "Saturdays"}

_MINUTES: Final = {"*": "every minute", "5-59/10": "every 10 minutes, from 5 past the hour"}


def cron_words(cron: str) -> str:
    """A cron expression of ours in words; one that these words do not cover as it is."""
    fields = cron.split()
    if len(fields) != 5 or fields[2:4] != ["*", "*"] or fields[4] not in _WEEKDAYS:
        return cron
    minute, hour, days = fields[0], fields[1], _WEEKDAYS[fields[4]]
    if minute.isdecimal() and hour.isdecimal():
        return f"{hour:0>2}:{minute:0>2}, {days}"
    if (hour, fields[4]) == ("*", "*"):
        return _MINUTES.get(minute) or (f"every {minute[2:]} minutes" if minute.startswith("*/") else cron)
    if minute.startswith("*/") and "-" in hour:
        first, last = hour.split("-")
        return f"every {minute[2:]} minutes from {first:0>2}:00 to {last:0>2}:59, {days}"
    return cron
