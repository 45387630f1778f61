"""Tax lots: worked examples by hand, each with its arithmetic, and properties of every ledger."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.ledger.entries import Entry, EntryKind, LedgerError
from portfolio.ledger.tax_lots import Lot, Term, last_short_day, tax_lots
from tests.portfolio.ledger.ledgers import disposals, entries, lots

DAY = date(2025, 4, 1)


def test_first_in_first_out_with_charges_and_paisa():
    """Three at 33.33 with ₹0.01 cost 100.00; two at 50 cost 100.00. Sold four at 60 less ₹0.05: 239.95.

    One share of the first lot was sold before for 40.00: cost 100 / 3 = 33.33, and 66.67 are left for two.
    Of 239.95, two of four have 119.975 → 119.98 (half up), the other two the rest, 119.97.
    """
    ledger = (
        "2025-01-01 buy A quantity=3 price=33.33 charges=0.01 credited_on=2025-01-02",
        "2025-01-03 buy A quantity=5 price=50 credited_on=2025-01-06",
        "2025-02-03 sell A quantity=1 price=40",
        "2025-02-04 sell A quantity=4 price=60 charges=0.05",
    )
    assert disposals(*ledger) == [
        "2025-01-01 2025-02-03 1 40.00 33.33 6.67 short",
        "2025-01-01 2025-02-04 2 119.98 66.67 53.31 short",
        "2025-01-03 2025-02-04 2 119.97 100.00 19.97 short",
    ]
    assert lots(*ledger) == ["2025-01-03 3 150.00"]


def test_the_date_of_credit_decides_what_is_sold_first():
    ledger = (
        "2025-01-01 buy A quantity=10 price=100 credited_on=2025-01-09",
        "2025-01-02 buy A quantity=10 price=200 credited_on=2025-01-03",
        "2025-02-03 sell A quantity=10 price=150",
    )
    assert disposals(*ledger) == ["2025-01-02 2025-02-03 10 1500.00 2000.00 -500.00 short"]
    assert lots(*ledger) == ["2025-01-01 10 1000.00"]


def test_what_is_bought_and_sold_on_one_day_makes_no_lot():
    """Bought 100 at 10 (+ ₹2) and 50 at 12, sold 120 at 11 (− ₹3): 1,317.00.

    100 of 120 have 1,317 × 100 / 120 = 1,097.50 against 1,002.00; 20 the rest, 219.50, against 600 × 20 / 50 = 240.00.
    Left: 30 of the second purchase at 360.00, although older shares are held.
    """
    older = "2025-01-01 buy A quantity=40 price=5"
    day = [
        "2025-02-03 buy A quantity=100 price=10 charges=2",
        "2025-02-03 buy A quantity=50 price=12",
        "2025-02-03 sell A quantity=120 price=11 charges=3",
    ]
    expected = [
        "2025-02-03 2025-02-03 100 1097.50 1002.00 95.50 intraday",
        "2025-02-03 2025-02-03 20 219.50 240.00 -20.50 intraday",
    ]
    for ledger in ([older, *day], [older, day[2], *day[:2]], [older, day[0], day[2], day[1]]):
        assert disposals(*ledger) == expected
        assert lots(*ledger) == ["2025-01-01 40 200.00", "2025-02-03 30 360.00"]


def test_a_sale_larger_than_the_days_purchase_takes_the_rest_from_lots():
    """Sold 50 at 20: 1,000. 30 were bought on the day at 18; 20 come from the lot: 5 × 20 = 100."""
    ledger = (
        "2025-01-01 buy A quantity=40 price=5",
        "2025-02-03 sell A quantity=50 price=20",
        "2025-02-03 buy A quantity=30 price=18",
    )
    assert disposals(*ledger) == [
        "2025-02-03 2025-02-03 30 600.00 540.00 60.00 intraday",
        "2025-01-01 2025-02-03 20 400.00 100.00 300.00 short",
    ]
    assert lots(*ledger) == ["2025-01-01 20 100.00"]


@pytest.mark.parametrize(
    ("bought_on", "sold_on", "term"),
    [
        ("2024-05-10", "2025-05-10", "short"),
        ("2024-05-10", "2025-05-11", "long"),
        ("2024-02-29", "2025-02-28", "short"),
        ("2024-02-29", "2025-03-01", "long"),
        ("2023-02-28", "2024-02-28", "short"),
        ("2023-02-28", "2024-02-29", "long"),
    ],
)
def test_long_is_sold_later_than_the_same_day_of_the_next_year(bought_on, sold_on, term):
    [disposal] = disposals(f"{bought_on} buy A quantity=1 price=1", f"{sold_on} sell A quantity=1 price=2")
    assert disposal.endswith(f" {term}")
    lot = Lot("A", date.fromisoformat(bought_on), DAY, 1, Decimal(1))
    days = (date.fromisoformat(sold_on) - last_short_day(lot.bought_on)).days
    assert lot.days_to_long(date.fromisoformat(sold_on)) == max(1 - days, 0)


def test_a_split_spreads_the_cost_and_keeps_the_date():
    """10 at 100 + ₹5 = 1,005 become 50 on the day of the split, whose own trades are of new shares."""
    ledger = (
        "2024-01-01 buy A quantity=10 price=100 charges=5",
        "2025-02-03 sell A quantity=20 price=30",
        "2025-02-03 split A ratio=5",
    )
    assert disposals(*ledger) == ["2024-01-01 2025-02-03 20 600.00 402.00 198.00 long"]
    assert lots(*ledger) == ["2024-01-01 30 603.00"]


def test_a_bonus_costs_nothing_and_is_held_from_its_credit():
    """One for two on 25 held is 12; 25 first, then 12 at nil cost, a day before and after a year from the credit."""
    ledger = [
        "2023-01-02 buy A quantity=25 price=100",
        "2024-01-10 bonus A ratio=1:2 credited_on=2024-01-12",
        "2024-01-11 sell A quantity=25 price=70",
    ]
    assert lots(*ledger[:2]) == ["2023-01-02 25 2500.00", "2024-01-12 12 0.00"]
    assert disposals(*ledger) == ["2023-01-02 2024-01-11 25 1750.00 2500.00 -750.00 long"]
    for day, term in (("2024-01-12", "short"), ("2025-01-12", "short"), ("2025-01-13", "long")):
        assert disposals(*ledger, f"{day} sell A quantity=12 price=70")[1] == (
            f"2024-01-12 {day} 12 840.00 0.00 840.00 {term}"
        )
    with pytest.raises(LedgerError, match=r"Line 4: 26 A are sold on 2024-01-11, 1 more .* credited on 2024-01-12"):
        disposals(*ledger[:2], "2024-01-11 sell A quantity=26 price=70")


def test_a_consolidation_keeps_every_paisa_and_the_share_that_two_lots_make_belongs_to_the_later():
    """15 at 10 and 5 at 20, 1 for 10: ten old ones of the first make its share (100), five (50) go to the second's."""
    ledger = (
        "2024-01-01 buy A quantity=15 price=10",
        "2024-06-03 buy A quantity=5 price=20",
        "2024-09-02 split A ratio=0.1",
    )
    assert lots(*ledger) == ["2024-01-01 1 100.00", "2024-06-03 1 150.00"]
    # Three lots of 3, 3 and 4 make one share, of the last date: 30 + 60 + 120.
    small = [f"2024-0{month}-01 buy A quantity={3 + month // 3} price={10 * month}" for month in (1, 2, 3)]
    assert lots(*small, "2024-09-02 split A ratio=1:10") == ["2024-03-01 1 210.00"]
    # Two new for three old, written as a decimal.
    assert lots("2024-01-01 buy A quantity=300 price=1", "2024-02-01 split A ratio=0.6667") == ["2024-01-01 200 300.00"]


