"""Which session's evening a moment belongs to, and when each of its jobs is planned.

An evening belongs to a session and lasts until its picks are used: until 09:00 India Standard Time of the following
day. From then on it is the next one's turn.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from croniter import croniter
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import MarketDay
from market_data.providers import ProviderError
from market_data.runs.saga import EVENING_BEFORE, Saga

PICKS_DUE: Final = time(9, 0)
"""India Standard Time, a quarter of an hour before trading."""

_WINDOW: Final = timedelta(days=20)


@dataclass(frozen=True)
class Evening:
    """A session's evening, the neighbouring sessions the calendar knows, and when the picks are used (`due`)."""

    session: date
    previous: date | None
    following: date | None
    due: datetime | None

    def planned(self, saga: Saga) -> datetime:
        """When a job of this evening may start."""
        day = self.session + timedelta(days=1 if saga.stands_for == EVENING_BEFORE else 0)
        # croniter looks for times after its start, and midnight itself may be planned.
        just_before = timezone.make_aware(datetime.combine(day, time(0))) - timedelta(minutes=1)
        start: datetime = croniter(saga.cron, just_before).get_next(datetime)
        return start


def current_evening(now: datetime) -> Evening | None:
    """The evening a moment belongs to; None where the calendar knows no session."""
    return _evening_until((timezone.localtime(now) - timedelta(hours=PICKS_DUE.hour, minutes=PICKS_DUE.minute)).date())


def evening_of(session: date) -> Evening:
    """The evening of a session, also of one that the calendar does not know."""
    evening = _evening_until(session)
    return evening if evening and evening.session == session else Evening(session, None, None, None)


def _evening_until(day: date) -> Evening | None:
    """The evening of the last session up to a day."""
    try:
        sessions = _sessions(day - _WINDOW, day + _WINDOW)
    except (trading_calendar.CalendarError, ProviderError):
        return None
    past = [session for session in sessions if session <= day]
    if not past:
        return None
    following = next((session for session in sessions if session > past[-1]), None)
    due = timezone.make_aware(datetime.combine(following, PICKS_DUE)) if following else None
    return Evening(past[-1], past[-2] if len(past) > 1 else None, following, due)


def stored_sessions(start: date, end: date) -> list[date]:
    """Sessions of the stored calendar between two days, both included, ascending."""
    stored = MarketDay.objects.filter(date__range=(start, end), is_session=True).order_by("date")
    return list(stored.values_list("date", flat=True))


def _sessions(start: date, end: date) -> list[date]:
    days = stored_sessions(start, end)
    if days or MarketDay.objects.exists():
        return days
    # An empty calendar is seeded by the first run: until then show what the seed would hold.
    return trading_calendar.sessions_between(start, end)
