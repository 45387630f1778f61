"""No figure leaves the database raw: admin lists and forms, answers of the API."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import models
from django.urls import reverse
from rest_framework import serializers

from ml.api import ScoreboardAnswer
from ml.api.models import EstimateAnswer, ModelsAnswer
from stocks.api.answers import SuggestedStocksAnswer
from stocks.api.changes import ListChangesAnswer
from stocks.api.rounding import rounded_answer
from stocks.models import Stock, StockMetrics
from stocks.units import rounded, unit_of
from tests import model_cards
from tests.architecture.sources import APPS
from tests.published import SESSION, pick, publish

pytestmark = pytest.mark.django_db
ADMINS = [
    (model, shown)
    for model, shown in sorted(admin.site._registry.items(), key=lambda entry: entry[0].__name__)
    if model._meta.app_label in APPS
]
UGLY = 12.345678901234


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


def raw_figures(model: type[models.Model], columns: Any) -> set[str]:
    figures = {field.name for field in model._meta.concrete_fields if isinstance(field, models.FloatField)}
    return figures & {column for column in columns if isinstance(column, str)}


@pytest.mark.parametrize(("model", "shown"), ADMINS, ids=lambda each: getattr(each, "__name__", ""))
def test_no_list_and_no_read_only_form_of_the_admin_shows_a_raw_float(model, shown, rf):
    request = rf.get("/")
    request.user = get_user_model()(is_superuser=True, is_staff=True)
    assert raw_figures(model, shown.get_list_display(request)) == set()
    if not shown.has_change_permission(request):
        assert raw_figures(model, shown.get_fields(request)) == set()


def test_a_list_rounds_groups_and_names_the_unit(operator):
    Stock.objects.create(
        symbol="AAA", kind="share", current_price=157.6, market_cap=1658000.123456, pe_ratio=14.420000378
    )
    html = operator.get(reverse("admin:stocks_stock_changelist")).content.decode()
    for text in ("157.60", "16,58,000.12", "14.42<", "Market cap, ₹ crore", "Current price, ₹"):
        assert text in html, text
    assert "1658000" not in html
    assert 'class="field-figure_market_cap' in html
    assert "o=" in html  # sorted by a click on the heading, as before


def test_a_form_rounds_too(operator):
    stock = Stock.objects.create(symbol="AAA", kind="share")
    row = StockMetrics.objects.create(symbol=stock, date=SESSION, current_price=UGLY, beta=1.234567, volume=11618852)
    html = operator.get(reverse("admin:stocks_stockmetrics_change", args=[row.pk])).content.decode()
    for text in ("12.35", "1.2346", "1,16,18,852"):
        assert text in html, text
    assert "12.345" not in html


def ugly(answer: Any) -> Any:
    """A body as the serializer describes it, every float with many digits."""
    if isinstance(answer, serializers.ListSerializer):
        return [ugly(answer.child)]
    if isinstance(answer, serializers.Serializer):
        return {name: ugly(field) for name, field in answer.fields.items()}
    return UGLY if isinstance(answer, serializers.FloatField) else None


def floats(body: Any, key: str = "") -> list[tuple[str, float]]:
    if isinstance(body, dict):
        return [each for name, value in body.items() for each in floats(value, name)]
    if isinstance(body, list):
        return [each for value in body for each in floats(value, key)]
    return [(key, body)] if isinstance(body, float) else []


@pytest.mark.parametrize("answer", [ListChangesAnswer, ScoreboardAnswer])
def test_every_described_float_is_rounded(answer):
    rounded_floats = floats(rounded_answer(answer(), ugly(answer())))
    assert rounded_floats
    assert [key for key, value in rounded_floats if value == UGLY] == []


def described(answer: Any) -> list[tuple[str, str]]:
    """Each float of an answer with its help text; an estimate names its unit beside it."""
    if isinstance(answer, serializers.ListSerializer):
        return described(answer.child)
    if not isinstance(answer, serializers.Serializer) or isinstance(answer, EstimateAnswer):
        return []
    own = [
        (name, str(field.help_text))
        for name, field in answer.fields.items()
        if isinstance(field, serializers.FloatField)
    ]
    return own + [
        each
        for field in answer.fields.values()
        if isinstance(field, serializers.BaseSerializer)
        for each in described(field)
    ]


@pytest.mark.parametrize("answer", [SuggestedStocksAnswer, ListChangesAnswer, ScoreboardAnswer, ModelsAnswer])
def test_every_float_of_an_answer_names_a_unit_of_the_table(answer):
    assert [name for name, help_text in described(answer()) if unit_of(name, help_text) is None] == []


def test_the_picks_are_rounded_by_their_units(client):
    cache.clear()
    figures = {name: UGLY for name in pick("A") if isinstance(pick("A")[name], float)}
    scores = {name: 0.123456789 for name in figures if "score" in name or "probability" in name or "confidence" in name}
    levels = {"stop_loss": 11.987654321, "target_price": 13.987654321}
    publish("balanced", [pick("AAA", **figures | scores | levels, recommendation="HOLD")])
    body = client.get("/api/suggested-stocks/").json()
    units = {name: unit_of(name, help_text) for name, help_text in described(SuggestedStocksAnswer())}
    answered = floats(body)
    assert {key for key, _ in answered} == set(units)
    for key, value in answered:
        unit = units[key]
        assert unit, key
        assert value == rounded(value, unit), key
        assert value not in (UGLY, 0.123456789), key


def test_a_models_figures_are_rounded_by_their_own_unit(client):
    model_cards.store_champion()
    model_cards.store_report()
    report = client.get("/api/models/").json()["report"]
    estimates = [*report["figures"], *(row["net_excess_pct"] for row in report["lists"])]
    assert estimates
    for estimate in estimates:
        unit = unit_of("value", estimate["unit"])
        assert unit, estimate["unit"]
        for name in ("value", "low", "high"):
            value = estimate[name]
            assert value is None or value == rounded(value, unit), SimpleNamespace(**estimate)
