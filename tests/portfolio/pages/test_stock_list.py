"""The list of stocks: whole, page by page, and sorted by its headings."""

import re

import pytest

from stocks.models import Stock
from tests.portfolio.pages.test_views import page
from tests.published import SESSION

pytestmark = pytest.mark.django_db
SYMBOLS = re.compile(r'<th scope="row"><a href="/stocks/(\w+)/"')


def store(count):
    Stock.objects.bulk_create(
        Stock(symbol=f"S{n:03}", stock_name=f"Name {count - n:03}", sector="Banks", market_cap=n + 1, last_seen=SESSION)
        for n in range(count)
    )


def test_a_sector_is_shown_whole(client):
    store(120)
    symbols, address = [], "/stocks/?sector=Banks"
    for _ in range(3):
        html = page(client, address)
        symbols += SYMBOLS.findall(html)
        following = re.findall(r'rel="next" href="([^"]*)"', html)
        address = "/stocks/" + following[0].replace("&amp;", "&") if following else ""
    assert address == ""
    assert symbols == [f"S{n:03}" for n in reversed(range(120))]  # the largest first


@pytest.mark.parametrize(
    ("sort", "first"), [("symbol", "S000"), ("name", "S059"), ("cap", "S059"), ("lottery", "S059"), ("", "S059")]
)
def test_a_heading_sorts_the_whole_list(client, sort, first):
    store(60)
    assert SYMBOLS.findall(page(client, f"/stocks/?sector=Banks&sort={sort}"))[0] == first


def test_a_page_of_a_sorted_list_keeps_its_order(client):
    store(60)
    html = page(client, "/stocks/?sector=Banks&sort=symbol&page=2")
    assert SYMBOLS.findall(html) == [f"S{n:03}" for n in range(50, 60)]
    assert "sort=symbol&amp;page=1" in html
