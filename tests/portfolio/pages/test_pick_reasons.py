"""Why a share was picked: parts with their weights, and thresholds against figures of the pick's session."""

import pytest

from portfolio.pages import pick_reasons
from portfolio.pages.pick_reasons import bounds, score_parts, with_dated_figures
from stocks.models import Stock, StockMetrics
from tests.published import SESSION, pick


def test_weights_are_shared_out_among_the_known_parts():
    parts = {
        part.name: part
        for part in score_parts({"strategy": "balanced", "score_parts": {"prediction": 0.70, "safety": 0.90}})
    }
    assert (parts["prediction"].value, parts["safety"].value, parts["confidence"].value) == (0.70, 0.90, None)
    assert parts["prediction"].weight == pytest.approx(0.45 / 0.70)
    assert sum(part.weight for part in parts.values()) == pytest.approx(1.0)


def test_without_stored_parts_there_are_none_to_show():
    assert score_parts({"strategy": "growth", "score_parts": {}}) == []
    assert score_parts({"strategy": "growth", "score_parts": None}) == []


def test_a_figure_is_inside_outside_or_not_known():
    balanced = pick("AAA", strategy="balanced", rsi_14=75.0, pe_ratio=None, current_price=100.0)
    by_column = {bound.column: bound for bound in bounds(balanced, pick_reasons.filters())}
    assert (by_column["rsi_14"].low, by_column["rsi_14"].high, by_column["rsi_14"].is_met) == (30.0, 70.0, False)
    assert by_column["pe_ratio"].is_met is None
    assert by_column["current_price"].is_met is True
    assert (by_column["roe"].high, by_column["roe"].low) == (None, 10.0)


@pytest.mark.django_db
def test_volume_and_debt_are_of_the_pick_s_own_session():
    Stock.objects.create(symbol="AAA")
    StockMetrics.objects.create(symbol_id="AAA", date=SESSION, volume=5, debt_to_equity=0.4)
    StockMetrics.objects.create(symbol_id="AAA", date=SESSION.replace(day=29), volume=7)
    first, second = with_dated_figures([pick("AAA"), pick("BBB")], SESSION)
    assert (first["volume"], first["debt_to_equity"]) == (5, 0.4)
    assert (second["volume"], second["debt_to_equity"]) == (None, None)
