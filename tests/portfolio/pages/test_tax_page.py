"""The tax statement of an uploaded ledger: the page, its CSV, and what is refused."""

import csv
import io
import json

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from tests.portfolio.ledger.ledgers import HEADER
from tests.portfolio.pages.test_closes import UNTIL, store

pytestmark = pytest.mark.django_db
SAMPLE = settings.BASE_DIR / "static" / "portfolio" / "sample_ledger.csv"


@pytest.fixture
def person(client):
    client.force_login(get_user_model().objects.create_user("asha"))
    return client


def sent(client, content, **more):
    file = SimpleUploadedFile("ledger.csv", content, content_type="text/csv")
    return client.post("/tax/", {"file": file, "as_of": "2026-04-30", **more})


def test_the_form_asks_for_the_last_session(person):
    store("AAA", [(10.0, 10.0)])
    response = person.get("/tax/")
    html = response.content.decode()
    assert f'value="{UNTIL}"' in html
    assert "sample_ledger.csv" in html
    assert response["Cache-Control"] == "no-store, private"


def test_a_statement_with_years_disposals_and_open_lots(person):
    """The sample in 2024-25, by hand.

    EXAMPLE: 60 of 100 for 17,998; their cost 8,004 × 0.6 = 4,802.40 or 60 × min(120, 300) = 7,200: long 10,798 at 10 %.
    SAMPLE: 70 for 18,198.20, of which 50 (12,998.71) cost 20,502.10: long −7,503.39; 20 of the bonus (5,199.49) nil.
    DEMO: 15 of 40 for 4,349.40, cost 10,001.05 × 15 / 40 = 3,750.39: short 599.01. Later 20 for 4,719.45, half of them
    bought on that day for 2,400.30: 2,359.73 (half up) less that is −40.57 intraday; the other ten, 2,359.72, cost
    6,250.66 × 10 / 25 = 2,500.26: short −140.54. So short 458.47 at 20 % = 91.69; 5,199.49 of the long loss go against
    the gain at 12.5 % and 2,303.90 against that at 10 %, and the 8,494.10 left are exempt.
    """
    html = sent(person, SAMPLE.read_bytes()).content.decode()
    assert "EXAMPLE" in html
    texts = ("2024-25: tax ₹91.69", "₹10,798.00", "−₹7,503.39", "−₹2,303.90", "₹458.47", "−₹40.57", "₹8,494.10")
    for text in (*texts, "2025-26: tax ₹0.00", "Long at 12.5 %", "Short at 15 %", "Intraday"):
        assert text in html, text
    assert "12 Jan 2026" in html
    assert "13 Jan 2027" in html
    assert ">258<" in html  # from 30 April 2026 to 13 January 2027
    assert "Surcharge and cess are left out" in html


def test_the_statement_as_csv(person):
    answer = sent(person, SAMPLE.read_bytes(), csv="1")
    assert answer["Content-Disposition"] == 'attachment; filename="tax_statement.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    totals = [row for row in rows if row["term"] == "total"]
    assert [row["year"] for row in totals] == ["2024-25", "2025-26"]
    for total in totals:
        gains = [float(row["gain"]) for row in rows if row["year"] == total["year"] and row is not total]
        assert float(total["gain"]) == pytest.approx(sum(gains))
    assert rows[0] | {"exempt": "", "tax": ""} == {
        "year": "2024-25", "symbol": "EXAMPLE", "bought_on": "2017-06-05", "sold_on": "2024-05-20", "quantity": "60",
        "proceeds": "17998.00", "cost": "7200.00", "gain": "10798.00", "term": "long", "rate_pct": "10",
        "exempt": "", "tax": "", "carried_short": "", "carried_long": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            f"{HEADER}\n2025-01-01,sell,ACME,1,1,,,,".encode(),
            "Line 2: 1 ACME are sold on 2025-01-01, 1 more than can be",
        ),
        (f"{HEADER}\n2025-01-01,gift,ACME,1,1,,,,".encode(), "Line 2: kind &#x27;gift&#x27; is not known"),
        (b"\xff\xfe", "Line 1 is not UTF-8 text"),
        (b"", "The file is empty; choose a ledger file."),
        (b"x" * (5 * 1024 * 1024 + 1), "more than 5 MB"),
    ],
)
def test_a_bad_file_is_a_sentence_without_figures(person, content, sentence):
    for more in ({}, {"csv": "1"}):
        html = sent(person, content, **more).content.decode()
        assert sentence in html
        assert "Open lots" not in html


def test_a_missing_file_or_day_is_named(person):
    html = person.post("/tax/", {"as_of": "tomorrow"}).content.decode()
    assert "Choose a ledger file." in html
    assert "The day is not a date" in html


def test_only_people_may_and_only_from_the_form(client):
    assert client.get("/tax/")["Location"] == "/login/?next=/tax/"
    assert sent(client, SAMPLE.read_bytes())["Location"] == "/login/?next=/tax/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_user("asha"))
    assert sent(strict, SAMPLE.read_bytes()).status_code == 403


def test_the_api_gives_the_statement_of_the_command(person, capsys):
    with SAMPLE.open("rb") as file:
        answer = person.post("/api/tax/", {"file": file}, HTTP_ACCEPT="application/json")
    call_command("tax_lots", ledger=str(SAMPLE), json=True)
    expected = json.loads(capsys.readouterr().out)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in expected} == expected
    assert "Surcharge and cess are left out." in answer.json()["notes"]


def test_the_api_refuses_a_bad_ledger_and_visitors(person):
    file = SimpleUploadedFile("ledger.csv", f"{HEADER}\n2024-01-10,gift,AAA,3,100,1,,2024-01-11,\n".encode())
    answer = person.post("/api/tax/", {"file": file}, HTTP_ACCEPT="application/json")
    assert answer.status_code == 400
    assert "kind 'gift' is not known" in answer.json()["error"]["message"]
    assert person.post("/api/tax/", {}, HTTP_ACCEPT="application/json").status_code == 400
    assert person.post("/api/tax/", {"file": "x"}, "application/json").status_code == 415
    assert Client().post("/api/tax/", {}, HTTP_ACCEPT="application/json").status_code == 401
