"""Reconciles an account with its broker: reads both sides, records what the broker knows better, writes the rest."""

import logging
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from brokers.protocol import IST, Broker
from portfolio.models import Difference, TradingAccount
from portfolio.orders.book import lock_account
from portfolio.reconciliation.brokers_side import Answers, answers_of, with_open_orders_again
from portfolio.reconciliation.comparison import RECORDED, BrokersSide, differences
from portfolio.reconciliation.difference_rows import Outcome, write_rows
from portfolio.reconciliation.our_side import our_orders, our_side, symbols_of_isins
from portfolio.reconciliation.recording import record_rows
from portfolio.reconciliation.venue_figures import cash_there, shares_owned

logger = logging.getLogger(__name__)


def reconcile(account: TradingAccount, venue: Broker, at: datetime) -> list[Difference]:
    """Compare an account with its broker, record the broker's facts, and return what differs.

    Rows that recording settled are among them, closed. Twice in a row gives the same rows; nothing is deleted, no fill
    follows from a holding, no order from anything but the broker's row of it.

    Parameters
    ----------
    venue : of this account; only asked
    at : when; its day in IST is the day of the book

    Raises
    ------
    BrokerError
        What the broker answered instead, after everything that it did answer was compared and recorded: an account of
        which a part is not known is never without differences.
    """
    answers = answers_of(venue)
    day = at.astimezone(IST).date()
    if answers.orders is not None:
        ours = our_orders(account, day, answers.orders)
        answers = replace(answers, orders=with_open_orders_again(venue, answers.orders, ours, at))
    theirs = _brokers_side(account, answers)
    rows, trades = answers.orders or (), answers.trades or ()
    with transaction.atomic():
        lock_account(account.pk)
        before = our_side(account, day, at, rows, trades)
        record_rows(account, before, rows, trades, at)
        left = differences(our_side(account, day, at, rows, trades), theirs)
        places = {each.place for each in left}
        settled = [each for each in differences(before, theirs) if each.kind in RECORDED and each.place not in places]
        result = write_rows(account, Outcome(settled, left, theirs), at)
    if answers.error is not None:
        logger.warning("an account was not reconciled whole", extra={"account": account.pk, "word": answers.error.word})
        raise answers.error
    return result


def _brokers_side(account: TradingAccount, answers: Answers) -> BrokersSide:
    """The answers as figures of the account; shares only where both holdings and positions came."""
    holdings = None
    if answers.holdings is not None and answers.positions is not None:
        symbols = symbols_of_isins(holding.isin for holding in answers.holdings)
        holdings = shares_owned(account.broker, answers.holdings, answers.positions, symbols)
    cash = cash_there(answers.funds) if answers.funds is not None else None
    return BrokersSide(answers.orders, answers.trades, holdings, cash)
