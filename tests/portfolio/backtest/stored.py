"""A small stored market with a champion, its places and predictions, and events."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from market_data.models import CorporateAction
from ml.models import PickHistoryDay, PickPlace, Prediction
from stocks.models import Stock
from stocks.storage import bulk
from tests.champions import RECIPE, crown
from tests.portfolio.backtest.markets import Prices, bars_frame, weekdays


def store(prices: Prices, first_symbols: Sequence[str] = ()) -> list[date]:
    """Store bars, and each session's list and predictions of the symbols in order; the champion is of the first one."""
    frame = bars_frame(prices)
    days = weekdays(len(next(iter(prices.values()))))
    crown(days[0])
    Stock.objects.bulk_create(Stock(symbol=symbol, kind="share") for symbol in prices)
    bars = frame.assign(series="EQ", source="test", volume=1)
    bulk.upsert("historical_data", bars, ("symbol", "date"), "run_of_the_test")
    symbols = list(first_symbols or prices)
    for day in days:
        places(day, symbols)
        Prediction.objects.bulk_create(Prediction(symbol=each, date=day, recipe=RECIPE, score=0.5) for each in symbols)
    return days


def places(day: date, symbols: Sequence[str], strategy: str = "model", **facts: Any) -> None:
    """Store a list's places of a session, in order."""
    given: dict[str, Any] = {"source": "walk_forward", "recipe": RECIPE, "selection_score": 0.5} | facts
    PickPlace.objects.bulk_create(
        PickPlace(strategy=strategy, session=day, symbol=symbol, place=place, **given)
        for place, symbol in enumerate(symbols, start=1)
    )


def without_places(day: date, reason: str) -> None:
    """Leave a session's list empty, for a reason."""
    PickPlace.objects.filter(session=day).delete()
    facts: dict[str, Any] = {"recipe": RECIPE, "rules": "r", "considered": 0, "passed": 0}
    PickHistoryDay.objects.create(strategy="model", session=day, reason=reason, **facts)


def event(symbol: str, ex_date: date, kind: str, **facts: Any) -> None:
    """Store a corporate action that was known on its ex-date."""
    given: dict[str, Any] = {"known_on": ex_date, "status": "official", "purpose": kind.title(), "source": "t"} | facts
    CorporateAction.objects.create(symbol=symbol, ex_date=ex_date, kind=kind, **given)
