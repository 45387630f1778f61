"""What trading equity on the NSE costs: brokerage, taxes and fees by broker and day; pure.

Rates are those of the brokers' price lists, the exchange's circulars and the tax laws; each names its page and the day
from which it holds. Amounts are in ₹.

Two questions have different answers. `order_charges` judges one order by its product alone. `note_charges` judges all
fills of an account and session, as the broker's contract note does: whatever is bought and sold of a share on one day
is intraday for the taxes, whatever the product.

Rounding: brokerage once per order, to the paisa; the securities transaction tax to the whole rupee, all other lines to
the paisa, each once for the whole note, half up. GST is levied on the rounded brokerage and the unrounded fees. The DP
charge goes to the account's ledger and never appears on the note: it is not part of the total.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, TypeVar

BROKERS: Final = ("zerodha", "fyers", "simulator")
_PAISA, _RUPEE = Decimal("0.01"), Decimal(1)
_PCT = Decimal("0.01")
_CRORE = Decimal(10_000_000)
_MOST = Decimal(10) ** 15  # beyond it, amounts would no longer be exact


class ChargesError(ValueError):
    """No charges can be computed; the sentence names the value and what is allowed."""


class Side(StrEnum):
    """Whether shares are bought or sold."""

    BUY = "buy"
    SELL = "sell"


class Product(StrEnum):
    """What an order is meant for, in the brokers' spelling."""

    DELIVERY = "cnc"
    INTRADAY = "mis"


class Kind(StrEnum):
    """What is traded: a share, a fund of Indian shares, or any other fund (gold, silver, debt, liquid, foreign)."""

    SHARE = "share"
    EQUITY_FUND = "equity_fund"
    OTHER_FUND = "other_fund"


@dataclass(frozen=True)
class Fill:
    """A fill, or an order filled whole at one price; fills of one order share its brokerage."""

    order: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    product: Product = Product.DELIVERY
    kind: Kind = Kind.SHARE

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price


NOTE_LINES: Final = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp_duty", "gst", "total")
"""What a contract note adds up, and its sum; `turnover` stands before them and the DP charge apart."""


@dataclass(frozen=True)
class Charges:
    """The lines of a contract note in ₹, as rounded there; `total` is their sum, without the DP charge."""

    turnover: Decimal
    brokerage: Decimal
    stt: Decimal
    exchange: Decimal
    ipft: Decimal
    sebi: Decimal
    stamp_duty: Decimal
    gst: Decimal
    dp: Decimal

    @property
    def total(self) -> Decimal:
        return self.brokerage + self.stt + self.exchange + self.ipft + self.sebi + self.stamp_duty + self.gst


@dataclass(frozen=True)
class Rate:
    """A rate, the first day on which it holds, and where it is published."""

    since: date
    value: Decimal
    source: str


def _pct(since: str, percent: str, source: str) -> Rate:
    return Rate(date.fromisoformat(since), Decimal(percent) * _PCT, source)


def _rupees(since: str, amount: str, source: str) -> Rate:
    return Rate(date.fromisoformat(since), Decimal(amount), source)


FIRST_DAY: Final = date(2021, 1, 1)
EXCHANGE: Final = (
    _pct("2021-01-01", "0.00345", "The Hindu, 23 March 2023: 6 % more since January 2021"),
    _pct("2023-04-01", "0.00325", "NSE, board of 23 March 2023; price lists of zerodha.com and fyers.in"),
    _pct("2024-04-01", "0.00322", "zerodha.com/charges, mid-2024"),
    _pct("2024-10-01", "0.00297", "NSE circular of 27 September 2024"),
)
"""Transaction charge of the exchange, on the turnover."""

IPFT: Final = (
    Rate(FIRST_DAY, _PAISA / _CRORE, "NSE/FA/56129: ₹0.01 a crore before"),
    Rate(date(2023, 4, 1), 10 / _CRORE, "NSE/FA/56129; support.zerodha.com, IPFT: ₹10 a crore"),
)
"""Contribution to the Investor Protection Fund Trust, on the turnover."""

SEBI: Final = (Rate(FIRST_DAY, 10 / _CRORE, "zerodha.com/charges: ₹10 a crore"),)
STT_DELIVERY: Final = {
    (Kind.SHARE, Side.BUY): Decimal("0.001"),
    (Kind.SHARE, Side.SELL): Decimal("0.001"),
    (Kind.EQUITY_FUND, Side.SELL): Decimal("0.00001"),
}
"""Finance Act; the budgets of 2024 to 2026 changed derivatives alone. Funds: support.zerodha.com, STT of ETFs."""

