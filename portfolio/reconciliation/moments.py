"""At which moment an account is compared."""

from datetime import datetime, time, timedelta

from brokers.protocol import IST
from market_data.storage.queries import latest_loaded_session
from portfolio.models import TradingAccount
from portfolio.sending.venues import venue_time


def moment_of(account: TradingAccount, now: datetime) -> datetime:
    """When an account is compared: a live one now, a paper one at the moment of its simulated broker.

    A session is played there when its bars are stored, by its own clock, and a venue that has gone past the opening
    fills nothing at it: looking must not move it. One that was never used begins before the next session.
    """
    if account.is_live:
        return now
    known = venue_time(account)
    if known is not None:
        return known
    today, latest = now.astimezone(IST).date(), latest_loaded_session()
    day = min(today, latest + timedelta(days=1)) if latest else today
    return datetime.combine(day, time(), IST)
