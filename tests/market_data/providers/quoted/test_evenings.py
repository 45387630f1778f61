"""Evenings on a broker's provider: provisional the same night, the exchange's own the next, as if never quoted."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from brokers.accounts import account_of, store_secrets
from brokers.models import BrokerConfiguration
from market_data import quality
from market_data.models import DailyBar, Finding, Quote, RejectedRow, SourceFile, TechnicalIndicator, TradingLimits
from market_data.providers.simulator import Simulator
from market_data.runs.rollback import roll_back
from market_data.storage import queries
from stocks.models import Publication
from tests.end_to_end import evenings
from tests.end_to_end.evenings import evening, publish, stored
from tests.market_data.providers.quoted.evening import Exchange, exchange_at, nine_in_the_evening, quoted_bars
from tests.market_data.providers.quoted.test_feed import ERRORS, yesterdays

pytestmark = pytest.mark.django_db

SESSIONS = 24
MARKET = Simulator(symbols=30, sessions=SESSIONS + 2, seed=4)
*PAST, TONIGHT, TOMORROW = MARKET.sessions(None, date(2024, 3, 11))[-SESSIONS - 2 :]


class Clock:
    """The present moment of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timezone, "now", lambda: self.moment)
        self.be_evening(TONIGHT)

    def be_evening(self, day: date) -> None:
        self.moment = nine_in_the_evening(day)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exchange")
    publish(MARKET, folder, *PAST)
    return folder


@pytest.fixture
def archive(files: Path, tmp_path: Path, settings: Any, clock: Clock) -> Iterator[Path]:
    folder = evenings.linked(files, tmp_path / "exchange")
    settings.VAR_DIR = tmp_path / "var"
    with evenings.reading_archive(folder, tmp_path):
        yield folder


@pytest.fixture
def name() -> str:
    return "fyers"


@pytest.fixture
def exchange(name: str, archive: Path, settings: Any, django_user_model: Any) -> Iterator[Exchange]:
    """The broker in use, with its account for data."""
    with exchange_at(name, TONIGHT, MARKET.bars(TONIGHT).frame) as exchange:
        settings.MARKET_DATA_PROVIDER = name
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = settings.FYERS_PUBLIC_ROOT = exchange.venue.root
        account = account_of(name, django_user_model.objects.create_user("asha"))
        store_secrets(account, app_key="app-100", access_token="a-token-for-data")
        BrokerConfiguration.objects.update(is_data_account=True)
        yield exchange


@pytest.mark.long
@pytest.mark.parametrize("name", ["fyers", "zerodha"])
def test_provisional_bars_are_replaced_by_the_exchanges_and_leave_no_trace(exchange, archive, clock, settings):
    evening(PAST[-1])
    night = evening(TONIGHT)
    bars = DailyBar.objects.filter(date=TONIGHT)
    assert bars.count() == len(exchange.bars) == night.summary["provisional_bars"]
    assert set(bars.values_list("status", flat=True)) == {"provisional"}
    assert SourceFile.objects.get(session=TONIGHT).status == "provisional"
    # Nothing is computed on them, and the day is refused to picks.
    assert queries.latest_session() == queries.latest_loaded_session() == PAST[-1]
    assert not TechnicalIndicator.objects.filter(date=TONIGHT).exists()
    assert "provisional" in quality.day_refusal(TONIGHT)
    assert Finding.objects.filter(session=TONIGHT, check_name="provisional_bars").exists()

    for job in ("fill_data", "business_logic", "csv_export", "validation", "selection"):
        evening(TONIGHT, job)
    reasons = set(Publication.objects.filter(date=TONIGHT).values_list("count", "reason"))
    assert {count for count, _ in reasons} == {0}
    assert all("provisional" in reason for _, reason in reasons)

    clock.be_evening(TOMORROW)
    publish(MARKET, archive, TONIGHT, TOMORROW)
    evening(TOMORROW)
    assert not DailyBar.objects.filter(status="provisional").exists()
    replaced = stored()

    evenings.emptied()
    settings.MARKET_DATA_PROVIDER = "nse_archive"
    for session in (PAST[-1], TONIGHT, TOMORROW):
        evening(session)
    evenings.assert_same(
        *({name: rows for name, rows in tables.items() if len(rows)} for tables in (replaced, stored()))
    )


def test_the_file_of_the_same_night_makes_them_final(exchange, archive):
    evening(PAST[-1])
    evening(TONIGHT)
    assert set(DailyBar.objects.filter(date=TONIGHT).values_list("status", flat=True)) == {"provisional"}
    assert not TechnicalIndicator.objects.filter(date=TONIGHT).exists()
    assert "provisional" in quality.day_refusal(TONIGHT)
    assert TradingLimits.objects.filter(date=TONIGHT).count() == len(exchange.bars)
    publish(MARKET, archive, TONIGHT)
    evening(TONIGHT)
    assert set(DailyBar.objects.filter(date=TONIGHT).values_list("status", flat=True)) == {"final"}
    assert TechnicalIndicator.objects.filter(date=TONIGHT).exists()
    assert not quality.day_refusal(TONIGHT)


