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
    return fit_night(data, tiny(name), data.keys["date"].iloc[-1].date(), nothing_stored()).bundle


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
        assert sum(
            map(float, re.findall(r"[a-z] ([+-][0-9]+[.][0-9]{2})(?= |,|[.]$)", text.split("comes from")[1]))
        ) == (pytest.approx(total, abs=0.031))


def test_without_contributions_there_is_no_sentence(data, tonight):
    forest = bundle_of(data.between(0, 130), "random_forest")
    assert contributions(forest, tonight) is None
    assert set(sentences(forest, tonight)) == {""}


def test_words_name_the_leading_groups_with_their_strongest_feature_and_add_up():
    names = ["return_5", "return_20", "beta_120", "sector_relative_5", "volume_1", "vwap_1", "delivery_1"]
    row = pd.Series([0.9, -0.2, -0.5, 0.3, 0.1, 0.05, -0.02], index=names)
    values = pd.Series([-0.0412, 0.1, np.nan, 1.0, 2.0, 3.0, 4.0], index=names)
    text = "returns +0.70 (return 5 -0.0412), risk -0.50 (beta 120 unknown), sector +0.30 (sector relative 5 1)"
    [words] = leading_words(row.to_frame().T, values.to_frame().T)
    assert words.startswith(f"{text}, liquidity +0.10 (volume 1 2), all else +0.03")
