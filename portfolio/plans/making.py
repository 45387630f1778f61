"""Makes the plan of an evening: one for an account, strategy and session, and what it says never changes."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from market_data import trading_calendar
from market_data.storage import queries
from portfolio.accounts.readings import postings_of
from portfolio.backtest.panel import Panel
from portfolio.models import Plan, TradedStrategy, TradingAccount
from portfolio.orders.book import lock_account
from portfolio.plans.estimate import CloseMarket, Decision, Terms, digest_of, estimate
from portfolio.plans.opening import opening_account
from portfolio.plans.places import PlacesOfEvening, PlansError, published_places
from portfolio.plans.terms import terms_of
from portfolio.trading.sizing import target

IN_FORCE = (Plan.PlanStatus.WAITING, Plan.PlanStatus.APPROVED, Plan.PlanStatus.CARRIED_OUT)


class Evening(NamedTuple):
    """A session that has closed.

    `sessions` are those with final bars since the strategy's first one, up to this; `panel` has the session after it.
    """

    session: date
    trades_on: date
    sessions: Sequence[date]
    panel: Panel
    at: int


def plan_for(account: TradingAccount, session: date) -> Plan | None:
    """Make the plan of a session's evening by the list published for it, or return the one there is.

    None where nothing is to be done: no decision is due, and no sale waits. A list that was published again withdraws
    a plan that has not been carried out, and an approval with it.

    Raises
    ------
    PlansError
        The account trades no strategy, the session's bars are not stored, or the next session is not known.
    """
    traded = traded_strategy(account)
    places = published_places(traded.strategy, session)
    stored = _in_force(traded, session)
    if stored is not None and _is_final(stored, places):
        return stored
    held = {posting.symbol for posting in postings_of(account, session)} - {""}
    if not _decides(traded, session) and not waiting_sales(traded, session, held):
        return None
    symbols = {symbol for symbol, _ in places.places} | held
    return make_plan(traded, _evening(session, symbols, traded), places)


def traded_strategy(account: TradingAccount) -> TradedStrategy:
    """The strategy that an account trades; PlansError where it trades none."""
    traded = account.traded_strategies.filter(is_active=True).select_related("account", "strategy").first()
    if traded is None:
        raise PlansError(f"The account {account.name} trades no strategy: choose one for it.")
    return traded


def make_plan(traded: TradedStrategy, evening: Evening, places: PlacesOfEvening) -> Plan | None:
    """Make the plan of an evening by some places, or return the one there is by the same."""
    with transaction.atomic():
        lock_account(traded.account_id)
        stored = _in_force(traded, evening.session)
        if stored is not None:
            if _is_final(stored, places):
                return stored
            stored.status, stored.reason = Plan.PlanStatus.WITHDRAWN, f"Its list was published again: {places.source}."
            stored.save(update_fields=["status", "reason"])
        content = _content(traded, evening, places)
        if content is None:
            return None
        return Plan.objects.create(
            account=traded.account,
            strategy=traded.strategy,
            session=evening.session,
            trades_on=evening.trades_on,
            content=content,
            digest=digest_of(content),
            # Paper carries a plan out by itself; live waits for its owner.
            status=Plan.PlanStatus.WAITING if traded.account.is_live else Plan.PlanStatus.APPROVED,
        )


def _decides(traded: TradedStrategy, session: date) -> bool:
    """Whether a session's list is decided by: that of the first session, and of each `every`-th with bars after it."""
    since = [day for day in queries.bar_sessions(session) if day >= traded.first_session]
    return not since or since[-1] != session or (len(since) - 1) % terms_of(traded).every == 0


def _in_force(traded: TradedStrategy, session: date) -> Plan | None:
    plans = Plan.objects.filter(account=traded.account, strategy=traded.strategy, session=session)
    return plans.filter(status__in=IN_FORCE).first()


def _is_final(plan: Plan, places: PlacesOfEvening) -> bool:
    return plan.status == Plan.PlanStatus.CARRIED_OUT or plan.content["source"] == places.source


def _content(traded: TradedStrategy, evening: Evening, places: PlacesOfEvening) -> dict[str, Any] | None:
    terms = terms_of(traded)
    # As it will stand before the trades of the next session.
    number = len(evening.sessions)
    account = opening_account(traded.account, terms.rules, [*evening.sessions, evening.trades_on], number)
    decides = (number - 1) % terms.every == 0
    chosen = None
    if decides and places.places:
        chosen = target(places.places[: terms.keep], account.holdings, terms.holdings, terms.keep)
    waiting = waiting_sales(traded, evening.session, set(account.holdings))
    if chosen is None and not waiting and not (decides and places.why_none):
        return None
    capital = account.cash
    market = CloseMarket(evening.panel, evening.at)
    return {
        "list": traded.strategy.kind,
        "source": places.source,
        "terms": _terms_json(terms),
        "decides": decides,
        "why_no_decision": places.why_none if decides else "",
        "cash": f"{capital:.2f}",
        **estimate(account, Decision(chosen, waiting), terms, market, evening.trades_on, number),
    }


def waiting_sales(traded: TradedStrategy, session: date, held: set[str]) -> list[str]:
    """The shares that the last decision carried out wants sold and that are still held."""
    plans = Plan.objects.filter(account=traded.account, strategy=traded.strategy, trades_on__lte=session)
    last = plans.filter(status=Plan.PlanStatus.CARRIED_OUT).order_by("-trades_on").first()
    return [] if last is None else sorted(held & set(last.content["waiting"]))


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {
        "holdings": terms.holdings,
        "keep": terms.keep,
        "every": terms.every,
        "reweigh": terms.reweigh,
        "charges_of": terms.rules.broker,
        "impact": terms.rules.impact,
    }


def _evening(session: date, symbols: set[str], traded: TradedStrategy) -> Evening:
    history = queries.bar_sessions(session)
    if not history or history[-1] != session:
        raise PlansError(f"No final bars of {session} are stored: load that session first.")
    if session < traded.first_session:
        raise PlansError(f"{traded.strategy.name} is traded from {traded.first_session} on; {session} is before it.")
    try:
        trades_on = trading_calendar.next_session(session)
    except trading_calendar.CalendarError as error:
        raise PlansError(str(error)) from error
    panel = Panel(queries.prices_frame(sorted(symbols), session), [*history, trades_on])
    since = [day for day in history if day >= traded.first_session]
    return Evening(session, trades_on, since, panel, len(history) - 1)


def money_of(plan: Plan) -> Decimal:
    """What the purchases of a plan come to in ₹, by its estimate."""
    tickets = plan.content["tickets"]
    return sum((Decimal(ticket["value"]) for ticket in tickets if ticket["side"] == "buy"), Decimal(0))
