"""What an account holds, owns in money and is worth: by hand-made ledgers and hand-computed answers."""

from datetime import date
from decimal import Decimal

import pytest

from market_data.models import DailyBar, MarketDay
from portfolio.accounts import entries, readings
from portfolio.accounts.entries import Draft, Kind
from portfolio.ledger.holdings import Cash
from portfolio.models import LedgerEntry, Position, User
from stocks.models import Stock, SymbolChange
from tests.accounts import paper_account

pytestmark = pytest.mark.django_db
FRI, MON, TUE, WED, THU = (date(2026, 1, 30), *(date(2026, 2, day) for day in (2, 3, 4, 5)))


@pytest.fixture
def account(db):
    sessions = [date(2024, 10, 3), date(2024, 10, 4), FRI, MON, TUE, WED, THU]
    days = [MarketDay(date=day, kind="normal", is_session=True, source="test") for day in sessions]
    MarketDay.objects.bulk_create(days)
    return paper_account(User.objects.create_user("asha"))


def fill(day: date, symbol: str, quantity: int, price: str) -> Draft:
    amount = -quantity * Decimal(price)
    return Draft(day, Kind.FILL, f"{day}:{symbol}:{quantity}:{price}", symbol, quantity, amount)


def held(account, day: date) -> dict[str, tuple[object, ...]]:
    return {
        symbol: (each.quantity, each.arriving, each.bonus_due, each.sellable, each.average_price)
        for symbol, each in readings.holdings_of(account, day).items()
    }


def bar(symbol: str, day: date, close: float) -> DailyBar:
    Stock.objects.get_or_create(symbol=symbol)
    return DailyBar.objects.create(symbol_id=symbol, date=day, series="EQ", close=close, source="test")


def test_a_purchase_arrives_on_the_session_after_it(account):
    entries.enter(account, [fill(FRI, "AAA", 10, "100"), fill(MON, "AAA", 5, "106.50")])
    assert held(account, FRI) == {"AAA": (10, 10, 0, 10, Decimal(100))}
    assert held(account, MON) == {"AAA": (15, 15, 0, 15, Decimal("102.1667"))}
    assert held(account, TUE) == {"AAA": (15, 5, 0, 15, Decimal("102.1667"))}
    assert held(account, WED) == {"AAA": (15, 0, 0, 15, Decimal("102.1667"))}


def test_a_sale_takes_the_oldest_shares_first(account):
    entries.enter(account, [fill(FRI, "AAA", 10, "100"), fill(MON, "AAA", 5, "106.50"), fill(TUE, "AAA", -12, "110")])
    assert held(account, TUE) == {"AAA": (3, 3, 0, 3, Decimal("106.5"))}
    position = Position.objects.get(account=account, symbol="AAA")
    assert (position.quantity, position.average_price) == (3, Decimal("106.5"))
    assert position.realised_profit == 10 * 10 + 2 * Decimal("3.50")


def test_a_bonus_is_due_until_it_is_credited_and_a_split_multiplies_what_arrives(account):
    bonus = Draft(TUE, Kind.BONUS, "b", "AAA", 10, ratio_new=Decimal(1), ratio_old=Decimal(1), credited_on=THU)
    split = Draft(WED, Kind.SPLIT, "s", "BBB", 36, ratio_new=Decimal(10), ratio_old=Decimal(1))
    entries.enter(account, [fill(FRI, "AAA", 10, "100"), fill(TUE, "BBB", 4, "50"), bonus, split])
    assert held(account, WED) == {"AAA": (20, 0, 10, 10, Decimal(50)), "BBB": (40, 40, 0, 40, Decimal(5))}
    assert held(account, THU) == {"AAA": (20, 0, 0, 20, Decimal(50)), "BBB": (40, 0, 0, 40, Decimal(5))}


@pytest.mark.parametrize(
    ("bought", "sold", "usable"),
    [(FRI, MON, Decimal(0)), (FRI, TUE, Decimal(1200)), (date(2024, 10, 3), date(2024, 10, 4), Decimal(0))],
)
def test_the_proceeds_of_shares_that_were_not_delivered_wait(account, bought, sold, usable):
    entries.deposit(account, bought, Decimal(1000), "first")
    entries.enter(account, [fill(bought, "AAA", 10, "100"), fill(sold, "AAA", -10, "120")])
    assert readings.cash_of(account, sold) == Cash(Decimal(1200), usable)


def test_before_october_2024_a_fifth_of_a_sale_waits_a_session(account):
    opening = Draft(date(2024, 9, 2), Kind.OPENING, "o", "AAA", 10, price=Decimal(90))
    entries.enter(account, [opening, fill(date(2024, 10, 3), "AAA", -10, "120")])
    assert readings.cash_of(account, date(2024, 10, 3)) == Cash(Decimal(1200), Decimal(960))
    assert readings.cash_of(account, date(2024, 10, 4)) == Cash(Decimal(1200), Decimal(1200))


def test_value_and_profit_count_closes_money_and_shares_put_in(account):
    entries.deposit(account, FRI, Decimal(1000), "first")
    entries.withdraw(account, MON, Decimal(100), "out")
    entries.enter(account, [Draft(FRI, Kind.OPENING, "o", "BBB", 2, price=Decimal(40)), fill(FRI, "AAA", 5, "100")])
    entries.enter(account, [Draft(FRI, Kind.CHARGE, f"{FRI}:stt", amount=Decimal(-1))])
    bar("AAA", FRI, 110.5)
    value = readings.AccountReading(account, FRI).value
    assert (value.cash, value.shares, value.unpriced) == (Decimal(499), Decimal("552.5"), ("BBB",))
    assert readings.AccountReading(account, FRI).profit().after_charges is None
    bar("BBB", MON, 45)
    profit = readings.AccountReading(account, MON).profit()
    assert (profit.after_charges, profit.realised, profit.charges) == (Decimal("61.5"), Decimal(0), Decimal(1))


def test_a_share_that_has_not_traded_since_its_split_is_worth_what_it_was(account):
    bar("AAA", MON, 100)
    split = Draft(TUE, Kind.SPLIT, "s", "AAA", 90, ratio_new=Decimal(10), ratio_old=Decimal(1))
    entries.enter(account, [fill(MON, "AAA", 10, "100"), split])
    assert readings.AccountReading(account, TUE).value.shares == 1000


def test_after_a_rename_readers_follow_and_the_ledger_keeps_its_symbol(account):
    entries.enter(account, [fill(FRI, "OLD", 10, "100")])
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=TUE, proof="exchange")
    bar("NEW", FRI, 101)
    assert list(held(account, MON)) == ["OLD"]
    assert readings.AccountReading(account, MON).value.shares == 1010
    assert list(held(account, TUE)) == ["NEW"]
    entries.enter(account, [fill(TUE, "NEW", -4, "120")])
    assert held(account, TUE)["NEW"][0] == 6
    assert list(Position.objects.values_list("symbol", "quantity", "realised_profit")) == [("NEW", 6, Decimal(80))]
    assert set(LedgerEntry.objects.values_list("symbol", flat=True)) == {"OLD", "NEW"}


def test_the_same_entry_twice_is_one_and_another_under_its_reference_is_refused(account):
    for _ in range(2):
        entries.deposit(account, FRI, Decimal(1000), "first")
    with pytest.raises(entries.EntryError, match=r"deposit first stands in the ledger with 0 shares and ₹1000"):
        entries.deposit(account, FRI, Decimal(900), "first")
    assert readings.cash_of(account, FRI).total == 1000
