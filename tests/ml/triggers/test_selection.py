"""Each trigger in a selection of a small market: by default the lists are published, and without the trigger, too."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from market_data.exports.queries import publications_in_force
from market_data.models import DailyBar, PipelineRun
from market_data.runs import engine, lifecycle
from ml import datasets
from ml.learning import artifacts
from ml.learning.training import fit_night
from ml.models import TrainedModel
from ml.triggers.queries import stored_readings
from stocks.models import Publication, StockMetrics
from stocks.picks.screening import STRATEGIES
from tests.champions import crown, fitted
from tests.ml.markets import nothing_stored, sessions, tiny
from tests.ml.stored_markets import store_market

DAYS, SHARES = 260, 40
PICKS = 38  # one is a fund, and one is not liquid enough
DATES = [day.date() for day in sessions(DAYS)]
FITTED_ON, TODAY = DATES[-2], DATES[-1]
GOOD = {"mean": 0.05, "low_90": 0.01, "high_90": 0.09, "days": 250}
ESTIMATOR = tiny("linear")

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def market(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A market with a signal, metrics of its last session, and a model fitted the session before it."""
    folder = tmp_path_factory.mktemp("models")
    with django_db_blocker.unblock():
        store_market(DAYS, shares=SHARES)
        data = datasets.training_samples(FITTED_ON, ESTIMATOR)
        night = fit_night(data, ESTIMATOR, FITTED_ON, nothing_stored())
        card = artifacts.save_bundle(night.bundle, folder, "simulated")
        symbols = sorted({*data.keys["symbol"]})
        rows = [{"current_price": 100.0, "turnover_median_20": 2000.0, "tradable": True}] * len(symbols)
        StockMetrics.objects.bulk_create(
            StockMetrics(symbol_id=symbol, date=TODAY, **row) for symbol, row in zip(symbols, rows, strict=True)
        )
        yield folder, card
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE stocks, market_days CASCADE")


@pytest.fixture(autouse=True)
def model(market: tuple[Any, dict[str, Any]], settings: Any) -> TrainedModel:
    folder, card = market
    settings.MODELS_DIR, settings.PROVIDER_KIND = folder, "simulated"
    crown(FITTED_ON)
    return fitted(FITTED_ON, path=card["path"], files=card["files"], metrics={"skill_above_noise": GOOD})


def select() -> PipelineRun:
    run = lifecycle.create_run("selection", TODAY, triggered_by="test")
    done = engine.advance(run.id, wait=True)
    assert done.status == "completed", done.reason
    return done


def published() -> dict[str, Publication]:
    return {row.strategy: row for row in Publication.objects.filter(superseded_at=None)}


def withheld(code: str, words: str) -> None:
    """All lists are withheld for one reason, which readers, operators and the CSV's manifest get."""
    lists = published()
    assert {(row.count, row.abstention) for row in lists.values()} == {(0, code)}
    assert set(lists) == set(STRATEGIES)
    assert all(words in row.reason for row in lists.values()), lists["model"].reason
    assert all(row["reason"] == lists["model"].reason for row in publications_in_force(TODAY))
    assert lists["model"].public_reason.startswith("There are no model picks: ")


def test_an_ordinary_session_is_published_with_its_figures_beside_the_limits() -> None:
    run = select()
    assert published()["model"].count == PICKS
    assert {row.abstention for row in published().values()} == {""}
    readings = run.summary["triggers"]
    of_lists = {f"Expected excess less costs, {name}, %" for name in STRATEGIES}
    assert set(readings) == {"Age of the model, sessions", "Drift", "Skill above noise", *of_lists}
    assert [readings["Age of the model, sessions"][name] for name in ("value", "limit")] == [1, 7]
    assert (readings["Skill above noise"]["value"], readings["Skill above noise"]["limit"]) == (0.05, 0)
    assert 0 <= readings["Drift"]["value"] < readings["Drift"]["limit"] == 2
    assert readings["Expected excess less costs, model, %"]["limit"] is None
    assert not any(reading["fires"] for reading in readings.values())
    json.dumps(readings, allow_nan=False)
    assert {row.pop("title"): row for row in stored_readings(TODAY)} == readings


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("delivered_quantity = NULL", "delivery_1, unknown: 1,"),
        ("close = 100, high = greatest(open, 100), low = least(open, 100)", "The session is unlike"),
        (
            "open = open * 100, high = high * 100, low = low * 100, close = close * 100, prev_close = prev_close * 100,"
            " vwap = vwap * 100, last_price = last_price * 100 WHERE symbol < 'S020' AND",
            "The session is unlike",
        ),
    ],
)
def test_a_broken_feed_is_withheld_as_unlike_all_before(fault: str, words: str, settings: Any) -> None:
    update, where = fault.removesuffix(" AND").partition(" WHERE ")[::2]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE historical_data SET {update} WHERE {where or 'true'} AND date = %s", [TODAY])
        assert cursor.rowcount > SHARES / 3
    select()
    withheld("drift", words)
    settings.ABSTAIN_DRIFT = 1e6
    select()
    assert published()["model"].count > SHARES / 2


