"""Accounts that trade the lists of a small stored market."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from portfolio.accounts.entries import deposit
from portfolio.models import Strategy, TradedStrategy, TradingAccount
from stocks.models import Publication

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def trading(account: TradingAccount, first: date, capital: str = "100000", **terms: Any) -> TradedStrategy:
    """Let an account with some money trade the list model: two holdings, a decision each second session."""
    deposit(account, first, Decimal(capital), "capital")
    given = {"holdings": 2, "keep": 2, "every": 2} | terms
    strategy = Strategy.objects.get(owner=None, name="model")
    traded = TradedStrategy.objects.create(account=account, strategy=strategy, terms=given, first_session=first)
    TradedStrategy.objects.update(created_at=LONG_AGO)
    traded.refresh_from_db()
    return traded


def publish(day: date, symbols: Sequence[str], **facts: Any) -> Publication:
    """Publish a list, which supersedes the one before."""
    before = Publication.objects.filter(strategy="model", date=day)
    before.update(superseded_at=LONG_AGO)
    picks = [{"symbol": symbol, "place": place, "rank": place} for place, symbol in enumerate(symbols, start=1)]
    given: dict[str, Any] = {"picks": picks, "published_at": LONG_AGO, "run_id": "r", "count": len(picks)} | facts
    return Publication.objects.create(date=day, strategy="model", version=before.count() + 1, **given)
