"""Whether today's session can be traded: what is known of each account, of the data and of the model.

Nothing is guessed: what nobody was asked, or cannot be known here, is unknown, with the way to know it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from django.conf import settings

from brokers.accounts import secret_of
from brokers.models import BrokerConfiguration
from brokers.protocol import SellAuthorisation
from brokers.sealing import SecretUnreadable
from market_data import trading_calendar
from market_data.models import MarketDay
from market_data.storage.queries import is_provisional, latest_session
from market_data.trading_calendar import IST, CalendarError
from ml.champions.queries import model_in_force, reason_without_model, sessions_since
from portfolio.pages.brokers.account_tests import AccountTest
from portfolio.templatetags.figures import rupees
from stocks.picks.public_state import day_words, time_words

READY_FROM: Final = time(8)
TRADED_UNTIL: Final = time(15, 30)
_TPIN: Final = {
    "zerodha": "In Kite, open Holdings, choose Authorise and confirm by CDSL's TPIN and one-time password",
    "fyers": "In Fyers' app or web, open Holdings, choose Authorise and confirm by CDSL's TPIN and one-time password",
}


class State(StrEnum):
    """How a line of readiness stands."""

    OK = "ok"
    ATTENTION = "attention"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Line:
    """One thing that a session needs; `remedy` says what to do, empty where nothing is."""

    name: str
    state: State
    sentence: str
    remedy: str = ""


def _ok(name: str, sentence: str) -> Line:
    return Line(name, State.OK, sentence)


def _attention(name: str, sentence: str, remedy: str) -> Line:
    return Line(name, State.ATTENTION, sentence, remedy)


def _unknown(name: str, sentence: str, remedy: str) -> Line:
    return Line(name, State.UNKNOWN, sentence, remedy)


def end_of_trading(day: date) -> datetime:
    """Until when a token must last for a session."""
    return datetime.combine(day, TRADED_UNTIL, tzinfo=IST)


def market_lines(now: datetime) -> list[Line]:
    """What is the same for everybody: session, data, model."""
    return [*_session_lines(now.astimezone(IST).date()), *_past_lines(now.astimezone(IST).date())]


def account_lines(account: BrokerConfiguration, test: AccountTest | None, now: datetime) -> list[Line]:
    """What depends on the account: token, registered address, funds, right to sell."""
    return [
        token_line(account, test, now),
        address_line(account),
        _funds_line(test),
        _sell_line(account, test),
    ]


def token_line(account: BrokerConfiguration, test: AccountTest | None, now: datetime) -> Line:
    """Whether the account's token lasts for today's trading."""
    name, until = "Token", end_of_trading(now.astimezone(IST).date())
    try:
        has_token = bool(secret_of(account, "access_token"))
    except SecretUnreadable as error:
        return _attention(name, str(error), "Connect the account, or ask the operator for the key.")
    connect, ends_at = "Connect the account.", account.token_expires_at
    if not has_token:
        return _attention(name, "There is no token.", connect)
    if test is not None and test.needs_log_in:
        return _attention(name, f"{account.get_broker_display()} takes the token no more.", connect)
    if test is not None and test.is_of_another(account):
        return _attention(name, f"The token opens the account of {test.client_id}.", "Connect it as its own client.")
    if ends_at is None:
        return _unknown(name, "Nobody said until when the token lasts.", "Connect the account, or test it.")
    if ends_at <= now:
        return _attention(name, f"The token ended on {_moment(ends_at)}.", connect)
    if ends_at < until:
        return _attention(name, f"The token ends on {_moment(ends_at)}, before trading does at 15:30.", connect)
    return _ok(name, f"It lasts until {_moment(ends_at)}.")


def address_line(account: BrokerConfiguration) -> Line:
    """Whether the broker takes orders from where this system's calls leave."""
    name, outgoing, title = "Registered address", settings.OUTGOING_IP, account.get_broker_display()
    registered = [str(ip_address(text)) for text in account.registered_ips]
    if not outgoing:
        return _unknown(
            name,
            "Nobody said from which address this system's calls leave.",
            "The operator sets OUTGOING_IP to it; no third party is asked.",
        )
    if not registered:
        return _unknown(
            name,
            f"Calls leave from {outgoing}; which addresses {title} has registered is not entered.",
            "Register it at the broker, and enter it in the account's registered addresses.",
        )
    if outgoing not in registered:
        return _attention(
            name,
            f"Calls leave from {outgoing}; {title} takes orders from {' and '.join(registered)}.",
            "Register this address at the broker (Zerodha: one change a calendar week), then enter it here.",
        )
    return _ok(name, f"Calls leave from {outgoing}, which is registered.")