def test_a_part_of_a_share_is_refused_with_its_remedy():
    buy, split = "2024-01-01 buy A quantity=105 price=10", "2024-09-02 split A ratio=0.1"
    with pytest.raises(LedgerError, match="Line 3: 105 A × 1/10 are no whole shares; before it, add a sale of the 5"):
        lots(buy, split)
    assert lots(buy, "2024-09-01 sell A quantity=5 price=11", split) == ["2024-01-01 10 1000.00"]
    with pytest.raises(LedgerError, match=r"a sale of the 7 .*, and leave this line out"):
        lots("2024-01-01 buy A quantity=7 price=10", split)


# Bought 10 at 50 with ₹5: 505. A year later, long, at a price of 31 January 2018 of 80.
@pytest.mark.parametrize(
    ("sale", "cost"),
    [
        ("2019-02-04 sell A quantity=10 price=100", "800.00"),  # max(505, min(80, 100) × 10)
        ("2019-02-04 sell A quantity=10 price=70", "700.00"),  # max(505, min(80, 70) × 10): no gain, no loss
        ("2019-02-04 sell A quantity=10 price=40 charges=3", "505.00"),  # max(505, 400)
        ("2018-04-02 sell A quantity=10 price=100", "505.00"),  # short: bought 2017-06-01
    ],
)
def test_what_was_bought_before_february_2018_may_cost_its_price_of_that_january(sale, cost):
    bought = "2017-06-01" if "2018" in sale else "2017-01-02"
    [text] = disposals(f"{bought} opening A quantity=10 price=50 charges=5 fmv=80", sale)
    assert text.split()[4] == cost


