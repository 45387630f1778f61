"""Holdings, cash and tax lots of any ledger: sums of its entries, exact, whatever comes in between."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.ledger.holdings import cash, holdings
from portfolio.ledger.postings import (
    BONUS,
    CHARGE,
    CORRECTION,
    DEPOSIT,
    DP_CHARGE,
    FILL,
    FRACTION_PAID,
    SPLIT,
    WITHDRAWAL,
    Posting,
)
from portfolio.ledger.tax_entries import tax_entries
from portfolio.ledger.tax_lots import tax_lots

FIRST = date(2025, 1, 1)
PAISA = st.integers(min_value=1, max_value=100_000).map(lambda paise: Decimal(paise) / 100)
RATIOS = st.sampled_from([Fraction(2), Fraction(10), Fraction(5, 2), Fraction(1, 5)])


@dataclass(frozen=True)
class Ledger:
    """Postings as a day after another makes them, and what they must come to, kept by plain counting."""

    postings: Sequence[Posting]
    held: dict[str, int]
    due: dict[str, int]
    money: Decimal
    last: date


class Keeping:
    """A ledger while it is kept, and what it must come to by plain counting."""

    def __init__(self) -> None:
        self.postings: list[Posting] = []
        self.held: dict[str, int] = defaultdict(int)
        self.bonuses: list[tuple[str, date, int]] = []
        self.money, self.day = Decimal(0), FIRST

    def due(self, symbol: str) -> int:
        return sum(quantity for share, credited, quantity in self.bonuses if share == symbol and credited > self.day)

    def post(self, kind: str, symbol: str = "", quantity: int = 0, amount: Decimal = Decimal(0), **more: Any) -> None:
        place = len(self.postings)
        facts: dict[str, Any] = {"reference": f"{kind} {place}", "symbol": symbol, "quantity": quantity} | more
        self.postings.append(Posting(self.day, kind, amount=amount, place=place, **facts))
        self.held[symbol] += quantity
        self.money += amount

    def split(self, symbol: str, ratio: Fraction, paid: Decimal) -> None:
        held, reference = self.held[symbol], f"{self.day}:{symbol}"
        if self.due(symbol):
            ratio = Fraction(2)  # of parts of shares that are due no rule speaks
        self.bonuses = [(s, on, int(n * ratio) if s == symbol else n) for s, on, n in self.bonuses]
        self.post(SPLIT, symbol, int(held * ratio) - held, ratio=ratio, reference=reference)
        if ratio.numerator == 1 and held % ratio.denominator:
            self.post(FRACTION_PAID, symbol, amount=paid, reference=reference)

    def bonus(self, symbol: str) -> None:
        credited, quantity = self.day + timedelta(days=2), self.held[symbol] // 2
        self.bonuses.append((symbol, credited, quantity))
        self.post(BONUS, symbol, quantity, ratio=Fraction(1, 2), credited_on=credited)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    kept = Keeping()
    for _ in range(draw(st.integers(min_value=1, max_value=12))):
        kept.day += timedelta(days=draw(st.integers(min_value=1, max_value=3)))
        symbol = draw(st.sampled_from(["AAA", "BBB"]))
        can_be_sold = kept.held[symbol] - kept.due(symbol)
        price, count = draw(PAISA), draw(st.integers(min_value=1, max_value=500))
        act = draw(st.sampled_from(["money", "buy", "buy", "sell", "split", "bonus"]))
        if act == "money":
            kept.post(DEPOSIT, amount=price)
            kept.post(WITHDRAWAL, amount=-draw(PAISA))
        elif act == "buy":
            kept.post(FILL, symbol, count, -count * price)
            for _ in range(draw(st.integers(min_value=0, max_value=3))):
                kept.post(FILL, {"AAA": "BBB", "BBB": "AAA"}[symbol], 7, -7 * draw(PAISA))
        elif act == "sell" and can_be_sold:
            kept.post(FILL, symbol, -min(count, can_be_sold), min(count, can_be_sold) * price)
        elif kept.held[symbol]:
            kept.split(symbol, draw(RATIOS), price) if act == "split" else kept.bonus(symbol)
        if kept.postings and kept.postings[-1].kind == FILL and kept.postings[-1].day == kept.day:
            lines = ("stt", "gst", "brokerage", *(["stamp_duty"] if act == "buy" else []))
            for line in lines:
                kept.post(CHARGE, amount=-draw(PAISA), reference=f"{kept.day}:{line}")
            kept.post(CORRECTION, amount=draw(PAISA), reference=f"{kept.day}:gst#1")
            kept.post(DP_CHARGE, symbol, amount=Decimal("-15.34"), reference=f"{kept.day}:dp:{symbol}")
    due = {symbol: kept.due(symbol) for symbol in ("AAA", "BBB")}
    held = {symbol: quantity for symbol, quantity in kept.held.items() if symbol and quantity}
    return Ledger(kept.postings, held, due, kept.money, kept.day)


@settings(max_examples=150, deadline=None)
@given(ledgers(), st.randoms(use_true_random=False))
def test_holdings_and_cash_are_the_sums_of_the_entries_in_any_order(ledger, chance):
    mixed = list(ledger.postings)
    chance.shuffle(mixed)
    held = holdings(mixed, ledger.last, ledger.last - timedelta(days=1))
    assert {symbol: each.quantity for symbol, each in held.items()} == ledger.held
    money = cash(mixed, ledger.last, ledger.last - timedelta(days=1))
    assert money.total == ledger.money
    assert isinstance(money.total, Decimal)
    assert money.usable <= money.total
    for symbol, each in held.items():
        assert each.bonus_due == min(ledger.due[symbol], each.quantity)
        assert each.sellable == each.quantity - each.bonus_due
        assert each.delivered + each.arriving + each.bonus_due == each.quantity
        assert all(isinstance(count, int) for count in (each.quantity, each.arriving, each.bonus_due))
        assert isinstance(each.average_price, Decimal)


@settings(max_examples=150, deadline=None)
@given(ledgers())
def test_no_rupee_is_lost_between_the_ledger_and_the_tax(ledger):
    """What sales gained less what the open lots cost is all that was paid, but for the tax on transactions and DP."""
    lots = tax_lots(tax_entries(ledger.postings))
    shares: dict[str, int] = defaultdict(int)
    for lot in lots.lots:
        shares[lot.symbol] += lot.quantity
    assert shares == ledger.held
    gained = sum((each.gain for each in lots.disposals), Decimal(0)) - sum((lot.cost for lot in lots.lots), Decimal(0))
    counted = (FILL, FRACTION_PAID, CHARGE, CORRECTION)
    paid = (each.amount for each in ledger.postings if each.kind in counted and not each.reference.endswith(":stt"))
    assert gained == sum(paid, Decimal(0))
