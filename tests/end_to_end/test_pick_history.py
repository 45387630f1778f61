"""After an evening with everything real, the history's places of its session are those of the published lists."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from market_data.providers.simulator import EPOCH, simulated_sessions
from ml.champions import queries
from ml.models import PickPlace, TrainedModel
from ml.pick_history.days import past_days
from ml.pick_history.filling import configured_filters
from stocks.models import Publication
from stocks.picks.screening import STRATEGIES
from tests.champions import crown
from tests.end_to_end import evenings

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
SYMBOLS, SESSIONS = 96, 330
LENIENT = {
    "min_volume": 100.0,
    "min_price": 1.0,
    "max_price": 1e6,
    "min_market_cap_crores": 1.0,
    "min_rsi": 0.0,
    "max_rsi": 100.0,
    "max_pe_ratio": 500.0,
    "min_roe": -100.0,
    "max_debt_to_equity": 10.0,
    "min_ml_prediction_score": 0.1,
    "max_ml_risk_score": 1.0,
}
"""Thresholds that many shares of a small market pass."""
LAST = simulated_sessions(EPOCH, evenings.SESSIONS[-1])[SESSIONS - 1]


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A simulated market with company figures, for this process and for the child that trains."""
    url = os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}")
    names = {
        "SIMULATOR_SYMBOLS": SYMBOLS,
        "SIMULATOR_SESSIONS": SESSIONS,
        "MARKET_DATA_PROVIDER": "simulator",
        "MODELS_DIR": tmp_path / "models",
    }
    for name, value in {**names, "DATABASE_URL": url}.items():
        monkeypatch.setenv(name, str(value))
    own = {"PROVIDER_KIND": "simulated", "EXPORT_DIR": tmp_path / "exports", "ABSTAIN_SKILL": -1.0}
    with override_settings(**names, **own, SCREENING_OVERRIDES=LENIENT):
        yield


def test_the_places_of_a_session_are_those_of_its_evening(market: None) -> None:
    call_command("run_all", f"--date={LAST}", "--json", stdout=io.StringIO())
    # However good the model of so small a market is: the way to the lists is what is tried.
    TrainedModel.objects.update(status=TrainedModel.Status.ACCEPTED)
    [recipe] = set(TrainedModel.objects.values_list("recipe", flat=True))
    if queries.champion() is None:
        crown(LAST, recipe)
    evenings.evening(LAST, "selection")
    [day] = past_days([LAST], recipe, configured_filters())
    for strategy in STRATEGIES:
        publication = Publication.objects.get(strategy=strategy, superseded_at=None)
        assert publication.previous is None
        wanted = [(pick["symbol"], pick["place"], pick["selection_score"]) for pick in publication.picks]
        assert len(wanted) >= 3, (strategy, publication.reason)
        assert [tuple(row) for row in day.lists[strategy].places.head(50).to_numpy()] == wanted
        for source in PickPlace.Source:
            rows = PickPlace.objects.filter(strategy=strategy, source=source).order_by("place")
            assert list(rows.values_list("symbol", "place", "selection_score"))[:50] == wanted

    out = io.StringIO()
    call_command("pick_history", f"--recipe={recipe}", "--json", stdout=out, stderr=io.StringIO())
    filled = json.loads(out.getvalue())
    assert filled["sessions"] > 50
    assert filled["lists"]["model"]["without"] < filled["sessions"]
    out = io.StringIO()
    call_command("pick_history", f"--recipe={recipe}", "--json", stdout=out, stderr=io.StringIO())
    assert {name: json.loads(out.getvalue())[name] for name in ("sessions", "rows", "removed")} == {
        "sessions": 0,
        "rows": 0,
        "removed": 0,
    }
