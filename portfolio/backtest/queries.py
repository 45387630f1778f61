"""Readers of `backtests`. The content has some hundred kilobytes: only who shows it reads it."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db.models import F, Q, QuerySet

from market_data.storage.queries import latest_session
from ml.champions.queries import champion
from ml.pick_history.queries import first_session
from portfolio.backtest.parameters import BacktestError, Parameters
from portfolio.models import Backtest, Strategy, TradingAccount, User
from portfolio.orders.evidence import Limits
from portfolio.orders.limits import limits_of
from portfolio.orders.risk import LIMITS
from portfolio.strategy_parameters import NOT_HONOURED, terms_of
from stocks.picks import screening

SHOWN: Final = 50
"""A person's newest backtests that the list shows."""

DEFAULT_CAPITAL: Final = Decimal(1_000_000)
"""₹10 lakh, where nothing else is given."""

_SPAN: Final = ("strategy", "first", "last")


def defaults() -> dict[str, Any]:
    """The default parameters as they are stored, without list and span."""
    someday = date(2000, 1, 1)
    terms = Parameters(screening.DEFAULT_STRATEGY, someday, someday, DEFAULT_CAPITAL).as_json()
    return {name: value for name, value in terms.items() if name not in _SPAN}


class Span(NamedTuple):
    """The sessions that a list can be tried on: since it has places, and up to the last bars."""

    first: date
    last: date


def span_of(strategy: str) -> Span | None:
    """The whole span of a list by the champion's recipe; None while it has no places."""
    current, last = champion(), latest_session()
    first = first_session(strategy, current.recipe) if current else None
    return Span(first, last) if first and last else None


def terms_of_strategy(strategy: Strategy, person: User | None = None) -> Parameters:
    """The terms of a strategy over the whole span of its list, within the limits of a person's account that trades it.

    Raises
    ------
    BacktestError
        The list has no places, the strategy chooses otherwise than its list does, or a term is not allowed.
    """
    span = span_of(strategy.kind)
    if span is None:
        raise BacktestError(f"The list {strategy.kind} has no places yet: fill the pick history (pick_history).")
    for name in ("thresholds", "limit"):
        if name in strategy.parameters:
            raise BacktestError(
                f"{strategy.name} has {name} of its own, and the pick history holds the list {strategy.kind} alone:"
                " leave them out to trade that list."
            )
    terms = {name: value for name, value in terms_of(strategy.parameters).items() if name not in NOT_HONOURED}
    capital = DEFAULT_CAPITAL if strategy.capital is None else Decimal(str(strategy.capital))
    limits = limits_of_strategy(strategy, person) if person is not None else Limits()
    return Parameters(strategy.kind, span.first, span.last, capital, limits=limits, **terms)


def limits_of_strategy(strategy: Strategy, person: User) -> Limits:
    """The limits of a person's account that trades a strategy; of several accounts the narrowest of each."""
    trading = TradingAccount.objects.filter(
        owner=person, is_replay=False, traded_strategies__strategy=strategy, traded_strategies__is_active=True
    )
    of_accounts = [limits_of(account) for account in trading]
    set_values = {
        name: [value for limits in of_accounts if (value := getattr(limits, name)) is not None] for name in LIMITS
    }
    return Limits(**{name: min(values) for name, values in set_values.items() if values})


def visible_to(user: User) -> "QuerySet[Backtest]":
    """Backtests that a person may see: own ones, the lists' records, and all for staff with the right to view them."""
    if user.is_staff and user.has_perm("portfolio.view_backtest"):
        return Backtest.objects.all()
    return Backtest.objects.filter(Q(owner=user) | _is_by_default())


def newest(user: User) -> "QuerySet[Backtest]":
    """The newest backtests that a person started, without their content."""
    return Backtest.objects.filter(owner=user).defer("content")[:SHOWN]


def unfinished() -> "QuerySet[Backtest]":
    """Backtests that wait or run, the oldest first."""
    return Backtest.objects.filter(status__in=Backtest.UNFINISHED).defer("content").order_by("created_at", "id")


def place_in_queue(backtest: Backtest) -> int:
    """How many unfinished backtests come before one that waits."""
    return sum(1 for other in unfinished() if (other.created_at, other.pk) < (backtest.created_at, backtest.pk))


class Record(NamedTuple):
    """What a list would have earned by the default parameters over all its sessions."""

    backtest: Backtest
    figures: Mapping[str, Any]


def records() -> dict[str, Record]:
    """The newest record of each list that has one, by the champion's recipe."""
    current = champion()
    if current is None:
        return {}
    by_list: dict[str, Record] = {}
    for strategy in screening.STRATEGIES:
        since = first_session(strategy, current.recipe)
        rows = Backtest.objects.filter(_is_by_default(), strategy=strategy, recipe=current.recipe)
        completed = rows.filter(status=Backtest.Status.COMPLETED, first__lte=since or date.max)
        # Of the content, which is large, the figures alone.
        newest_first = completed.order_by("-last", "-finished_at").defer("content")
        row = newest_first.annotate(figures=F("content__figures")).first()
        if row is not None:
            by_list[strategy] = Record(row, row.figures)
    return by_list


def _is_by_default() -> Q:
    return Q(parameters__contains=defaults()) & ~Q(parameters__has_key="limits")