@pytest.mark.parametrize(
    ("mean", "limit", "is_withheld"), [(-0.001, 0.0, True), (0.001, 0.0, False), (0.02, 0.03, True)]
)
def test_without_skill_above_noise_lists_are_withheld(
    mean: float, limit: float, is_withheld: bool, model: TrainedModel, settings: Any
) -> None:
    settings.ABSTAIN_SKILL = limit
    model.metrics = {"skill_above_noise": GOOD | {"mean": mean}}
    model.save()
    select()
    if is_withheld:
        withheld("skill", f"{mean:+.3f} above that of controls")
    else:
        assert published()["model"].count == PICKS


def test_a_model_that_was_fitted_before_skill_was_measured_may_pick(model: TrainedModel) -> None:
    model.metrics = {}
    model.save()
    assert select().summary["triggers"]["Skill above noise"]["value"] is None
    assert published()["model"].count == PICKS


def test_the_age_of_a_model_is_limited(settings: Any) -> None:
    settings.ABSTAIN_MODEL_AGE_SESSIONS = 0
    select()
    withheld("model", f"No accepted model is at most 0 sessions old on {TODAY}")
    settings.ABSTAIN_MODEL_AGE_SESSIONS = 1
    select()
    assert published()["model"].count == PICKS


def test_bars_of_an_earlier_session_are_stale() -> None:
    DailyBar.objects.filter(date=TODAY).delete()
    select()
    withheld("no_bars", f"There are no bars of {TODAY}; the latest are of {TODAY - timedelta(days=1)}")


def test_below_its_costs_a_list_alone_is_withheld_if_the_operator_wants_it(settings: Any, tmp_path: Path) -> None:
    """Balanced takes the best shares, growth those that are expected to earn least."""
    select()
    order = list(published()["model"].picks_in_force.order_by("rank").values_list("symbol", flat=True))
    grown = {"earnings_growth": 10.0, "revenue_growth": 10.0, "roe": 20.0}
    StockMetrics.objects.filter(symbol__symbol__in=order[-8:], date=TODAY).update(**grown)
    settings.SCREENING_OVERRIDES = {}
    settings.STOCK_FILTERS_FILE = tmp_path / "filters.yaml"
    settings.STOCK_FILTERS_FILE.write_text(
        "min_ml_prediction_score: 0.8\nmax_ml_risk_score: 1\nstrategies: {growth: {min_ml_prediction_score: 0}}"
    )
    select()
    assert (published()["growth"].count, published()["growth"].abstention) == (8, "")
    assert set(published()["growth"].picks_in_force.values_list("recommendation", flat=True)) <= {"HOLD", "AVOID"}
    settings.ABSTAIN_BELOW_COSTS = True
    run = select()
    growth, balanced = published()["growth"], published()["balanced"]
    assert (growth.count, growth.abstention) == (0, "costs")
    assert growth.reason.startswith("The growth list is expected to earn -")
    assert growth.public_reason == (
        "There are no growth picks: what its shares are expected to earn does not cover the costs of buying and"
        " selling them."
    )
    assert (balanced.abstention, balanced.count > 0) == ("", True)
    assert run.summary["triggers"]["Expected excess less costs, growth, %"]["fires"]
    [entry] = [row for row in publications_in_force(TODAY) if row["strategy"] == "growth"]
    assert entry["reason"] == growth.reason
