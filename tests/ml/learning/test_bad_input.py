"""What a market should never hand over: each gives figures that are still right, or a sentence that names the value."""

from dataclasses import replace

import numpy as np
import pytest

from ml.features import registry
from ml.features.feature import Feature
from ml.learning.samples import Samples
from ml.learning.training import fit_night
from ml.learning.walk_forward import SCORES, TooLittleHistory, walk_forward
from tests.ml.markets import market, market_samples, nothing_stored, samples_of, sessions, tiny

DAYS = 180
AT = 140


@pytest.fixture(scope="module")
def data() -> Samples:
    return market_samples(shares=20, days=DAYS)


def fit(data: Samples, name: str = "ensemble"):
    return fit_night(data, tiny(name), data.keys["date"].iloc[-1].date(), nothing_stored())


def with_outcomes(data: Samples, **columns) -> Samples:
    return replace(data, keys=data.keys.assign(**columns))


def test_days_with_three_shares_are_learnt_from_and_predicted(data):
    thin = np.isin(data.position, (60, 61, AT, DAYS - 1)) & (data.keys["symbol"] > "S002").to_numpy()
    night = fit(data.where(~thin))
    for position in (AT, DAYS - 1):
        day = night.predictions.loc[night.predictions["position"] == position]
        assert sorted(day["percentile"]) == pytest.approx([1 / 6, 1 / 2, 5 / 6])
        assert np.isfinite(day[[*SCORES]]).all(axis=None)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_outcomes_that_are_all_alike_teach_nothing(data, value):
    known = data.keys["forward_return"].notna()
    alike = with_outcomes(data, forward_return=np.where(known, value, np.nan))
    sentence = rf"On no session from 2023-02-27 to .* \(forward_return, {value:g} on the first\) differ between shares"
    with pytest.raises(TooLittleHistory, match=sentence):
        fit(alike, "linear")


def test_outcomes_that_are_all_missing_teach_nothing(data):
    with pytest.raises(TooLittleHistory, match=r"No outcome \(forward_return\) is known up to the session to predict"):
        fit(with_outcomes(data, forward_return=np.nan))


def of_one_value(value: float) -> Feature:
    return Feature(lambda signals: np.full(signals.close.shape, value), "returns", (), 0, "", "")


@pytest.mark.parametrize("name", ["linear", "lightgbm", "ensemble"])
def test_features_without_a_number_or_a_difference_change_no_order(data, name, monkeypatch):
    """Of NaN alone, of infinities, of one value: what is learnt from the others stays."""
    useless = {"unknown": np.nan, "infinite": np.inf, "infinite_below": -np.inf, "flat": 3.0}
    planted = {feature: of_one_value(value) for feature, value in useless.items()}
    monkeypatch.setattr(registry, "FEATURES", {**registry.FEATURES, **planted})
    spoilt = samples_of(market(shares=20, days=DAYS), sessions(DAYS))
    assert spoilt.features[-4:] == tuple(useless)
    assert np.isnan(spoilt.values[:, -4:-1]).all()
    predicted = walk_forward(spoilt, tiny(name), AT, AT + 5)
    assert np.isfinite(predicted[["score", "rank_score", "risk_raw"]]).all(axis=None)
    if name == "linear":  # a tree draws its features
        kept = walk_forward(data, tiny(name), AT, AT + 5)
        np.testing.assert_allclose(predicted["score"], kept["score"], atol=1e-9)
