"""What the home page says of the lists: turnover, costs, what would withhold them, and what came of them."""

import re
from datetime import timedelta

import pytest

from tests import model_cards
from tests.ml.scoreboard.test_queries import store
from tests.published import SESSION, pick, publish
from tests.runs import make_run

pytestmark = pytest.mark.django_db


def test_the_lists_show_their_turnover(admin_client, weekdays):
    assert "No list has been published yet." in admin_client.get("/admin/operations/state/").content.decode()
    before = publish("value", [pick("OLD")], session=SESSION - timedelta(days=1))
    left = [{"symbol": "OLD", "place": None, "reason": "did not trade"}]
    publication = publish("value", [pick("NEW"), pick("AAA", standing="kept")], previous=before, departures=left)
    html = re.sub(r"\s+", " ", admin_client.get("/admin/operations/state/").content.decode())
    [row] = re.findall(
        rf'<tr><th scope="row"><a href="/admin/stocks/publication/{publication.pk}/change/">.*?</tr>', html
    )
    cells = re.findall(r"<t[dh].*?>(?:<a.*?>)?(.*?)<", row)
    assert cells == ["value", "2", "1", "1", "50%", "50% "]
    shown = admin_client.get(f"/admin/stocks/publication/{publication.pk}/change/").content.decode()
    assert "did not trade" in shown


def test_the_lists_show_what_they_would_have_cost_and_earned(admin_client):
    home = "/admin/operations/state/"
    assert "is not stored yet; <code>model_report</code>" in admin_client.get(home).content.decode()
    model_cards.store_champion()
    lists = model_cards.store_report().report["lists"]
    html = re.sub(r"\s+", " ", admin_client.get(home).content.decode())
    [row] = re.findall(r'<tr><th scope="row">growth</th>.*?</tr>', html)
    shown = [float(value) for value in re.findall(r'<data value="([^"]*)"', row)]
    growth = lists["growth"]
    assert shown == [growth[name]["mean"] for name in ("bought", "cost_pct", "net_excess_pct", "paired")]


def test_what_would_withhold_lists_stands_beside_its_limits(admin_client):
    publish("growth", [pick("AAA")], session=SESSION)
    run = make_run("selection_1", job="selection", names=("PUBLISH",), session=SESSION)
    drift = {"value": 2.5, "limit": 2.0, "detail": "delivery_1, unknown", "fires": True}
    costs = {"value": -0.1234, "limit": None, "detail": "", "fires": False}
    skill = {"value": None, "limit": 0.0, "detail": "not measured", "fires": False}
    run.status, run.summary = "completed", {"triggers": {"Drift": drift, "Costs": costs, "Skill": skill}}
    run.save()
    cells = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in _rows(admin_client, "triggers")]
    assert cells == ["Costs -0.123 off", "Drift delivery_1, unknown 2.500 withheld 2", "Skill not measured – 0"]


def _rows(client, part):
    page = client.get("/admin/").content.decode()
    [section] = re.findall(rf'<section data-part="{part}".*?</section>', page, flags=re.DOTALL)
    return re.findall("<tr.*?</tr>", section.partition("<tbody>")[2])


def test_the_scoreboard_is_on_the_home_page(admin_client):
    store(SESSION, "AAA", 1.25, strategy="value")
    html = re.sub(r"\s+", " ", admin_client.get("/admin/operations/state/").content.decode())
    [row] = re.findall(r'<tr><th scope="row"><a href="/admin/ml/pickoutcome/\?strategy=value">.*?</tr>', html)
    assert re.findall(r"<td.*?>(.*?)<", row) == ["1", "100%", "0%", "+1.2 %"]
