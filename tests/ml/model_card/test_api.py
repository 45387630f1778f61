"""`GET /api/models/`."""

import pytest

from stocks.units import PERCENT, rounded, unit_of
from tests import model_cards

pytestmark = pytest.mark.django_db


def test_the_stored_figures_are_given_rounded_by_their_unit(client):
    champion = model_cards.store_champion()
    stored = model_cards.store_report()
    body = client.get("/api/models/").json()
    assert body["champion"] == {
        "recipe": champion.recipe,
        "estimator": "ensemble",
        "since": "2026-01-02",
        "reason": "It was the first accepted model.",
    }
    assert body["model"]["samples"] == 962138
    assert body["model"]["features"] == 62
    row = stored.report["rows"]["ensemble"]
    figures = {figure["key"]: figure for figure in body["report"]["figures"]}
    net = row["net_excess_pct"]
    assert {name: figures["net_excess_pct"][name] for name in ("value", "low", "high", "interval_pct", "unit")} == {
        "value": rounded(net["mean"], PERCENT),
        "low": rounded(net["low_90"], PERCENT),
        "high": rounded(net["high_90"], PERCENT),
        "interval_pct": 90,
        "unit": "percent a year",
    }
    correlation = unit_of("value", "-1 to 1")
    assert correlation
    assert figures["rank_ic"]["low"] == rounded(row["heads"]["rank"]["rank_ic"]["low_95"], correlation)
    assert figures["skill_above_noise"]["value"] == rounded(model_cards.SKILL["mean"], correlation)
    growth = next(entry for entry in body["report"]["lists"] if entry["strategy"] == "growth")
    assert growth["against_model_pct"]["value"] == rounded(stored.report["lists"]["growth"]["paired"]["mean"], PERCENT)
    [decision] = body["decisions"]
    assert (decision["kind"], decision["challenger_recipe"]) == ("first", None)


def test_without_a_champion_or_a_report_there_is_null_and_no_number(client):
    body = client.get("/api/models/").json()
    assert (body["champion"], body["model"], body["challenger"], body["report"]) == (None, None, None, None)
    model_cards.store_champion()
    assert client.get("/api/models/").json()["report"] is None


def test_an_unchanged_answer_is_not_sent_again(client):
    model_cards.store_champion()
    first = client.get("/api/models/")
    assert client.get("/api/models/", headers={"If-None-Match": first["ETag"]}).status_code == 304
