"""The providers of brokers: conformance, the evening's cost, and what is no quote of today."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from math import ceil
from pathlib import Path

import pandas as pd
import pytest

from brokers.protocol import IST
from market_data.prices.bars import FINAL, PROVISIONAL, checked_bars
from market_data.providers import (
    ProviderError,
    SessionNotAvailable,
    SourceCheck,
    SourceUnreadable,
    TransientProviderError,
    listed_frame,
)
from market_data.providers.nse.archive import NseArchive
from market_data.providers.quoted.feed import BrokerFeed
from market_data.providers.simulator import Simulator, write_archive
from tests.brokers.venue import Answer, json_answer
from tests.contracts.provider_conformance import ProviderConformance
from tests.market_data.providers.quoted.evening import Exchange, exchange_at, feed_of, nine_in_the_evening

DAY = date(2024, 3, 11)
EVENING = nine_in_the_evening(DAY)
NAMES = ("fyers", "zerodha")


@pytest.fixture(scope="module")
def market() -> Simulator:
    return Simulator(symbols=60, sessions=30, seed=3)


@pytest.fixture(params=NAMES)
def exchange(request: pytest.FixtureRequest, market: Simulator) -> Iterator[Exchange]:
    with exchange_at(request.param, DAY, market.bars(DAY).frame) as exchange:
        yield exchange


@pytest.fixture
def feed(exchange: Exchange, tmp_path: Path) -> BrokerFeed:
    return feed_of(exchange, tmp_path / exchange.name)


@pytest.fixture(scope="module")
def files(market: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exchange's files of all sessions but the last."""
    root = tmp_path_factory.mktemp("archive")
    write_archive(market, root, market.sessions(None, DAY)[-8:-1])
    return root


def fetch(feed: BrokerFeed, session: date = DAY, now: datetime = EVENING) -> None:
    feed.fetch(session, lambda *_: [], now, lambda *_: None)


class TestConformance(ProviderConformance):
    """An archive up to the day before, and quotes of the day."""

    @pytest.fixture
    def feed(self, exchange, files, tmp_path):
        feed = feed_of(exchange, tmp_path / exchange.name, NseArchive(files))
        fetch(feed)
        return feed

    @pytest.fixture
    def as_of(self):
        return DAY

    def test_the_evening_is_provisional_and_the_past_final(self, feed, as_of, earlier):
        assert (feed.bars(as_of).status, feed.bars(earlier).status) == (PROVISIONAL, FINAL)


def test_bars_are_the_quotes_and_the_evening_can_be_run_again(exchange, feed, market, tmp_path):
    fetch(feed)
    calls = exchange.calls()
    meant = market.bars(DAY).frame.set_index("symbol")
    read = feed.bars(DAY).frame.set_index("symbol")
    columns = ["open", "high", "low", "close", "prev_close", "volume", "series"]
    pd.testing.assert_frame_equal(read[columns], meant[columns])
    assert read[["vwap", "turnover_lakh", "trades", "delivered_quantity"]].isna().all(axis=None)
    exchange.bars.clear()  # whatever is quoted later, the day's folder is what the evening was
    again = feed_of(exchange, tmp_path / exchange.name)
    fetch(again)
    assert exchange.calls() == calls
    pd.testing.assert_frame_equal(again.bars(DAY).frame.set_index("symbol"), read)
    assert again.fingerprint(DAY) == feed.fingerprint(DAY)


def test_the_exchanges_file_takes_the_place_of_quotes(exchange, files, market, tmp_path):
    archive = tmp_path / "archive"
    shutil.copytree(files, archive)
    feed = feed_of(exchange, tmp_path / exchange.name, NseArchive(archive))
    fetch(feed)
    quoted = feed.fingerprint(DAY)
    write_archive(market, archive, [DAY], lists=False)
    assert feed.fingerprint(DAY) != quoted
    assert feed.bars(DAY).status == FINAL
    assert feed.sessions(DAY, DAY) == [DAY]
    assert not [finding for finding in feed.findings() if finding.check == SourceCheck.QUOTES]


@pytest.mark.parametrize("name", NAMES)
def test_an_evening_of_2600_symbols_stays_within_its_calls(name: str, tmp_path: Path):
    size, most = 2_600, {"fyers": 62, "zerodha": 16}[name]
    frame = pd.DataFrame({"symbol": [f"S{n}" for n in range(size)], "series": "EQ", "volume": 10, "isin": None})
    frame = frame.assign(open=10.0, high=12.0, low=9.0, close=11.0, prev_close=10.0)
    with exchange_at(name, DAY, frame) as exchange:
        feed = feed_of(exchange, tmp_path)
        fetch(feed)
        assert len(feed.bars(DAY).frame) == size
        assert exchange.calls() <= ceil(size / {"fyers": 50, "zerodha": 500}[name]) + 10 == most