def _funds_line(test: AccountTest | None) -> Line:
    name = "Funds"
    if test is None or test.available is None:
        return _unanswered(name, test, "funds")
    amount = f"{rupees(test.available)} were available at {_clock_time(test.at)}."
    if test.available <= 0:
        return _attention(name, amount, "Transfer money to the broker before buying.")
    return _ok(name, amount)


def _sell_line(account: BrokerConfiguration, test: AccountTest | None) -> Line:
    name = "Right to sell"
    if test is None or test.sell_authorisation is None:
        return _unanswered(name, test, "profile")
    if test.sell_authorisation == SellAuthorisation.STANDING:
        return _ok(name, "Standing: shares can be sold without the owner.")
    title, todo = account.get_broker_display(), _TPIN.get(account.broker, "Authorise at the broker")
    if test.sell_authorisation == SellAuthorisation.PER_DAY:
        return _attention(
            name,
            f"Per day: {title} sells nothing from holdings until the owner authorises it today.",
            f"{todo}, today and before selling; this system cannot do it.",
        )
    return _unknown(name, f"{title} does not say whether shares can be sold without the owner.", f"{todo} to be sure.")


def _unanswered(name: str, test: AccountTest | None, call: str) -> Line:
    if test is None:
        return _unknown(name, "The broker was not asked today.", "Test the account.")
    return _unknown(name, test.errors[call]["sentence"], "Do what it says, then test the account again.")


def _session_lines(today: date) -> Iterator[Line]:
    name = "Session today"
    if not MarketDay.objects.exists():
        yield _unknown(name, "The calendar is empty.", "The first evening's run fills it.")
        return
    try:
        if trading_calendar.is_session(today):
            row = MarketDay.objects.get(date=today)
            hours = f", {row.open:%H:%M} to {row.close:%H:%M} IST" if row.open and row.close else ""
            yield _ok(name, f"{day_words(today)} is a session{hours}.")
        else:
            following = trading_calendar.next_session(today)
            yield _attention(
                name,
                f"{day_words(today)} is no session.",
                f"Nothing trades; the next session is {day_words(following)}.",
            )
    except CalendarError as error:
        yield _unknown(name, str(error), "The operator imports market days.")


def _past_lines(today: date) -> Iterator[Line]:
    """Data and model of the last session before today."""
    if not MarketDay.objects.exists():
        yield _unknown("Data", "The calendar is empty.", "The first evening's run fills it.")
        yield _unknown("Model", "The calendar is empty.", "The first evening's run fills it.")
        return
    try:
        due = trading_calendar.session_on_or_before(today - timedelta(days=1))
        yield _data_line(due)
        yield _model_line(due)
    except CalendarError as error:
        yield _unknown("Data and model", str(error), "The operator imports market days.")


def _data_line(due: date) -> Line:
    name, day, newest = "Data", day_words(due), latest_session()
    if newest is None or newest < due:
        if is_provisional(due):
            return _attention(
                name,
                f"The bars of {day} are a broker's, provisional until the exchange's file is there.",
                "Picks are published on final bars; see the status page.",
            )
        there = f"The newest bars are of {day_words(newest)}" if newest else "There are no bars"
        return _attention(
            name, f"{there}; the last session before today was {day}.", "See the status page, or ask the operator."
        )
    return _ok(name, f"The bars of {day}, the last session before today, are there.")


def _model_line(due: date) -> Line:
    name, model = "Model", model_in_force(due)
    if model is None:
        return _attention(name, reason_without_model(due), "No picks are published until a training is accepted.")
    age = sessions_since(model.session, due)
    words = "of that session" if age == 0 else f"{age} session{'s' if age > 1 else ''} older"
    limit = settings.ABSTAIN_MODEL_AGE_SESSIONS
    return _ok(name, f"The model learnt up to {day_words(model.session)}: {words}, at most {limit} are allowed.")


def _moment(moment: datetime) -> str:
    return time_words(moment.astimezone(IST))


def _clock_time(moment: datetime) -> str:
    return f"{moment.astimezone(IST):%H:%M} IST"
