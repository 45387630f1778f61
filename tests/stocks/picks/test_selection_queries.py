"""What the selection reads: groups of shares; the list before a session, without abstentions, under its symbols."""

from datetime import date

import pytest

from stocks.models import Stock, SymbolChange
from stocks.picks.selection_queries import list_before, share_groups
from stocks.picks.standings import ListBefore
from tests.published import SESSION, pick, publish

pytestmark = pytest.mark.django_db
DAYS = [date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29)]


def test_without_an_earlier_list_there_is_none():
    publish("value", [pick("AAA")])
    publish("growth", [pick("AAA")], session=DAYS[0])
    assert list_before("value", SESSION) is None


def the_list_before() -> ListBefore:
    before = list_before("value", SESSION)
    assert before is not None
    return before


def test_an_abstention_and_a_superseded_list_do_not_count():
    first = publish("value", [pick("AAA", listed_since=DAYS[0]), pick("BBB", listed_since=None)], session=DAYS[1])
    publish("value", [pick("CCC")], session=DAYS[2], superseded=True)
    publish("value", [], session=DAYS[2], version=2, abstention="data")
    before = the_list_before()
    assert (before.publication_id, before.session) == (first.pk, DAYS[1])
    assert before.shares == {
        "AAA": ("AAA Limited", 1, 1, DAYS[0]),
        # published before the day was stored
        "BBB": ("BBB Limited", 2, 2, DAYS[1]),
    }


def test_a_list_that_the_conditions_emptied_counts():
    publish("value", [pick("AAA")], session=DAYS[0])
    empty = publish("value", [], session=DAYS[1])
    assert list_before("value", SESSION) == (empty.pk, DAYS[1], {})


def test_a_renamed_share_is_the_same_one():
    Stock.objects.create(symbol="NEWNAME")
    SymbolChange.objects.create(from_symbol="OLDNAME", to_symbol="NEWNAME", date=SESSION, proof="isin")
    publish("value", [pick("OLDNAME")], session=DAYS[2])
    assert set(the_list_before().shares) == {"NEWNAME"}
    SymbolChange.objects.update(date=date(2026, 5, 4))
    assert set(the_list_before().shares) == {"OLDNAME"}


def test_groups_are_those_of_shares_that_have_a_sector():
    for symbol, kind, sector, industry in (
        ("BANK", "share", "Financial Services", "Private Banks"),
        ("BARE", "share", "Power", None),
        ("BLANK", "share", "", "Lost"),
        ("GOLDBEES", "fund", "Gold", "Gold"),
        ("NONE", "share", None, None),
    ):
        Stock.objects.create(symbol=symbol, kind=kind, sector=sector, industry=industry)
    rows = share_groups()
    assert rows["symbol"].tolist() == ["BANK", "BARE"]
    assert rows["sector"].tolist() == ["Financial Services", "Power"]
    assert rows["industry"].isna().tolist() == [False, True]
    assert share_groups().columns.tolist() == ["symbol", "sector", "industry"]


def test_without_shares_there_are_no_groups():
    assert share_groups().empty