def yesterdays(exchange: Exchange) -> dict[str, object]:
    yesterday = exchange.day - timedelta(days=1)
    if exchange.name == "fyers":
        return {"tt": str(int(datetime.combine(yesterday, time(5, 30), IST).timestamp()))}
    return {"last_trade_time": f"{yesterday} 15:29:59"}


def test_a_day_of_yesterdays_quotes_has_no_bars(exchange, feed):
    exchange.changes = dict.fromkeys(exchange.bars, yesterdays(exchange))
    with pytest.raises(SessionNotAvailable, match="another day"):
        fetch(feed)
    assert feed.sessions(None, DAY) == []
    exchange.changes = {}  # asked again once they are today's
    fetch(feed)
    assert feed.sessions(None, DAY) == [DAY]


def test_what_is_no_quote_of_today_is_counted_and_makes_no_bar(exchange, feed):
    stale, still, sound = list(exchange.bars)[:3]
    exchange.changes = {stale: yesterdays(exchange), still: {"volume": 0}}
    exchange.unknown = frozenset({"NEVERLISTED"})
    fetch(feed)
    traded = set(feed.bars(DAY).frame["symbol"])
    assert sound in traded
    assert traded.isdisjoint({stale, still, "NEVERLISTED"})
    [finding] = [finding for finding in feed.findings() if finding.check == SourceCheck.QUOTES]
    assert "1 did not, 1 quotes were of another day, 1 symbols are unknown to it: NEVERLISTED." in finding.message


@pytest.mark.parametrize("price", [0, -5, None, "", True])
def test_a_price_that_is_none_is_set_aside(exchange, feed, price: object):
    symbol = next(iter(exchange.bars))
    exchange.changes = {symbol: {"lp": price} if exchange.name == "fyers" else {"last_price": price}}
    fetch(feed)
    bars, rejects = checked_bars(feed.bars(DAY).frame, session=DAY)
    assert symbol not in set(bars["symbol"])
    assert rejects[["symbol", "reason"]].to_numpy().tolist() == [[symbol, "price is missing"]]


def test_quotes_of_the_running_session(exchange, feed):
    stale, still, bad, sound = list(exchange.bars)[:4]
    last = "lp" if exchange.name == "fyers" else "last_price"
    exchange.changes = {stale: yesterdays(exchange), still: {"volume": 0}, bad: {last: -1}}
    noon = datetime(2024, 3, 11, 12, tzinfo=IST)
    live = feed.quotes([stale, still, bad, sound, "NEVER"], noon)
    assert live.frame["symbol"].tolist() == [sound]
    assert (live.missing, live.other_day, live.untraded) == (("NEVER",), 1, 1)
    assert live.rejects[["symbol", "reason"]].to_numpy().tolist() == [[bad, "last price is zero, negative or missing"]]
    at = noon if exchange.name == "fyers" else datetime(2024, 3, 11, 15, 29, 58, tzinfo=IST)
    assert live.frame["at"].tolist() == [at]


def test_a_past_evening_without_a_file_is_not_made_up(exchange, feed):
    with pytest.raises(SessionNotAvailable, match="quotes the running day alone"):
        fetch(feed, now=EVENING + timedelta(days=3))
    assert exchange.calls() == 0


ERRORS = {
    "fyers": (json_answer({"s": "error", "code": -15, "message": "token"}, 401), ("GET", "/data/quotes")),
    "zerodha": (
        json_answer({"status": "error", "error_type": "TokenException", "message": "token"}, 403),
        ("GET", "/quote"),
    ),
}


def test_an_ended_token_makes_no_bars_and_names_the_remedy(exchange, feed):
    answer, route = ERRORS[exchange.name]
    exchange.venue.routes[route] = lambda _: answer
    with pytest.raises(ProviderError, match="new log-in") as refused:
        fetch(feed)
    assert not isinstance(refused.value, TransientProviderError)
    assert feed.sessions(None, DAY) == []


def test_a_broker_that_is_down_is_asked_again_later(exchange, feed):
    exchange.venue.routes[ERRORS[exchange.name][1]] = lambda _: Answer(503, b"<html>", "text/html")
    with pytest.raises(TransientProviderError):
        fetch(feed)
    assert feed.sessions(None, DAY) == []


def test_with_the_exchanges_file_a_silent_broker_is_a_finding(exchange, market, files, tmp_path):
    archive = tmp_path / "archive"
    shutil.copytree(files, archive)
    write_archive(market, archive, [DAY], lists=False)
    feed = feed_of(exchange, tmp_path / exchange.name, NseArchive(archive))
    for route in (("GET", "/sym_details/NSE_CM.csv"), ("GET", "/instruments/NSE")):
        exchange.venue.routes[route] = lambda _: Answer(503, b"", "text/plain")
    fetch(feed)
    assert feed.bars(DAY).status == FINAL
    assert "was not read" in " ".join(finding.message for finding in feed.findings())