@pytest.mark.long
def test_a_share_that_the_exchange_does_not_have_goes_with_its_provisional_bar(exchange, archive):
    evening(PAST[-1])
    bar = next(iter(exchange.bars.values()))
    exchange.bars["STRANGER"] = bar | {"symbol": "STRANGER", "isin": None}
    evening(TONIGHT)
    assert DailyBar.objects.filter(symbol__symbol="STRANGER", status="provisional").exists()
    publish(MARKET, archive, TONIGHT)
    evening(TONIGHT)
    assert not DailyBar.objects.filter(symbol__symbol="STRANGER").exists()


@pytest.mark.long
def test_rolling_the_file_back_brings_the_provisional_bars_back(exchange, archive):
    evening(PAST[-1])
    evening(TONIGHT)
    before = evenings.fingerprint("historical_data", "source_files", "technical_indicators", "market_days")
    publish(MARKET, archive, TONIGHT)
    final = evening(TONIGHT)
    roll_back(final.id, "test")
    assert evenings.fingerprint(*before) == before


@pytest.mark.long
def test_the_exchanges_bars_stay_when_its_file_is_gone(exchange, archive):
    evening(PAST[-1])
    evening(TONIGHT)
    publish(MARKET, archive, TONIGHT)
    evening(TONIGHT)
    evenings.file_of(archive, TONIGHT).unlink()
    evening(TONIGHT)
    assert set(DailyBar.objects.filter(date=TONIGHT).values_list("status", flat=True)) == {"final"}
    assert SourceFile.objects.get(session=TONIGHT).status == "final"


@pytest.mark.long
def test_bad_prices_are_kept_aside_with_their_reasons(exchange, archive):
    evening(PAST[-1])
    symbol = next(iter(exchange.bars))
    exchange.changes = {symbol: {"lp": -3, "last_price": -3}}
    evening(TONIGHT)
    assert not DailyBar.objects.filter(date=TONIGHT, symbol=symbol).exists()
    [row] = RejectedRow.objects.filter(session=TONIGHT)
    assert (row.symbol, row.reason) == (symbol, "price is missing")


@pytest.mark.long
def test_yesterdays_quotes_make_no_evening(exchange, archive):
    evening(PAST[-1])
    exchange.changes = dict.fromkeys(exchange.bars, yesterdays(exchange))
    night = evenings.run("pipeline", TONIGHT)
    assert night.status == "failed"
    assert "another day" in night.reason
    assert not DailyBar.objects.filter(date=TONIGHT).exists()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["no account", "ended", "refused"])
def test_without_its_account_an_evening_fails_with_the_remedy(exchange, archive, fault: str):
    evening(PAST[-1])
    account = BrokerConfiguration.objects.filter(is_data_account=True)
    sentence = {
        "no account": "mark one in the admin",
        "ended": "log in to it again",
        "refused": "new log-in",
    }[fault]
    if fault == "no account":
        account.update(is_data_account=False)
    elif fault == "ended":
        account.update(token_expires_at=nine_in_the_evening(PAST[-1]))
    else:
        answer, route = ERRORS[exchange.name]
        exchange.venue.routes[route] = lambda _: answer
    night = evenings.run("pipeline", TONIGHT)
    assert night.status == "failed"
    assert sentence in night.reason
    assert not DailyBar.objects.filter(date=TONIGHT).exists()


@pytest.mark.long
def test_half_hourly_quotes_come_from_a_broker_beside_the_exchanges_files(exchange, archive, settings, clock):
    settings.MARKET_DATA_PROVIDER, settings.QUOTES_PROVIDER = "nse_archive", exchange.name
    evening(PAST[-1])
    clock.moment = clock.moment.replace(hour=12)
    stale, still = list(exchange.bars)[:2]
    exchange.changes = {stale: yesterdays(exchange), still: {"volume": 0}}
    run = evenings.run("quotes", None)
    assert run.status == "completed", run.reason
    assert Quote.objects.count() == len(exchange.bars) - 2
    assert run.summary["quotes"]["of another day"] == run.summary["quotes"]["without a trade today"] == 1
    assert not DailyBar.objects.filter(date=TONIGHT).exists()


@pytest.mark.long
def test_a_broker_without_files_of_the_exchange_stays_provisional(exchange, settings, clock):
    settings.NSE_ARCHIVE_DIR = None
    evening(TONIGHT)
    clock.be_evening(TOMORROW)
    exchange.day, exchange.bars = TOMORROW, quoted_bars(MARKET.bars(TOMORROW).frame)
    evening(TOMORROW)
    days = DailyBar.objects.order_by("date").values_list("date", "status").distinct()
    assert list(days) == [(TONIGHT, "provisional"), (TOMORROW, "provisional")]
    assert not TechnicalIndicator.objects.exists()
    clock.moment = clock.moment.replace(hour=12)
    assert evenings.run("quotes", None).status == "completed"
    assert Quote.objects.count() == len(exchange.bars)
