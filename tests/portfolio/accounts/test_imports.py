"""A ledger file in an account: all of its rows or none, each once, and the same lots as by the file."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from market_data.models import CorporateAction
from portfolio.accounts import entries, readings
from portfolio.accounts.corporate_actions import post_corporate_actions
from portfolio.accounts.entries import Draft, Kind
from portfolio.accounts.imports import import_ledger
from portfolio.models import LedgerEntry, Position, TradingAccount, User
from stocks.models import Stock, SymbolChange
from tests.accounts import paper_account
from tests.portfolio.ledger.ledgers import file_of

pytestmark = pytest.mark.django_db
TODAY = date(2026, 2, 2)
LINES = (
    "2016-05-02 opening OLD quantity=7 price=99.5 charges=1.25 fmv=120",
    "2025-01-01 buy AAA quantity=25 price=100.05 charges=2.5",
    "2025-01-01 buy AAA quantity=25 price=100.05 charges=2.5",
    "2025-02-03 split OLD ratio=10",
    "2025-03-03 bonus OLD ratio=1:2 credited_on=2025-03-05",
    "2025-04-02 sell NEW quantity=100 price=13 charges=0.4",
    "2025-05-02 transfer AAA quantity=20",
    "2025-05-05 split AAA ratio=0.1",
)


@pytest.fixture
def account(db):
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=date(2025, 4, 1), proof="exchange")
    return paper_account(User.objects.create_user("asha"))


def imported(account: TradingAccount, *lines: str, dry_run: bool = False) -> tuple[int, int]:
    result = import_ledger(account, file_of(*lines).encode(), TODAY, dry_run=dry_run)
    return result.rows, result.new


def test_a_file_is_entered_once_and_counts_for_the_tax_as_it_stands(account, tmp_path):
    assert imported(account, *LINES, dry_run=True) == (8, 8)
    assert not LedgerEntry.objects.exists()
    assert imported(account, *LINES) == (8, 8)
    assert imported(account, *LINES) == (8, 0)
    assert imported(account, *LINES, "2025-06-02 buy AAA quantity=1 price=99") == (9, 1)
    held = readings.holdings_of(account, TODAY)
    # By hand: 7 × 10, half as many again, less 100; 50 less 20, a tenth, and one more.
    assert {symbol: each.quantity for symbol, each in held.items()} == {"NEW": 5, "AAA": 4}
    assert {row.symbol for row in LedgerEntry.objects.filter(kind="split")} == {"OLD", "AAA"}
    # The opening cost nothing here; two purchases, a sale, a purchase.
    spent = 2 * (25 * Decimal("100.05") + Decimal("2.5")) - (1300 - Decimal("0.4")) + 99
    assert readings.cash_of(account, TODAY).total == -spent
    file, out, other = tmp_path / "ledger.csv", StringIO(), StringIO()
    now = [line.replace("OLD", "NEW") for line in LINES]
    file.write_text(file_of(*now, "2025-06-02 buy AAA quantity=1 price=99"))
    call_command("tax_lots", account=str(account.pk), json=True, stdout=out)
    call_command("tax_lots", ledger=str(file), json=True, stdout=other)
    assert json.loads(out.getvalue()) == json.loads(other.getvalue())
    assert sum(Position.objects.values_list("quantity", flat=True)) == 9


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "2025-06-02 sell AAA quantity=4 price=10",
            r"Line 11: 4 AAA are sold on 2025-06-02, 1 more than",
        ),
        (
            "2025-03-04 sell NEW quantity=71 price=1",
            r"Line 11: date 2025-03-04 lies before 2025-05-06; sort",
        ),
        ("2025-06-02 buy AAA quantity=1 price=0.12345", r"Line 11: price 0.12345 has more than four decimals"),
        ("2025-06-02 buy AAA quantity=9999999999 price=1", "Line 11: it says more than a ledger keeps"),
        ("2025-06-02 buy AAA quantity=2000000 price=900000", "Line 11: it says more than a ledger keeps"),
        ("2025-06-02 split AAA ratio=123456.1234567891:3", "Line 11: it says more than a ledger keeps"),
        ("2025-06-02 split AAA ratio=1:2", "Line 11: 3 AAA × 1/2 are no whole shares; before it, add a sale of the 1"),
        ("2025-06-02 split ZZZ ratio=2", "Line 11: no ZZZ is held on 2025-06-02; correct the symbol"),
        ("2026-02-03 buy AAA quantity=1 price=1", "Line 11: date 2026-02-03 lies after 2026-02-02; leave the line out"),
        ("2025-06-02 buy AAA quantity=0 price=1", "Line 11: quantity '0' is not a positive whole number"),
    ],
)
def test_one_bad_row_enters_nothing(account, line, sentence):
    with pytest.raises(ValueError, match=sentence):
        imported(account, *LINES, "2025-05-06 buy BBB quantity=1 price=1", line.replace("2025-05-06", "2025-06-02"))
    assert not LedgerEntry.objects.exists()


def test_a_file_may_sell_what_the_account_holds_already_and_not_more(account):
    entries.enter(account, [Draft(date(2025, 1, 1), Kind.FILL, "NSE:1", "AAA", 10, Decimal(-1000))])
    assert imported(account, "2025-02-03 sell AAA quantity=6 price=100") == (1, 1)
    with pytest.raises(ValueError, match=r"Line 3: 5 AAA are sold on 2025-03-03, 1 more than can be"):
        imported(account, "2025-02-03 sell AAA quantity=6 price=100", "2025-03-03 sell AAA quantity=5 price=100")
    # An earlier sale that would leave too few for the one that stands there already.
    with pytest.raises(ValueError, match=r"Entry fill file:.*: 6 AAA are sold on 2025-02-03, 5 more than can be"):
        imported(account, "2025-01-15 sell AAA quantity=9 price=100")


def test_the_fill_of_an_order_is_not_doubled_by_a_file(account):
    entries.enter(account, [Draft(date(2025, 1, 1), Kind.FILL, "NSE:2025-01-01:7", "AAA", 10, Decimal(-1000))])
    with pytest.raises(ValueError, match=r"Line 2: 10 AAA stand in the ledger already as the fill NSE:2025-01-01:7"):
        imported(account, "2025-01-01 buy AAA quantity=10 price=100")


def test_shares_from_before_a_split_that_is_entered_are_refused(account):
    split = Draft(date(2025, 2, 3), Kind.SPLIT, "s", "AAA", 10, ratio_new=Decimal(2), ratio_old=Decimal(1))
    entries.enter(account, [Draft(date(2025, 1, 1), Kind.FILL, "NSE:1", "AAA", 10, Decimal(-1000)), split])
    with pytest.raises(ValueError, match=r"Line 2: the ledger has a split of AAA on 2025-02-03, entered"):
        imported(account, "2025-01-15 buy AAA quantity=1 price=100")
    assert imported(account, "2025-02-03 buy AAA quantity=1 price=50") == (1, 1)


def test_events_before_the_import_are_the_files_and_later_ones_are_entered(account):
    imported(account, "2025-01-01 opening AAA quantity=20 price=50")
    for day in (date(2025, 2, 3), date(2999, 2, 4)):
        terms = {"known_on": day, "status": "official", "purpose": "split", "source": "t"}
        CorporateAction.objects.create(symbol="AAA", kind="split", factor=0.5, ex_date=day, **terms)
    assert post_corporate_actions(account, date(2025, 2, 3)) == []
    assert readings.holdings_of(account, TODAY)["AAA"].quantity == 20


def test_an_entry_has_the_isin_of_its_day_where_no_split_has_changed_it_since(account):
    for symbol in ("AAA", "BBB"):
        Stock.objects.create(symbol=symbol, isin=f"INE00{symbol}01011"[:12])
    terms = {"known_on": TODAY, "status": "official", "purpose": "split", "source": "t"}
    CorporateAction.objects.create(symbol="BBB", kind="split", factor=0.5, ex_date=date(2025, 6, 2), **terms)
    imported(account, "2025-01-01 buy AAA quantity=1 price=1", "2025-01-01 buy BBB quantity=1 price=1")
    imported(account, "2025-07-01 buy BBB quantity=1 price=1")
    rows = LedgerEntry.objects.order_by("id").values_list("symbol", "isin")
    assert list(rows) == [("AAA", "INE00AAA0101"), ("BBB", ""), ("BBB", "INE00BBB0101")]


def test_the_command_imports_and_shows(account, tmp_path):
    file = tmp_path / "ledger.csv"
    file.write_text(file_of(*LINES))
    for arguments, new in ((["--dry-run"], 8), ([], 8), ([], 0)):
        out = StringIO()
        call_command("ledger", "import", str(file), "--account", "Paper", "--json", *arguments, stdout=out)
        answer = {"account": account.pk, "dry_run": bool(arguments), "rows": 8, "new": new}
        assert json.loads(out.getvalue()) == answer
    out = StringIO()
    call_command("ledger", "show", "--account", str(account.pk), "--date", "2025-07-01", "--json", stdout=out)
    shown = json.loads(out.getvalue())
    assert [(row["symbol"], row["quantity"]) for row in shown["holdings"]] == [("AAA", 3), ("NEW", 5)]
    assert (shown["cash"], shown["unpriced"], shown["profit"]["after_charges"]) == ("-3707.90", ["AAA", "NEW"], "")
    assert len(shown["entries"]) == 13
    call_command("ledger", "show", "--account", str(account.pk), stdout=out)
    for arguments, sentence in (
        (["import", "/nowhere.csv"], "cannot be read"),
        (["show", "--date", "x"], "not a date"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("ledger", *arguments, "--account", str(account.pk))
