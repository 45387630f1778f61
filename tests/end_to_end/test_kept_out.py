"""After a real run with planted jumps all pages that count the shares kept out name one number, and its list."""

import io
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from market_data import quality
from market_data.providers.simulator import write_archive
from stocks.models import Publication, Stock
from tests.end_to_end import evenings
from tests.end_to_end.evenings import SESSIONS
from tradingsite.operations.views import run_url

pytestmark = pytest.mark.django_db
COUNT = 40
JUMP, LAST = SESSIONS[COUNT - 6], SESSIONS[COUNT - 1]
JUMPED = 5


def scaled(path: Path, symbols: list[str], factor: float) -> None:
    """Multiply the prices of some symbols, as an event that no list knows would; the turnover follows."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    places = [name.strip() for name in head.split(",")]
    priced = [place for place, name in enumerate(places) if name.endswith("_PRICE") or name == "TURNOVER_LACS"]
    out = [head]
    for line in lines:
        fields = line.split(", ")
        if fields[0] in symbols:
            for place in priced:
                fields[place] = f"{float(fields[place]) * factor:.2f}"
            if evenings.day_of(path) > JUMP:
                close = places.index("PREV_CLOSE")
                fields[close] = f"{float(fields[close]) * factor:.2f}"
        out.append(", ".join(fields))
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


@pytest.fixture
def symbols(tmp_path: Path) -> Iterator[list[str]]:
    """The symbols that jumped, in a market that was brought up to its last session, checked and selected."""
    folder = tmp_path / "exchange"
    write_archive(evenings.simulator(), folder, SESSIONS[:COUNT])
    lines = evenings.file_of(folder, SESSIONS[0]).read_text(encoding="utf-8").splitlines()[1:]
    listed = (folder / "lists" / "EQUITY_L.csv").read_text(encoding="utf-8-sig")
    shares = {line.partition(",")[0] for line in listed.splitlines()[1:]}
    traded = [fields[0] for fields in (line.split(", ") for line in lines) if fields[1] == "EQ"]
    traded = [symbol for symbol in traded if symbol in shares]
    for session in SESSIONS[COUNT - 6 : COUNT]:
        scaled(evenings.file_of(folder, session), traded[:JUMPED], 1.9)
    cache.clear()
    with evenings.reading_archive(folder, tmp_path):
        evenings.evening(LAST)
        evenings.evening(LAST, "validation")
        evenings.evening(LAST, "selection")
        yield sorted(traded[:JUMPED])


def number(page: str, pattern: str) -> int:
    """The number in a page, whatever tags stand around it."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    match = re.search(pattern, text)
    assert match, (pattern, text[:3000])
    return int(match[1])


def counted_by_check(page: str) -> int:
    """The sum of the numbers of a run's result, check by check."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    match = re.search(r"Kept out ((?:\w+ \d+(?:, )?)+)", text)
    assert match, text[-3000:]
    return sum(map(int, re.findall(r" (\d+)", match[1])))


def test_every_page_names_the_same_number_and_links_to_its_list(
    symbols: list[str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(address: str) -> str:
        response = admin_client.get(address)
        assert response.status_code == 200, address
        return response.content.decode()

    entries = quality.kept_out(LAST)
    jumped = [entry for entry in entries if entry.check == "price_jump"]
    assert jumped
    assert quality.day_refusal(LAST) == ""
    assert {entry.symbol for entry in jumped} <= set(symbols)
    assert {entry.since for entry in jumped} == {JUMP}
    count = len(entries)
    run = evenings.run("validation", LAST)
    late = datetime(LAST.year, LAST.month, LAST.day, 23, tzinfo=ZoneInfo("Asia/Kolkata"))
    monkeypatch.setattr(timezone, "now", lambda: late)
    Publication.objects.filter(date=LAST).update(count=1)  # so that the verdict speaks of exclusions, not of the model
    home, status = page("/admin/"), page("/status/")
    home = home.partition('data-part="verdict"')[2]
    console_list, public_list = f"/admin/operations/kept-out/{LAST}/", f"/status/kept-out/{LAST}/"
    stream = io.StringIO()
    call_command("system_status", "--json", stdout=stream)
    numbers = {
        "verdict": number(home, r"(\d+) shares? (?:is|are) kept out \("),
        "findings on the home page": number(home, r"(\d+) shares? kept out of the picks"),
        "console's list": number(page(console_list), r"(\d+) shares? (?:is|are) kept out"),
        "rows of the console's list": page(console_list).count("/admin/stocks/stock/?q="),
        "status page": number(status, r"(\d+) shares? (?:is|are) kept out of the picks"),
        "public list": number(page(public_list), r"(\d+) shares? (?:is|are) kept out"),
        "rows of the public list": page(public_list).count('<th scope="row"><a href="/stocks/'),
        "run page": counted_by_check(page(run_url(run.id))),
        "status of the system": sum(json.loads(stream.getvalue())["kept_out"].values()),
        "API": json.loads(page("/admin/system/status"))["status"]["kept_out"]["shares"],
    }
    assert numbers == dict.fromkeys(numbers, count)
    assert console_list in home
    assert public_list in status


def test_the_pages_of_a_share_say_since_when_and_why_it_is_kept_out(symbols: list[str], admin_client: Client) -> None:
    symbol = next(entry.symbol for entry in quality.kept_out(LAST) if entry.check == "price_jump")
    public = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", admin_client.get(f"/stocks/{symbol}/").content.decode()))
    since = f"{JUMP.day} {JUMP:%b %Y}"
    assert f"{symbol} is kept out of the picks since {since}" in public
    assert "The price opened far from its previous level, and no known event explains it." in public
    listed = admin_client.get(f"/admin/stocks/stock/?q={symbol}").context["cl"].result_list[0]
    page = admin_client.get(f"/admin/stocks/stock/{listed.pk}/change/").content.decode()
    assert f"Price jump, since {JUMP}" in page
    assert "of its previous level" in page
    known = set(Stock.objects.filter(kind="share", last_seen=LAST).values_list("symbol", flat=True))
    other = min(known - set(quality.excluded_symbols(LAST)))
    assert "is kept out of the picks" not in admin_client.get(f"/stocks/{other}/").content.decode()
