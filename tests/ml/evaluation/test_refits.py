import json

import pandas as pd
import pytest

from ml.evaluation import figures
from ml.evaluation.refits import refits_compared
from ml.evaluation.report import PredictionStore, Span
from ml.learning.walk_forward import walk_forward
from tests.ml.markets import market_samples, tiny

RULE = figures.cost_rule(pd.Timestamp("2025-07-01"))


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=40, days=300, signal=0.004)


def test_the_first_session_of_a_fold_is_that_of_the_night_and_the_others_differ(data):
    chosen = tiny("linear")
    alone = refits_compared(data, chosen, Span(200, 200), RULE, PredictionStore(None))
    assert alone["paired"]["rank_ic"]["mean"] == 0 == alone["paired"]["net_excess_pct"]["mean"]
    assert alone["rank_correlation"] == pytest.approx(1)

    content = refits_compared(data, chosen, Span(200, 209), RULE, PredictionStore(None))
    assert (content["sessions"], content["first"]) == (10, data.sessions[200].date().isoformat())
    assert 0.9 < content["rank_correlation"] < 1
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_each_night_is_fitted_with_what_was_known_then(data, monkeypatch):
    spans = []

    def recorded(data, estimator, first, last):
        spans.append((first, last))
        return walk_forward(data, estimator, first, last)

    monkeypatch.setattr("ml.evaluation.report.walk_forward", recorded)
    refits_compared(data, tiny("linear"), Span(200, 203), RULE, PredictionStore(None))
    assert spans == [(200, 203), (200, 200), (201, 201), (202, 202), (203, 203)]


def test_an_interrupted_comparison_goes_on(data, tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(line):
        if line.startswith("2 "):
            raise Interrupted

    with pytest.raises(Interrupted):
        refits_compared(data, tiny("linear"), Span(200, 203), RULE, PredictionStore(tmp_path), interrupt)
    store = PredictionStore(tmp_path)
    content = refits_compared(data, tiny("linear"), Span(200, 203), RULE, store)
    assert (store.reused, store.computed) == (3, 2)
    assert content == refits_compared(data, tiny("linear"), Span(200, 203), RULE, PredictionStore(None))