def test_the_price_of_january_2018_follows_later_splits_alone():
    """80 a share of that day are 40 after a split of 2019; a bonus halves nothing. A split before it changes nothing.

    Sold 10 at 60: max(10 × 25, 10 × min(40, 60)) = 400. The bonus of 2017 costs max(0, min(40, 60)) a share, too.
    """
    ledger = (
        "2016-01-04 opening A quantity=5 price=100 fmv=80",
        "2017-01-02 split A ratio=2",
        "2017-06-01 bonus A ratio=1 credited_on=2017-06-09 fmv=80",
        "2019-01-01 split A ratio=2",
        "2019-02-04 sell A quantity=20 price=60",
        "2019-02-05 sell A quantity=20 price=60",
    )
    assert disposals(*ledger) == [
        "2016-01-04 2019-02-04 20 1200.00 800.00 400.00 long",
        "2017-06-09 2019-02-05 20 1200.00 800.00 400.00 long",
    ]
    bought_later = "2018-02-01 buy A quantity=1 price=50 fmv=80"
    assert disposals(bought_later, "2019-02-04 sell A quantity=1 price=90")[0].split()[4] == "50.00"


def test_an_opening_is_dated_by_its_purchase_or_by_the_day_that_opens_the_ledger():
    by_purchase = "2017-05-10 opening A quantity=10 price=50 credited_on=2017-05-12"
    by_ledger = "2023-04-01 opening A quantity=10 price=50 credited_on=2017-05-12"
    assert lots(by_purchase) == ["2017-05-10 10 500.00"]
    assert lots(by_ledger) == ["2017-05-12 10 500.00"]
    # Held from before the day, it takes part in the day's split and is never intraday.
    assert lots(by_ledger, "2023-04-01 split A ratio=2") == ["2017-05-12 20 500.00"]
    assert disposals("2023-04-03 opening A quantity=1 price=50", "2023-04-03 sell A quantity=1 price=50") == [
        "2023-04-03 2023-04-03 1 50.00 50.00 0.00 short"
    ]


@pytest.mark.parametrize(
    ("ledger", "sentence"),
    [
        (["2025-01-01 sell A quantity=1 price=1"], "Line 2: 1 A are sold on 2025-01-01, 1 more than can be; correct"),
        (
            ["2025-01-01 buy A quantity=5 price=1", "2025-01-01 sell A quantity=6 price=1"],
            "Line 3: 6 A are sold on 2025-01-01, 1 more than can be",
        ),
        (
            ["2025-01-02 buy A quantity=5 price=1", "2025-01-01 buy B quantity=5 price=1"],
            "Line 3: date 2025-01-01 lies before 2025-01-02; sort",
        ),
        (["2025-01-02 split A ratio=2"], "Line 2: no A is held on 2025-01-02"),
        (["2025-01-02 bonus A ratio=2 credited_on=2025-01-04"], "Line 2: no A is held on 2025-01-02"),
        (
            ["2017-01-02 buy A quantity=5 price=1", "2018-03-28 sell A quantity=5 price=1"],
            "Line 3: a sale of 2018-03-28 lies before 2018-04-01, .* enter what was still held then as opening",
        ),
        (
            ["2017-01-02 buy A quantity=5 price=1", "2018-04-03 sell A quantity=5 price=1"],
            "Line 2: fmv is empty, and 5 A .* are sold long on 2018-04-03; write the price of 2018-01-31",
        ),
    ],
)
def test_a_ledger_contradicting_itself_is_refused(ledger, sentence):
    with pytest.raises(LedgerError, match=sentence):
        tax_lots(entries(*ledger))


# --- properties -------------------------------------------------------------------------------------------------------
PRICES = st.decimals("0.05", 5000, places=2)


