"""Lists of symbols: what is refused, and that a refused one leaves the last good one in place."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from brokers.accounts import account_of, store_secrets
from brokers.http import AnswerLimits
from brokers.protocol import Unavailable, Unreadable
from brokers.registry import Access, Transport, open_broker
from tests.brokers import fyers_venue, kite_venue
from tests.brokers.accounts import NOW, VENUES
from tests.brokers.venue import Answer, Venue

ROUTES = {"fyers": ("GET", "/sym_details/NSE_CM.csv"), "zerodha": ("GET", "/instruments/NSE")}
SHARES = 40


def fyers_list(shares: int, tick: str = "0.05") -> bytes:
    rows = [fyers_venue.master_row(str(100 + n), f"SHARE {n}", tick, "", f"NSE:S{n}-EQ") for n in range(shares)]
    return ("\n".join(rows) + "\n").encode()


def kite_list(shares: int, tick: str = "0.05") -> bytes:
    rows = [f"{100 + n},{n},S{n},SHARE {n},0.0,,0.0,{tick},1,EQ,NSE,NSE" for n in range(shares)]
    return ("\n".join((kite_venue.HEADER, *rows)) + "\n").encode()


LISTS: dict[str, Callable[..., bytes]] = {"fyers": fyers_list, "zerodha": kite_list}


class Shop:
    """A broker with a list that a test replaces, and the file of the last good one."""

    def __init__(self, name: str, venue: Venue, path: Path) -> None:
        self.name, self.venue, self.path, self.good = name, venue, path, LISTS[name]

    def serve(self, content: bytes, kind: str = "text/csv") -> None:
        self.venue.routes[ROUTES[self.name]] = lambda _: Answer(200, content, kind)

    def read(self) -> Any:
        transport = Transport(
            AnswerLimits(20, 30),
            pauses=(),
            root=self.venue.root,
            public_root=self.venue.root,
            last_good_master=self.path,
        )
        broker = open_broker(self.name, Access("app-100", "t"), transport, lambda: NOW)
        try:
            return broker.symbol_master()
        finally:
            broker.close()


@pytest.fixture(params=sorted(LISTS))
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    with VENUES[request.param]() as venue:
        yield Shop(request.param, venue, tmp_path / "brokers" / "symbol_master.csv")


BAD: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half its size": lambda good: b"\n".join(good.split(b"\n")[: SHARES // 2]) + b"\n",
    "its last row cut": lambda good: good[:-25],
    "cut inside a row": lambda good: good[: len(good) // 2 + 7],
    "a missing column": lambda good: b"\n".join(line.rpartition(b",")[0] for line in good.split(b"\n")),
    "a row with another column": lambda good: good.replace(b"SHARE 7", b"SHARE,7"),
    "a tick size that is no number": lambda good: good.replace(b"0.05", b"none", 1),
    "a tick size of nothing": lambda good: good.replace(b"0.05", b"0.00", 1),
    "other bytes": lambda good: good[:-2] + b"\xff\xfe\n",
    "a header alone": lambda good: good.split(b"\n")[0].replace(b"NSE:S0-EQ", b"NSE:X-INDEX") + b"\n",
    "a thousand times the rows": lambda good: good.split(b"\n")[0] + b"\n" + (good.split(b"\n")[1] + b"\n") * 100_001,
    "shares that all repeat one": lambda good: good.split(b"\n")[0] + b"\n" + (good.split(b"\n")[1] + b"\n") * SHARES,
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_list_that_is_not_whole_is_refused_and_the_last_good_one_stays(shop: Shop, kind: str):
    good = shop.good(SHARES)
    shop.serve(good)
    assert len(shop.read().rows) == SHARES
    shop.serve(BAD[kind](good))
    with pytest.raises(Unreadable, match="symbol_master"):
        shop.read()
    assert shop.path.read_bytes() == good
    assert [path.name for path in shop.path.parent.iterdir()] == [shop.path.name]


@pytest.mark.parametrize("kind", ["text/html", "text/csv", "application/json"])
def test_a_page_in_place_of_the_list_is_no_list_whatever_its_type(shop: Shop, kind: str):
    good = shop.good(SHARES)
    shop.serve(good)
    shop.read()
    shop.serve(b"\n<!doctype html><html><body>Sorry</body></html>", kind)
    with pytest.raises(Unavailable):
        shop.read()
    assert shop.path.read_bytes() == good


def test_a_fifth_of_the_rows_may_go(shop: Shop):
    shop.serve(shop.good(SHARES))
    shop.read()
    smaller = shop.good(SHARES * 8 // 10)
    shop.serve(smaller)
    assert len(shop.read().rows) == SHARES * 8 // 10
    assert shop.path.read_bytes() == smaller


def test_doubled_rows_are_counted_and_taken_once(shop: Shop):
    good = shop.good(SHARES)
    shop.serve(good + good.split(b"\n")[3] + b"\n")
    master = shop.read()
    assert (len(master.rows), master.doubled) == (SHARES, 1)


def test_a_tick_size_changed_overnight_is_todays(shop: Shop):
    for tick in ("0.05", "0.1"):
        shop.serve(shop.good(SHARES, tick))
        assert {row.tick_size for row in shop.read().rows} == {Decimal(tick)}


@pytest.mark.django_db
def test_the_check_of_an_account_keeps_the_last_good_list(shop: Shop, settings, tmp_path, capsys, django_user_model):
    asha = django_user_model.objects.create_user("asha")
    store_secrets(account_of(shop.name, asha), app_key="app-100", access_token="t")
    settings.VAR_DIR, settings.FYERS_PUBLIC_ROOT = tmp_path, shop.venue.root
    settings.KITE_API_ROOT = settings.FYERS_API_ROOT = shop.venue.root
    kept = tmp_path / "brokers" / shop.name / "symbol_master.csv"
    good = shop.good(SHARES)
    shop.serve(good)
    call_command("broker_check", shop.name, calls="symbol_master")
    assert len(json.loads(capsys.readouterr().out)["calls"]["symbol_master"]["data"]["rows"]) == SHARES
    shop.serve(BAD["half its size"](good))
    with pytest.raises(SystemExit):
        call_command("broker_check", shop.name, calls="symbol_master")
    error = json.loads(capsys.readouterr().out)["calls"]["symbol_master"]["error"]
    assert error["class"] == "unreadable"
    assert "the last good one" in error["message"]
    assert kept.read_bytes() == good


@pytest.mark.real
@pytest.mark.parametrize(("name", "path"), [("fyers", "fyers/NSE_CM.csv"), ("zerodha", "kite/instruments_NSE.csv")])
def test_the_real_lists(name: str, path: str, sample_dir: Path, tmp_path: Path):
    content = (sample_dir / path).read_bytes()
    with VENUES[name]() as venue:
        shop = Shop(name, venue, tmp_path / "symbol_master.csv")
        shop.serve(content)
        master = shop.read()
        shop.serve(content[: len(content) * 3 // 4])
        with pytest.raises(Unreadable):
            shop.read()
    assert master.doubled == 0
    assert len(master.rows) > 2_500
    assert len({row.symbol for row in master.rows}) == len(master.rows)
