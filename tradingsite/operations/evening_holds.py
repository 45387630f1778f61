"""Which evening may be held now: a coming one; one that has begun, or is over, is refused with the next one's name."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from market_data import trading_calendar
from market_data.evenings.current_evening import Evening, evening_of
from market_data.runs import holds, interventions
from tradingsite.schedule import evening_jobs


@dataclass(frozen=True)
class HoldOffer:
    """An evening that the console offers to hold; `refusal` says why it cannot be held now, empty when it can."""

    session: date
    refusal: str = ""


def hold_offers(evening: Evening | None, now: datetime) -> list[HoldOffer]:
    """The current evening, and after one that cannot be held the next; none once the one that could be held is."""
    return list(_offers(evening, now)) if evening else []


def _offers(evening: Evening, now: datetime) -> Iterator[HoldOffer]:
    for session in (evening.session, evening.following):
        if session is None or holds.hold_of(session):
            return
        refusal = _refusal(evening if session == evening.session else evening_of(session), now)
        yield HoldOffer(session, refusal)
        if not refusal:
            return


def hold_refusal(session: date, now: datetime) -> str:
    """Why the evening of a session cannot be held; empty when it can. Raises CalendarError beyond the calendar."""
    if not trading_calendar.is_session(session):
        return f"{session} is no session of the exchange: it has no evening to hold."
    return _refusal(evening_of(session), now)


def _refusal(evening: Evening, now: datetime) -> str:
    last = max(map(evening.planned, evening_jobs()))
    if now <= last:
        return interventions.begun_refusal(evening.session)
    moment = f"{timezone.localtime(last):%a %d %b %H:%M}"
    instead = f" Hold the evening of {evening.following} instead." if evening.following else ""
    return f"The evening of {evening.session} is over: its last job was planned for {moment}.{instead}"
