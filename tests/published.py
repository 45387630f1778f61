"""Small hand-made publications for the tests of those who read them."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from stocks.models import Publication, SuggestedStock
from stocks.picks.queries import PICK_COLUMNS

SESSION = date(2026, 4, 30)
NEXT_SESSION = date(2026, 5, 4)
PUBLISHED_AT = datetime(2026, 4, 30, 20, 45, 12, tzinfo=UTC)

PICK: dict[str, Any] = {
    "stock_name": "Reliance Industries Limited",
    "current_price": 2450.5,
    "market_cap": 1658000.0,
    "selection_score": 0.81,
    "ml_prediction_score": 0.78,
    "ml_price_target": 2650.2,
    "ml_confidence": 0.85,
    "ml_probability": 0.54,
    "ml_risk_score": 0.12,
    "predicted_return": 8.15,
    "predicted_drawdown": 4.2,
    "rsi_14": 58.5,
    "macd": 12.3,
    "sma_50": 2400.0,
    "sma_200": 2300.0,
    "pe_ratio": 24.5,
    "pb_ratio": 2.8,
    "roe": 12.5,
    "eps": 100.5,
    "beta": 1.15,
    "revenue_growth": 8.5,
    "earnings_growth": 10.2,
    "operating_margin": 15.3,
    "target_price": 2650.0,
    "stop_loss": 2300.0,
    "recommendation": "BUY",
    "reason": "Strong score, low risk.",
    "score_parts": {"prediction": 0.78},
    "sector": "Oil & Gas",
    "market_cap_category": "large",
    "standing": "new",
    "expected_entry": 2456.4,
    "excess_low": -4.1,
    "excess_high": 19.6,
    "round_trip_cost_pct": 0.45,
    "target_probability": 0.5,
    "stop_probability": 0.2,
    "reward_to_risk": 1.24,
}


def pick(symbol: str, **facts: Any) -> dict[str, Any]:
    """Return one pick's columns; what is not given is like RELIANCE's."""
    return {**PICK, "symbol": symbol, "stock_name": f"{symbol} Limited", **facts}


def publish(
    strategy: str,
    picks: list[dict[str, Any]],
    *,
    session: date = SESSION,
    version: int = 1,
    superseded: bool = False,
    reason: str = "",
    abstention: str = "",
    valid_for: date | None = NEXT_SESSION,
    previous: Publication | None = None,
    departures: Sequence[dict[str, Any]] = (),
) -> Publication:
    """Store a publication with its rows in the given order of rank, as the selection does."""
    rows = [
        {"rank": place, "place": place, "listed_since": session, **facts}
        | {"date": session, "strategy": strategy, "valid_for": valid_for}
        for place, facts in enumerate(picks, 1)
    ]
    # JSON has no word for NaN and infinity.
    copied = [name for name in PICK_COLUMNS if name not in ("date", "strategy", "valid_for")]
    copies = [{name: _json(row[name]) for name in copied if name in row and _sayable(row[name])} for row in rows]
    publication = Publication.objects.create(
        date=session,
        strategy=strategy,
        version=version,
        valid_for=valid_for,
        published_at=PUBLISHED_AT,
        run_id="selection_20260501_021500",
        model_id="lightgbm_2026-04-30_abc",
        count=len(rows),
        reason=reason,
        abstention=abstention,
        previous=previous,
        departures=list(departures),
        picks=copies,
        superseded_at=PUBLISHED_AT if superseded else None,
    )
    if not superseded:
        SuggestedStock.objects.bulk_create(SuggestedStock(publication=publication, **row) for row in rows)
    return publication


def _sayable(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def supersede(publication: Publication) -> None:
    """Take a publication out of force, as a newer version does."""
    publication.superseded_at = PUBLISHED_AT
    publication.save(update_fields=["superseded_at"])
    SuggestedStock.objects.filter(publication=publication).delete()
