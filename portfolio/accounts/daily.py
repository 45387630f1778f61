"""What falls due in the ledgers of all accounts by itself: events of shares held, and charges of the day's fills."""

import logging
from datetime import date, datetime, timedelta
from typing import Final

from brokers.charges import ChargesError
from brokers.protocol import IST
from market_data.calendar_sources import CalendarError
from market_data.storage.queries import latest_session
from portfolio.accounts.charges import post_charges
from portfolio.accounts.corporate_actions import Left, post_corporate_actions
from portfolio.models import Order, Plan, Trade, TradingAccount
from portfolio.orders.projection import State
from portfolio.trading.hours import BOOKS_CLOSE

_CHARGED_AGAIN: Final = timedelta(days=10)

logger = logging.getLogger(__name__)


def post_due(at: datetime) -> list[Left]:
    """Post what is due in all active accounts, each as far as it goes; return the events that are left.

    What stands in a ledger already adds nothing: this can be called at any time and any number of times. A live account
    follows the exchange's list from the morning on, a paper account the session's bars once they are stored.
    """
    left = []
    for account in TradingAccount.objects.filter(is_active=True, is_replay=False):
        try:
            left += _post(account, at.astimezone(IST))
        except (ChargesError, CalendarError) as error:
            logger.warning("ledger not posted whole", extra={"account": account.pk, "reason": str(error)})
    return left


def _post(account: TradingAccount, local: datetime) -> list[Left]:
    today = local.date()
    last = today if local.time() >= BOOKS_CLOSE else today - timedelta(days=1)
    days = Trade.objects.filter(account=account, date__range=(last - _CHARGED_AGAIN, last)).values_list("date")
    for (day,) in days.distinct().order_by("date"):
        post_charges(account, day)
    known = today if account.is_live else latest_session()
    if known is None or (not account.is_live and _has_yet_to_trade(account, known)):
        return []
    return post_corporate_actions(account, min(known, today))


def _has_yet_to_trade(account: TradingAccount, session: date) -> bool:
    """Whether sessions are still to be played on paper: their trades come before a later event."""
    queued = Order.objects.filter(account=account, status=State.QUEUED.value, session__lte=session)
    plans = Plan.objects.filter(account=account, status=Plan.PlanStatus.APPROVED, trades_on__lte=session)
    return queued.exists() or plans.exists()