STT_INTRADAY: Final = {Kind.SHARE: Decimal("0.00025"), Kind.EQUITY_FUND: Decimal("0.00025")}
"""On the sale."""

STAMP_DELIVERY, STAMP_INTRADAY = Decimal("0.00015"), Decimal("0.00003")
"""Indian Stamp Act, from 1 July 2020; on the purchase."""

GST: Final = Decimal("0.18")


@dataclass(frozen=True)
class Brokerage:
    """The smaller of an amount in ₹ and a share of the order's value."""

    since: date
    most: Decimal
    share: Decimal
    source: str


@dataclass(frozen=True)
class DpCharge:
    """Charge for shares that leave the demat account, before GST: per share and day, or per sell order."""

    since: date
    amount: Decimal
    per_order: bool
    source: str


@dataclass(frozen=True)
class Tariff:
    """A broker's own prices, and whether its GST covers the fees of IPFT and SEBI."""

    delivery: tuple[Brokerage, ...]
    intraday: tuple[Brokerage, ...]
    dp: tuple[DpCharge, ...]
    gst_on_all_fees: bool


Dated = TypeVar("Dated", Rate, Brokerage, DpCharge)

_FREE = Brokerage(FIRST_DAY, Decimal(0), Decimal(0), "price lists of zerodha.com and fyers.in")
_INTRADAY = Brokerage(FIRST_DAY, Decimal(20), Decimal("0.0003"), "price lists of zerodha.com and fyers.in")
_ZERODHA: Final = Tariff(
    delivery=(_FREE,),
    intraday=(_INTRADAY,),
    dp=(
        DpCharge(FIRST_DAY, Decimal("13.50"), per_order=False, source="zerodha.com/charges, 2023"),
        DpCharge(date(2024, 10, 1), Decimal(13), per_order=False, source="support.zerodha.com, dp-charges; CDSL's day"),
    ),
    gst_on_all_fees=True,
)
_FYERS: Final = Tariff(
    delivery=(_FREE, Brokerage(date(2024, 10, 1), Decimal(20), Decimal("0.003"), "fyers.in/pricing, October 2024")),
    intraday=(_INTRADAY,),
    dp=(
        DpCharge(FIRST_DAY, Decimal("12.50"), per_order=False, source="fyers.in/pricing, not confirmed"),
        DpCharge(date(2024, 10, 1), Decimal("3.50"), per_order=True, source="fyers.in/pricing, October 2024"),
        DpCharge(date(2025, 6, 1), Decimal("12.50"), per_order=False, source="fyers.in/pricing of 2 June 2025"),
    ),
    gst_on_all_fees=False,
)
TARIFFS: Final = {"zerodha": _ZERODHA, "fyers": _FYERS, "simulator": _ZERODHA}


def order_charges(broker: str, day: date, order: Fill) -> Charges:
    """Charges of one order, judged by its product alone.

    An intraday order is taken to be closed on the same day: it has the intraday taxes and no DP charge.

    Raises
    ------
    ChargesError
        For an unknown broker, a day before the first known rate, or a quantity or price that is not positive.
    """
    if order.product == Product.DELIVERY:
        return note_charges(broker, day, [order])
    _check(broker, day, [order])
    stt = order.value * STT_INTRADAY.get(order.kind, Decimal(0)) if order.side == Side.SELL else Decimal(0)
    stamp = order.value * STAMP_INTRADAY if order.side == Side.BUY else Decimal(0)
    return _charges(broker, day, [order], stt, stamp, Decimal(0))


def note_charges(broker: str, day: date, fills: Sequence[Fill]) -> Charges:
    """Charges of all fills of an account on a session, as its contract note has them.

    Raises
    ------
    ChargesError
        As `order_charges`; also for a share that is two kinds of thing, or an order of two products.
    """
    _check(broker, day, fills)
    stt = stamp = dp = Decimal(0)
    by_symbol = defaultdict(list)
    for fill in fills:
        by_symbol[fill.symbol].append(fill)
    for trades in by_symbol.values():
        stt += _transaction_tax(trades)
        stamp += _stamp_duty(trades)
        dp += _dp_charge(broker, day, trades)
    return _charges(broker, day, fills, stt, stamp, dp)


