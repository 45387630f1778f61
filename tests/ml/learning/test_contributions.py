import re

import numpy as np
import pandas as pd
import pytest

from ml.learning.contributions import contributions, leading_words, sentences
from ml.learning.training import fit_night
from ml.learning.walk_forward import raw_predictions
from tests.ml.markets import market_samples, nothing_stored, tiny

DAYS = 260


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=40, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def tonight(data):
    return data.between(DAYS - 1, DAYS - 1)


def bundle_of(data, name):
    return fit_night(data, tiny(name), data.sessions[-1].date(), nothing_stored()).bundle


@pytest.fixture(scope="module")
def ensemble(data):
    return bundle_of(data, "ensemble")


@pytest.fixture(scope="module")
def parts(ensemble, tonight) -> pd.DataFrame:
    frame = contributions(ensemble, tonight)
    assert frame is not None
    return frame


@pytest.fixture(scope="module")
def scores(ensemble, tonight):
    return raw_predictions(tonight, ensemble.estimator, ensemble.fits)["score"].to_numpy()


def test_contributions_add_up_to_the_score(parts, scores, tonight):
    assert list(parts.columns) == list(tonight.features)
    assert parts.sum(axis=1).to_numpy() == pytest.approx(scores, abs=1e-9)


def test_the_feature_that_carries_the_signal_leads(parts):
    strength = parts.abs().mean().sort_values(ascending=False)
    assert {"delivery_20", "delivery_1", "delivery_change"} & set(strength.index[:4])


def test_the_numbers_of_each_sentence_add_up_to_its_score(ensemble, tonight, scores):
    texts = sentences(ensemble, tonight)
    assert len(texts) == len(scores)
    for text, score in zip(texts, scores, strict=True):
        total = float(re.findall(r"score of ([+-][0-9.]+) comes", text)[0])
        assert total == pytest.approx(score, abs=0.006)
        assert sum(map(float, re.findall(r"\(([+-][0-9.]+)\)", text))) == pytest.approx(total, abs=0.031)


def test_without_contributions_there_is_no_sentence(data, tonight):
    forest = bundle_of(data, "random_forest")
    assert contributions(forest, tonight) is None
    assert set(sentences(forest, tonight)) == {""}


def test_words_name_the_leading_features_and_add_up():
    row = pd.Series({"a_1": 0.5, "b": -0.9, "c": 0.1, "d": 0.2, "e": 0.05, "f": -0.02})
    values = pd.Series({"a_1": 0.0123, "b": np.nan, "c": 1.0, "d": -2.5, "e": 0.0, "f": 0.0})
    text = "b unknown (-0.90), a 1 0.0123 (+0.50), d -2.5 (+0.20), c 1 (+0.10), all else (+0.03)"
    assert leading_words(row, values) == text
