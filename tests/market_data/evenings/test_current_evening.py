"""Which session's evening a moment belongs to, and when its jobs are planned."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from market_data.evenings.current_evening import current_evening, stored_sessions
from market_data.models import MarketDay
from tests.published import SESSION
from tradingsite.schedule import evening_jobs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("weekdays")]
IST = ZoneInfo("Asia/Kolkata")


def at(hour: int, minute: int = 0, day: date = SESSION) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (at(8, 59), SESSION - timedelta(days=1)),
        (at(9, 1), SESSION),
        (at(23), SESSION),
        (at(2, day=SESSION + timedelta(days=1)), SESSION),
        (at(12, day=date(2026, 5, 3)), date(2026, 5, 1)),  # a Sunday: Friday's
    ],
)
def test_an_evening_lasts_until_its_picks_are_used(now, session):
    evening = current_evening(now)
    assert evening is not None
    assert evening.session == session


def test_jobs_are_planned_across_midnight():
    evening = current_evening(at(12))
    assert evening is not None
    planned = {saga.job: evening.planned(saga) for saga in evening_jobs()}
    assert planned["pipeline"] == at(21)
    assert planned["selection"] == at(2, 15, day=SESSION + timedelta(days=1))
    assert evening.due == at(9, day=SESSION + timedelta(days=1))


def test_an_evening_knows_its_neighbouring_sessions():
    evening = current_evening(at(23, day=date(2026, 5, 1)))
    assert evening is not None
    assert (evening.previous, evening.following) == (SESSION, date(2026, 5, 4))


def test_without_a_session_nearby_there_is_no_evening():
    MarketDay.objects.update(is_session=False)
    assert current_evening(at(23)) is None
    assert stored_sessions(SESSION, SESSION) == []