@st.composite
def ledgers(draw, *, actions=True):
    """Entries of two shares over two years that never sell more than is held, bought or credited."""
    day, held = DAY, {"A": 0, "B": 0}
    made: list[Entry] = []
    for _ in range(draw(st.integers(1, 25))):
        day += timedelta(days=draw(st.sampled_from([0, 0, 1, 40])))
        symbol = draw(st.sampled_from("AB"))
        kinds = [EntryKind.BUY, *([EntryKind.SELL] * 2 if held[symbol] else [])]
        # Of a day with trades no action, which would come before them.
        if actions and held[symbol] and not any(entry.day == day for entry in made):
            kinds += [EntryKind.SPLIT, EntryKind.BONUS]
        kind = draw(st.sampled_from(kinds))
        most = held[symbol] if kind == EntryKind.SELL else 200
        facts = {"quantity": draw(st.integers(1, most)), "price": draw(PRICES), "charges": draw(PRICES) / 100}
        if kind in (EntryKind.SPLIT, EntryKind.BONUS):
            facts = {"ratio": Fraction(draw(st.integers(1, 5))), "credited_on": day}
        made.append(Entry(f"Line {len(made) + 2}", day, kind, symbol, **facts))
        if kind == EntryKind.SPLIT:
            held[symbol] *= int(facts["ratio"])
        elif kind == EntryKind.BONUS:
            held[symbol] += held[symbol] * int(facts["ratio"])
        else:
            held[symbol] += facts["quantity"] * (1 if kind == EntryKind.BUY else -1)
    return made, held


def total(amounts):
    return sum(amounts, Decimal(0))


def paisa(amount):
    return amount.quantize(Decimal("0.01"), "ROUND_HALF_UP")


@given(ledgers())
def test_no_share_and_no_paisa_is_lost(ledger):
    made, held = ledger
    result = tax_lots(made)
    buys = [entry for entry in made if entry.kind == EntryKind.BUY]
    sales = [entry for entry in made if entry.kind == EntryKind.SELL]
    assert total(disposal.cost for disposal in result.disposals) + total(lot.cost for lot in result.lots) == total(
        paisa(buy.value + buy.charges) for buy in buys
    )
    assert total(disposal.proceeds for disposal in result.disposals) == total(
        paisa(sale.value - sale.charges) for sale in sales
    )
    assert sum(disposal.quantity for disposal in result.disposals) == sum(sale.quantity for sale in sales)
    for symbol, quantity in held.items():
        assert sum(lot.quantity for lot in result.lots if lot.symbol == symbol) == quantity
    assert all(lot.quantity > 0 and lot.cost >= 0 for lot in result.lots)
    assert all(disposal.quantity > 0 and disposal.cost >= 0 for disposal in result.disposals)


@given(ledgers(actions=False))
def test_each_share_is_sold_in_its_order(ledger):
    """Followed one by one: each share bought has its number, and the day's own go first."""
    made, _ = ledger
    shares: dict[str, list[date]] = {"A": [], "B": []}
    pieces = []
    for day in sorted({entry.day for entry in made}):
        for symbol, queue in shares.items():
            today = [entry for entry in made if entry.day == day and entry.symbol == symbol]
            bought = sum(entry.quantity for entry in today if entry.kind == EntryKind.BUY)
            sold = sum(entry.quantity for entry in today if entry.kind == EntryKind.SELL)
            queue.extend([day] * max(bought - sold, 0))
            pieces += [(symbol, day, day)] * min(bought, sold)
            pieces += [(symbol, queue.pop(0), day) for _ in range(sold - bought)]
    result = tax_lots(made)
    assert sorted(pieces) == sorted(
        (piece.symbol, piece.bought_on, piece.sold_on) for piece in result.disposals for _ in range(piece.quantity)
    )
    for piece in result.disposals:
        assert (piece.term == Term.INTRADAY) == (piece.bought_on == piece.sold_on)
    left = [lot.bought_on for lot in result.lots for _ in range(lot.quantity)]
    assert left == shares["A"] + shares["B"]


@given(ledgers(), st.randoms(use_true_random=False))
def test_what_stands_first_of_a_day_makes_no_difference(ledger, random):
    """Of one day, only the order among the purchases, sales and actions of a share counts."""
    made, _ = ledger
    places = [(entry.day, random.random()) for entry in made]
    mixed: list[Entry] = []
    keys = {(entry.symbol, entry.kind) for entry in made}
    kinds = {key: iter([entry for entry in made if (entry.symbol, entry.kind) == key]) for key in keys}
    for place in sorted(range(len(made)), key=places.__getitem__):
        mixed.append(next(kinds[made[place].symbol, made[place].kind]))
    assert tax_lots(mixed) == tax_lots(made)


def test_a_transfer_takes_the_oldest_shares_and_disposes_of_nothing():
    bought = "2025-01-01 buy A quantity=10 price=100", "2025-02-03 buy A quantity=10 price=110"
    lines = *bought, "2025-03-03 transfer A quantity=12"
    assert lots(*lines) == ["2025-02-03 8 880.00"]
    assert disposals(*lines) == []
    with pytest.raises(LedgerError, match="Line 4: 21 A leave on 2025-03-03, 1 more than can be"):
        lots(*bought, "2025-03-03 transfer A quantity=21")
