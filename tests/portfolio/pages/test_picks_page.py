"""The picks page: sorting by its headings, what is folded, and the file."""

import csv
import io
import re

import pytest
from django.core.cache import cache

from tests.portfolio.pages.test_views import page
from tests.published import pick, publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_the_order(client):
    publish("balanced", [pick("AAA", predicted_return=1.0), pick("BBB", predicted_return=3.0, sector="Banks")])
    symbols = re.compile(r'class="symbol" href="/stocks/(\w+)/"')
    link = re.compile(r'<th scope="col" class="number"( aria-sort="\w+")?><a href="([^"]*)">Expected return</a>')
    address, orders = "/picks/?search=", []
    for _ in range(3):
        html = page(client, address)
        sorted_by, target = link.findall(html)[0]
        orders.append((sorted_by.strip(), symbols.findall(html)))
        address = "/picks/" + target.replace("&amp;", "&")
    assert orders == [
        ("", ["AAA", "BBB"]),
        ('aria-sort="descending"', ["BBB", "AAA"]),
        ('aria-sort="ascending"', ["AAA", "BBB"]),
    ]
    assert "sector=Banks" in link.findall(page(client, "/picks/?sector=Banks&sort=risk"))[0][1]


def test_what_is_not_worth_a_purchase_is_folded_under_a_sentence(client):
    publish("balanced", [pick("AAA"), pick("BBB", recommendation="HOLD"), pick("CCC", recommendation="AVOID")])
    publish("growth", [pick("DDD", recommendation="HOLD"), pick("EEE", recommendation=None)])
    html = page(client)
    assert "<strong>1 of 3</strong> is worth a purchase after costs today." in html
    bought, held = html.split('<details class="held">')
    assert 'href="/stocks/AAA/"' in bought
    assert 'href="/stocks/BBB/"' not in bought
    assert 'href="/stocks/BBB/"' in held
    assert "<strong>0 of 2</strong> are worth a purchase after costs today." in page(client, "/picks/?strategy=growth")
    # Whoever sorts or filters wants to see what was found.
    assert '<details class="held" open>' in page(client, "/picks/?sort=risk")
    assert '<details class="held" open>' in page(client, "/picks/?search=bbb")


def test_the_list_can_be_downloaded_as_it_is_shown(client):
    publish("balanced", [pick("AAA", predicted_return=1.23456789), pick("BBB", predicted_return=2.0, reason="=1+1")])
    address = re.findall(r'class="file" href="([^"]*)"', page(client, "/picks/?search=limited"))[0]
    assert address == "/picks/list.csv?strategy=balanced&amp;search=limited"
    response = client.get("/picks/list.csv?strategy=balanced&sort=return")
    assert response["Content-Type"].startswith("text/csv")
    assert 'filename="picks_balanced_2026-04-30.csv"' in response["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["symbol"], row["predicted_return"]) for row in lines] == [("BBB", "2.0"), ("AAA", "1.235")]
    assert lines[0]["reason"] == "'=1+1"
    assert client.get("/picks/list.csv?strategy=value").content.decode().startswith("rank,symbol,")
    assert client.get("/picks/list.csv?strategy=lottery").status_code == 404
