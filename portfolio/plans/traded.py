"""Which strategy an account trades, and on which terms: one at a time, until its owner chooses otherwise."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from market_data import trading_calendar
from portfolio.models import Strategy, TradedStrategy, TradingAccount
from portfolio.orders.book import lock_account
from portfolio.plans.places import PlansError
from portfolio.strategy_parameters import terms_of, validate_parameters

TERMS: Final = ("holdings", "keep", "every", "reweigh")


def trade_strategy(account: TradingAccount, strategy: Strategy, given: Mapping[str, Any], day: date) -> TradedStrategy:
    """Let an account trade a strategy from the first session on or after a day; what is not given is the strategy's.

    The same strategy on the same terms goes on as it is. Another one takes its place; what is held stays held.

    Raises
    ------
    PlansError
        For terms that contradict each other, or where no session is known.
    """
    own = terms_of(strategy.parameters)
    terms = {name: own[name] if given.get(name) is None else given[name] for name in TERMS}
    try:
        validate_parameters(terms)
        first = trading_calendar.next_session(day - timedelta(days=1))
    except (ValidationError, trading_calendar.CalendarError) as error:
        raise PlansError(" ".join(getattr(error, "messages", [str(error)]))) from error
    with transaction.atomic():
        account = lock_account(account.pk)
        active = TradedStrategy.objects.filter(account=account, is_active=True).first()
        if active is not None and (active.strategy_id, active.terms) == (strategy.pk, terms):
            return active
        stop_trading(account)
        return TradedStrategy.objects.create(account=account, strategy=strategy, terms=terms, first_session=first)


def stop_trading(account: TradingAccount) -> int:
    """Let an account trade no strategy any more, and return how many it traded: none or one; nothing is sold."""
    with transaction.atomic():
        lock_account(account.pk)
        return TradedStrategy.objects.filter(account=account, is_active=True).update(is_active=False)
