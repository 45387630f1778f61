import pytest

from stocks.models import Stock
from stocks.picks.selection_queries import share_groups

pytestmark = pytest.mark.django_db


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
