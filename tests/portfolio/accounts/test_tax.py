"""An account's tax statement: by hand, and the same as that of a file with the same entries."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portfolio.accounts import entries
from portfolio.accounts.entries import Draft, Kind
from portfolio.models import TradingAccount, User
from stocks.models import SymbolChange
from tests.accounts import paper_account
from tests.portfolio.ledger.ledgers import file_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db):
    return paper_account(User.objects.create_user("asha"))


def fill(day: str, symbol: str, quantity: int, price: str) -> Draft:
    on = date.fromisoformat(day)
    return Draft(on, Kind.FILL, f"{day} {symbol} {quantity} {price}", symbol, quantity, -quantity * Decimal(price))


def charge(day: str, line: str, amount: str) -> Draft:
    return Draft(date.fromisoformat(day), Kind.CHARGE, f"{day}:{line}", amount=-Decimal(amount))


def output(*arguments: str) -> str:
    out = StringIO()
    call_command("tax_lots", *arguments, "--json", stdout=out)
    return out.getvalue()


def as_from_a_file(account: TradingAccount, tmp_path, *lines: str) -> dict[str, object]:
    path = tmp_path / "ledger.csv"
    path.write_text(file_of(*lines))
    assert output("--account", str(account.pk)) == output("--ledger", str(path))
    assert output("--account", account.name) == output("--account", str(account.pk))
    statement: dict[str, object] = json.loads(output("--account", str(account.pk)))
    return statement


def test_the_lines_of_a_note_are_shared_by_value_and_the_transaction_tax_does_not_count(account, tmp_path):
    bought = fill("2025-01-01", "AAA", 10, "100"), fill("2025-01-01", "BBB", 30, "100")
    lines = charge("2025-01-01", "stt", "4"), charge("2025-01-01", "gst", "0.10"), charge("2025-01-01", "exchange", "1")
    sold = (
        fill("2025-06-02", "AAA", -10, "150"),
        charge("2025-06-02", "stamp_duty", "0"),
        charge("2025-06-02", "gst", "2"),
    )
    entries.enter(account, [*bought, *lines, charge("2025-01-01", "stamp_duty", "0.40"), *sold])
    entries.deposit(account, date(2025, 1, 1), Decimal(5000), "first")
    # By hand: of ₹1.10 a quarter, half up, is 0.28 (0.25 + 0.03), of the stamp duty 0.10; the rest is the others'.
    statement = as_from_a_file(
        account,
        tmp_path,
        "2025-01-01 buy AAA quantity=10 price=100 charges=0.38",
        "2025-01-01 buy BBB quantity=30 price=100 charges=1.12",
        "2025-06-02 sell AAA quantity=10 price=150 charges=2",
    )
    assert statement["disposals"] == [
        {
            "symbol": "AAA",
            "sold_on": "2025-06-02",
            "bought_on": "2025-01-01",
            "quantity": 10,
            "proceeds": "1498.00",
            "cost": "1000.38",
            "gain": "497.62",
            "term": "short",
        }
    ]


def test_openings_splits_bonuses_and_transfers(account, tmp_path):
    opening = Draft(
        *(date(2025, 1, 1), Kind.OPENING, "o", "AAA", 7),
        price=Decimal("99.5"),
        credited_on=date(2017, 5, 2),
        fmv=Decimal(120),
    )
    split = Draft(date(2025, 2, 3), Kind.SPLIT, "s", "AAA", 63, ratio_new=Decimal(10), ratio_old=Decimal(1))
    bonus = Draft(
        *(date(2025, 3, 3), Kind.BONUS, "b", "AAA", 35),
        ratio_new=Decimal(1),
        ratio_old=Decimal(2),
        credited_on=date(2025, 3, 5),
    )
    away = Draft(date(2025, 4, 1), Kind.TRANSFER, "t", "AAA", -5, price=Decimal(10))
    entries.enter(account, [opening, split, bonus, away, fill("2025-04-02", "AAA", -80, "13")])
    as_from_a_file(
        account,
        tmp_path,
        "2025-01-01 opening AAA quantity=7 price=99.5 credited_on=2017-05-02 fmv=120",
        "2025-02-03 split AAA ratio=10",
        "2025-03-03 bonus AAA ratio=1:2 credited_on=2025-03-05",
        "2025-04-01 transfer AAA quantity=5",
        "2025-04-02 sell AAA quantity=80 price=13",
    )


def test_the_fraction_of_a_consolidation_is_sold_before_it_at_what_was_paid(account, tmp_path):
    split = Draft(date(2025, 2, 3), Kind.SPLIT, "s", "AAA", -23, ratio_new=Decimal(1), ratio_old=Decimal(10))
    paid = Draft(date(2025, 2, 3), Kind.FRACTION_PAID, "s", "AAA", amount=Decimal("55.50"))
    entries.enter(account, [fill("2025-01-01", "AAA", 25, "10"), split])
    as_from_a_file(
        account,
        tmp_path,
        "2025-01-01 buy AAA quantity=25 price=10",
        "2025-02-02 transfer AAA quantity=5",
        "2025-02-03 split AAA ratio=0.1",
    )
    entries.enter(account, [paid])
    as_from_a_file(
        account,
        tmp_path,
        "2025-01-01 buy AAA quantity=25 price=10",
        "2025-02-02 sell AAA quantity=5 price=11.1",
        "2025-02-03 split AAA ratio=0.1",
    )


def test_a_renamed_share_has_its_present_symbol_and_a_corrected_fill_counts_as_it_is_now(account, tmp_path):
    entries.enter(account, [fill("2025-01-01", "OLD", 10, "100")])
    right: dict[str, Any] = {
        "symbol": "OLD",
        "quantity": -4,
        "amount": Decimal(400),
        "reason": "The broker has six.",
    }
    entries.enter(account, [Draft(date(2025, 1, 1), Kind.CORRECTION, "2025-01-01 OLD 10 100#1", **right)])
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=date(2025, 2, 3), proof="exchange")
    entries.enter(account, [fill("2025-03-03", "NEW", -6, "120")])
    lines = "2025-01-01 buy NEW quantity=6 price=100", "2025-03-03 sell NEW quantity=6 price=120"
    as_from_a_file(account, tmp_path, *lines)


def test_a_ledger_that_sells_more_than_it_holds_has_no_figures(account):
    entries.enter(account, [fill("2025-01-01", "AAA", 10, "100"), fill("2025-02-03", "AAA", -11, "100")])
    with pytest.raises(CommandError, match=r"Entry fill 2025-02-03 AAA -11 100: 11 AAA are sold on 2025-02-03, 1 more"):
        output("--account", str(account.pk))


@pytest.mark.parametrize("wanted", ["nobody", "999999999", "99999999999", "0", ""])
def test_an_unknown_account_is_a_sentence_with_those_there_are(account, wanted):
    with pytest.raises(CommandError, match=rf"names 0 accounts; give the number of one: {account.pk} \(Paper\)"):
        output("--account", wanted)


def test_a_name_of_two_accounts_is_refused(account):
    paper_account(User.objects.create_user("ravi"))
    with pytest.raises(CommandError, match="'Paper' names 2 accounts"):
        output("--account", "Paper")