def _charges(broker: str, day: date, fills: Sequence[Fill], stt: Decimal, stamp: Decimal, dp: Decimal) -> Charges:
    turnover = sum((fill.value for fill in fills), Decimal(0))
    brokerage = _brokerage(broker, day, fills)
    exchange, ipft, sebi = (turnover * _in_force(rates, day).value for rates in (EXCHANGE, IPFT, SEBI))
    taxed = brokerage + exchange + (ipft + sebi if TARIFFS[broker].gst_on_all_fees else 0)
    return Charges(
        turnover=turnover,
        brokerage=brokerage,
        stt=_rounded(stt, _RUPEE),
        exchange=_rounded(exchange),
        ipft=_rounded(ipft),
        sebi=_rounded(sebi),
        stamp_duty=_rounded(stamp),
        gst=_rounded(taxed * GST),
        dp=dp,
    )


def _brokerage(broker: str, day: date, fills: Iterable[Fill]) -> Decimal:
    orders: dict[tuple[str, Product], Decimal] = defaultdict(Decimal)
    for fill in fills:
        orders[fill.order, fill.product] += fill.value
    tariff, total = TARIFFS[broker], Decimal(0)
    for (_, product), value in orders.items():
        rate = _in_force(tariff.delivery if product == Product.DELIVERY else tariff.intraday, day)
        total += _rounded(min(rate.most, value * rate.share))
    return total


def _transaction_tax(trades: Sequence[Fill]) -> Decimal:
    """Securities transaction tax of one share, on the average price of all its trades, buys and sells together."""
    kind, bought, sold = trades[0].kind, _quantity(trades, Side.BUY), _quantity(trades, Side.SELL)
    matched = min(bought, sold)
    taxed = matched * STT_INTRADAY.get(kind, Decimal(0))
    for side, quantity in ((Side.BUY, bought), (Side.SELL, sold)):
        taxed += (quantity - matched) * STT_DELIVERY.get((kind, side), Decimal(0))
    # Divided last: an average that does not end would tip amounts that lie on half a rupee.
    return taxed * sum((fill.value for fill in trades), Decimal(0)) / (bought + sold)


def _stamp_duty(trades: Sequence[Fill]) -> Decimal:
    """Stamp duty of one share, on the average price of its purchases."""
    bought, sold = _quantity(trades, Side.BUY), _quantity(trades, Side.SELL)
    if not bought:
        return Decimal(0)
    matched = min(bought, sold)
    taxed = (bought - matched) * STAMP_DELIVERY + matched * STAMP_INTRADAY
    return taxed * sum((fill.value for fill in trades if fill.side == Side.BUY), Decimal(0)) / bought


def _dp_charge(broker: str, day: date, trades: Sequence[Fill]) -> Decimal:
    """DP charge of one share with GST, due when more is sold than bought."""
    if _quantity(trades, Side.SELL) <= _quantity(trades, Side.BUY):
        return Decimal(0)
    charge = _in_force(TARIFFS[broker].dp, day)
    orders = {fill.order for fill in trades if fill.side == Side.SELL}
    return _rounded(charge.amount * (1 + GST)) * (len(orders) if charge.per_order else 1)


def _quantity(trades: Iterable[Fill], side: Side) -> int:
    return sum(fill.quantity for fill in trades if fill.side == side)


def _rounded(amount: Decimal, to: Decimal = _PAISA) -> Decimal:
    return amount.quantize(to, ROUND_HALF_UP)


def _in_force(rates: Sequence[Dated], day: date) -> Dated:
    return max((rate for rate in rates if rate.since <= day), key=lambda rate: rate.since)


def _check(broker: str, day: date, fills: Sequence[Fill]) -> None:
    if broker not in TARIFFS:
        raise ChargesError(f"There are no charges of {broker[:40]!r}; choose one of {', '.join(BROKERS)}.")
    if day < FIRST_DAY:
        raise ChargesError(f"{day} lies before {FIRST_DAY}, the first day whose rates are known.")
    if not fills:
        raise ChargesError("There is nothing to charge for: name at least one order.")
    kinds: dict[str, Kind] = {}
    products: dict[str, Product] = {}
    for fill in fills:
        _check_fill(fill)
        if kinds.setdefault(fill.symbol, fill.kind) != fill.kind:
            raise ChargesError(f"{fill.symbol} is both {kinds[fill.symbol]} and {fill.kind}; a symbol is one of them.")
        if products.setdefault(fill.order, fill.product) != fill.product:
            raise ChargesError(f"Order {fill.order} is both {products[fill.order]} and {fill.product}.")


def _check_fill(fill: Fill) -> None:
    if fill.quantity <= 0:
        raise ChargesError(f"quantity {fill.quantity} is not a positive number of shares.")
    if not fill.price.is_finite() or fill.price <= 0:
        raise ChargesError(f"price {fill.price} is not a positive amount in ₹.")
    if fill.value >= _MOST:
        raise ChargesError(f"{fill.quantity} shares at {fill.price} are more than any order; correct them.")
