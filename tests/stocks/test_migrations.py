"""What migrations make of rows that an earlier version stored."""

from datetime import date
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from stocks.models import Publication, SuggestedStock
from tests.published import pick, publish

pytestmark = pytest.mark.django_db
EDITOR = SimpleNamespace(connection=connection)
REASON = (
    "Value (profitable companies at a low price with little debt): place 1 of 1 that passed, score 0.93 from"
    " prediction 0.80, low P/E 1.00, return on equity 0.75, low debt 1.00. Expected +1.5% in ten sessions, above"
    " the costs of 0.3%."
)
VALUE = {"prediction": 0.8, "low P/E": 1.0, "return on equity": 0.75, "low debt": 1.0}


def test_the_parts_of_a_score_are_read_from_the_reasons_published_so_far():
    unknown = pick("CCC", reason=None)
    for row in (first := pick("AAA", reason=REASON), second := pick("BBB", reason="Because."), unknown):
        row.pop("score_parts")
    publish("value", [first, second, unknown])
    publish("value", [first], version=2, superseded=True)
    fill_score_parts = import_module("stocks.migrations.0006_score_parts_read_from_reasons").fill_score_parts
    for _ in range(2):
        fill_score_parts(apps, EDITOR)
        assert dict(SuggestedStock.objects.values_list("symbol", "score_parts")) == {
            "AAA": VALUE,
            "BBB": None,
            "CCC": None,
        }
        copies = [list(row) for row in Publication.objects.order_by("version").values_list("picks", flat=True)]
        assert [[copy["score_parts"] for copy in row] for row in copies] == [[VALUE, None, None], [VALUE]]


@pytest.mark.parametrize(
    ("strategy", "stated", "parts"),
    [
        ("balanced", "score 0.80 from prediction 0.70, safety 0.90. Not known: confidence.", ("prediction", "safety")),
        (
            "momentum",
            "score 0.80 from price over SMA 200 0.30, price over SMA 50 0.20.",
            ("price over SMA 200", "price over SMA 50"),
        ),
        (
            "growth",
            "score 0.80 from prediction 0.70, earnings growth 1.00, revenue growth 0.50.",
            ("prediction", "earnings growth", "revenue growth"),
        ),
        ("lottery", "score 0.80 from prediction 0.70.", ()),
        ("value", "", ()),
    ],
)
def test_only_stated_parts_of_the_strategy_are_read(strategy, stated, parts):
    read = import_module("stocks.migrations.0006_score_parts_read_from_reasons").stated_parts(stated, strategy)
    assert set(read or ()) == set(parts)


@pytest.mark.parametrize(
    ("reason", "count", "abstention"),
    [
        ("No accepted model is at most 7 sessions old on 2026-04-30.", 0, "model"),
        ("The data of 2026-04-30 failed a check: half the bars are missing.", 0, "data"),
        ("There are no bars of 2026-04-30; the latest are of 2026-04-29.", 0, "no_bars"),
        ("No share was tradable on 2026-04-30.", 0, "no_shares"),
        ("0 of 9 tradable shares passed (failed: 9 at min_price 20).", 0, ""),
        ("The data of 2026-04-30 failed a check: half the bars are missing.", 1, ""),
    ],
)
def test_abstentions_are_read_from_the_reasons_published_so_far(reason, count, abstention):
    publish("value", [pick("AAA")] * count, reason=reason)
    import_module("stocks.migrations.0008_abstentions_read_from_reasons").fill_abstentions(apps, EDITOR)
    assert Publication.objects.get().abstention == abstention


def test_standings_are_read_from_the_lists_in_force():
    days = [date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29), date(2026, 4, 30)]
    bare = {"place": None, "standing": None, "listed_since": None}
    first = publish("value", [pick("AAA", reason=REASON, **bare), pick("BBB", **bare)], session=days[0])
    publish("value", [pick("BBB", **bare)], session=days[1], superseded=True)
    second = publish("value", [pick("CCC", **bare), pick("AAA", **bare)], session=days[1], version=2)
    publish("value", [], session=days[2], abstention="data")
    third = publish("value", [pick("AAA", **bare), pick("BBB", **bare)], session=days[3])
    fill_standings = import_module("stocks.migrations.0011_standings_read_from_the_lists_in_force").fill_standings
    for _ in range(2):
        fill_standings(apps, EDITOR)
        rows = SuggestedStock.objects.order_by("date", "rank").values_list(
            "symbol", "place", "standing", "listed_since"
        )
        assert list(rows) == [
            ("AAA", 1, "new", days[0]),
            ("BBB", None, "new", days[0]),
            ("CCC", None, "new", days[1]),
            ("AAA", None, "kept", days[0]),
            ("AAA", None, "kept", days[0]),
            ("BBB", None, "new", days[3]),
        ]
        for publication in (first, second, third):
            publication.refresh_from_db()
        assert [publication.previous for publication in (first, second, third)] == [None, first, second]
        assert [row["symbol"] for row in second.departures] == ["BBB"]
        assert third.departures == [
            {
                "symbol": "CCC",
                "stock_name": "CCC Limited",
                "last_rank": 1,
                "last_place": None,
                "listed_since": "2026-04-28",
                "place": None,
                "reason": "",
            }
        ]
        assert third.picks[0]["standing"] is None
