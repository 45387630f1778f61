"""Shares and cash of an account as its broker counts them, and it is another way at each; pure.

Shares owned are the settled ones, those that arrive tomorrow (T1) and the day's delivery net.

- Zerodha: `quantity` is settled, until tomorrow with what was sold today; T1 stands beside it.
- Fyers: `quantity` is that of the start of the day, with T1 in it.
- The simulator: as Zerodha; with `settles` off there are no positions.

`available` and `used` of the funds together are the cash of the start of the day and what was paid in since; at the
simulator the cash of now, less the charges of the day.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from brokers.charges import Product
from brokers.protocol import Funds, Holding, Position

_T1_WITHIN: Final = frozenset(("fyers",))
"""Brokers whose quantity holds what arrives tomorrow."""
_OF_NOW: Final = frozenset(("simulator",))


def shares_owned(
    broker: str, holdings: Iterable[Holding], positions: Iterable[Position], symbol_of_isin: Mapping[str, str]
) -> dict[str, int]:
    """Settled + T1 + the day's delivery net of each share, by our symbol of its ISIN where it has one."""
    owned: dict[str, int] = {}
    ours: dict[tuple[str, str], str] = {}
    for holding in holdings:
        symbol = symbol_of_isin.get(holding.isin, holding.symbol)
        ours[holding.exchange, holding.symbol] = symbol
        arriving = 0 if broker in _T1_WITHIN else holding.t1_quantity
        owned[symbol] = owned.get(symbol, 0) + holding.quantity + arriving
    for position in positions:
        if position.product == Product.DELIVERY:
            symbol = ours.get((position.exchange, position.symbol), position.symbol)
            owned[symbol] = owned.get(symbol, 0) + position.quantity
    return {symbol: quantity for symbol, quantity in owned.items() if quantity}


def cash_there(funds: Funds) -> Decimal | None:
    """Cash in ₹ that the broker knows of; None where it does not say what open orders and purchases use."""
    return None if funds.used is None else funds.available + funds.used


def counts_the_day(broker: str) -> bool:
    """Whether the broker's cash holds the fills and charges of the day already."""
    return broker in _OF_NOW