@pytest.mark.parametrize("kind", [SessionNotAvailable, TransientProviderError])
def test_an_exchange_that_is_down_leaves_the_evening_to_the_broker(exchange, files, tmp_path, monkeypatch, kind):
    def fetch_nothing(*_: object) -> None:
        raise kind("The exchange does not answer.")

    archive = NseArchive(files)
    monkeypatch.setattr(archive, "fetch", fetch_nothing)
    feed = feed_of(exchange, tmp_path / exchange.name, archive)
    fetch(feed)
    assert feed.bars(DAY).status == PROVISIONAL
    assert "does not answer" in " ".join(finding.message for finding in feed.findings())
    with pytest.raises(kind):  # on a later day nothing can stand in
        fetch(feed, DAY + timedelta(days=1), EVENING + timedelta(days=4))


def test_a_refused_list_leaves_the_last_good_one_in_use_and_is_a_finding(exchange, feed):
    fetch(feed, now=EVENING)
    next_day = DAY + timedelta(days=1)
    exchange.day = next_day
    exchange.venue.routes["GET", "/sym_details/NSE_CM.csv"] = lambda _: Answer(200, exchange.master()[:-30], "text/csv")
    exchange.venue.routes["GET", "/instruments/NSE"] = lambda _: Answer(200, exchange.master()[:-30], "text/csv")
    fetch(feed, next_day, nine_in_the_evening(next_day))
    assert len(feed.bars(next_day).frame) == len(exchange.bars)
    [finding] = [finding for finding in feed.findings() if finding.check == SourceCheck.SYMBOLS]
    assert "was refused" in finding.message


def test_without_an_archive_the_brokers_list_names_the_universe(exchange, feed, market):
    fetch(feed)
    listed = feed.listed_symbols(DAY)
    assert set(listed["symbol"]) == set(exchange.bars)
    assert listed.equals(listed_frame(listed))
    assert feed.listed_symbols(DAY - timedelta(days=1)).empty


def test_bands_are_dated_and_what_is_not_said_stays_unknown(exchange, feed, market):
    staged, other_day, *_ = exchange.bars
    exchange.limits = {staged: {"asmGsmVal": "GSM-0"}, other_day: {"lastUpdate": "2024-03-08"}}
    fetch(feed)
    limits = feed.trading_limits(DAY).set_index("symbol")
    before = market.bars(DAY).frame.set_index("symbol")["prev_close"]
    bands = [before[staged] * 0.9, before[staged] * 1.1]
    assert limits.loc[staged, ["lower_band", "upper_band"]].tolist() == pytest.approx(bands, abs=0.006)
    if exchange.name == "fyers":
        assert other_day not in limits.index
        assert (limits.loc[staged, "surveillance"], limits.loc[staged, "freeze_quantity"]) == ("GSM-0", 1000)
        assert limits["surveillance"].drop(staged).isna().all()
    else:
        assert limits[["surveillance", "trade_status", "freeze_quantity"]].isna().all(axis=None)
    assert feed.trading_limits(DAY - timedelta(days=1)).empty


def test_unreadable_bands_cost_no_bars_and_are_a_finding(market, tmp_path):
    with exchange_at("fyers", DAY, market.bars(DAY).frame) as exchange:
        exchange.venue.routes["GET", "/sym_details/NSE_CM_sym_master.json"] = lambda _: Answer(200, b"[]", "text/plain")
        feed = feed_of(exchange, tmp_path)
        fetch(feed)
    assert len(feed.bars(DAY).frame) == len(exchange.bars)
    assert feed.trading_limits(DAY).empty
    assert [finding.check for finding in feed.findings()].count(SourceCheck.LIMITS) == 1


def test_the_exchanges_bands_come_first(exchange, files, tmp_path):
    archive = tmp_path / "archive"
    shutil.copytree(files, archive)
    symbol = next(iter(exchange.bars))
    pack = archive / "reports" / str(DAY)
    pack.mkdir(parents=True)
    (pack / "sec_list_11032024.csv").write_text(
        f"Symbol,Series,Security Name,Band,Remarks\n{symbol},EQ,{symbol} LTD,20,-\nBOND,GS,BOND,No Band,-\n"
    )
    feed = feed_of(exchange, tmp_path / exchange.name, NseArchive(archive))
    fetch(feed)
    limits = feed.trading_limits(DAY).set_index("symbol")
    assert limits.loc[symbol, "band"] == "20"
    assert pd.isna(limits.loc[symbol, "upper_band"])
    assert len(limits) == len(exchange.bars)


def test_damaged_quotes_are_no_quotes(exchange, feed):
    fetch(feed)
    feed._days.file(DAY, "quotes.json").write_bytes(b'{"layout": 1, "day": "2024-03-11"')
    with pytest.raises(SourceUnreadable, match="restore it"):
        feed.bars(DAY)
