"""A broker whose books are what a test writes down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.protocol import BrokerError, Funds, Holding, Order, Position, Rows, Trade
from portfolio.models import Difference, TradingAccount
from portfolio.reconciliation.account import reconcile


@dataclass
class WrittenVenue:
    """Only its reads are there: whoever asks for more fails the test. A name in `silent` is answered by its error."""

    book: Sequence[Order] = ()
    fills: Sequence[Trade] = ()
    held: Sequence[Holding] = ()
    net: Sequence[Position] = ()
    cash: Decimal | None = None
    silent: dict[str, BrokerError] = field(default_factory=dict)
    hidden: Sequence[Order] = ()
    """Rows that only a look-up by tag shows."""

    def orders(self) -> Rows[Order]:
        self._answer("orders")
        return Rows(tuple(self.book))

    def trades(self) -> Rows[Trade]:
        self._answer("trades")
        return Rows(tuple(self.fills))

    def holdings(self) -> Rows[Holding]:
        self._answer("holdings")
        return Rows(tuple(self.held))

    def positions(self) -> Rows[Position]:
        return Rows(tuple(self.net))

    def funds(self) -> Funds:
        self._answer("funds")
        return Funds(self.cash or Decimal(0), None if self.cash is None else Decimal(0))

    def find_by_tag(self, tag: str) -> Rows[Order]:
        return Rows(tuple(row for row in (*self.book, *self.hidden) if row.tag == tag))

    def _answer(self, name: str) -> None:
        if name in self.silent:
            raise self.silent[name]


def reconciled(account: TradingAccount, venue: Any, at: datetime) -> list[Difference]:
    """Reconcile with a venue that has no more than its reads."""
    return reconcile(account, venue, at)
