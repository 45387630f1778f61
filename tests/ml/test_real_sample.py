"""The models on the real market, up to the day on which the official list of corporate actions ends."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from market_data.prices.adjustments import adjusted
from market_data.prices.bars import checked_bars
from market_data.prices.events import blocked_events
from market_data.providers.nse.archive import NseArchive
from ml.evaluation import report as evaluation
from ml.evaluation.report import Entry, FoldStore
from ml.features.facts import facts
from ml.features.registry import FEATURES, WARM_UP_SESSIONS, features
from ml.learning.estimators import estimator
from ml.learning.labels import labels
from ml.learning.prediction import predict
from ml.learning.samples import samples
from ml.learning.training import fit_bundle
from ml.learning.walk_forward import folds
from tests.ml.markets import garbled_after

pytestmark = pytest.mark.real

AS_OF = date(2025, 7, 18)


@pytest.fixture(scope="module")
def archive(sample_dir):
    return NseArchive(sample_dir / "nse")


@pytest.fixture(scope="module")
def calendar(archive):
    return pd.DatetimeIndex(pd.to_datetime(archive.sessions(date(2023, 4, 3), AS_OF)))


@pytest.fixture(scope="module")
def bars(archive, calendar):
    """Adjusted frame of all shares; renames are ignored, which cuts some histories."""
    days = [checked_bars(archive.bars(day.date()).frame, session=day.date())[0] for day in calendar]
    listed = archive.listed_symbols(AS_OF)
    shares = set(listed.loc[listed["kind"] == "share", "symbol"])
    frame = pd.concat(days, ignore_index=True)
    frame = frame.loc[frame["symbol"].isin(shares)].sort_values(["symbol", "date"], ignore_index=True)
    return adjusted(frame, archive.corporate_actions(AS_OF), AS_OF)


@pytest.fixture(scope="module")
def groups(sample_dir):
    """Sectors and industries of 2026; the file names a share once a screen it was in."""
    screened = pd.read_csv(sample_dir / "fundamentals" / "fundamentals_2026-04-30.csv")
    return screened.drop_duplicates("symbol")[["symbol", "sector", "industry"]]


@pytest.fixture(scope="module")
def data(bars, calendar, archive, groups):
    outcomes = labels(bars, calendar, blocked_events(archive.corporate_actions(AS_OF)))
    return samples(features(bars, calendar, groups), outcomes, facts(bars, calendar, groups), calendar)


def test_samples_are_sound(data, calendar):
    days = pd.Series(data.position).value_counts().reindex(range(30, len(calendar)))
    assert days.min() > 1000  # tradable shares on each session
    assert not np.isinf(data.values).any()
    known = np.isfinite(data.values[data.position > WARM_UP_SESSIONS]).mean(axis=0)
    assert known.min() > 0.85
    outcome = data.keys["forward_return"]
    assert outcome[data.position < len(calendar) - 17].notna().mean() > 0.95
    assert -0.05 < outcome.median() < 0.05
    assert (data.keys["drawdown"].dropna() <= 0).all()


def test_the_future_changes_no_feature(bars, calendar, groups):
    day = calendar[-30]
    names = list(FEATURES)
    recent = bars.loc[bars["date"] >= calendar[-330]].reset_index(drop=True)
    whole, garbled, evening = (
        features(frame, calendar, groups, since=day).query("date == @day").set_index("symbol")[names]
        for frame in (bars, garbled_after(bars, day, seed=1), recent)
    )
    assert len(whole) > 1500
    pd.testing.assert_frame_equal(whole, garbled.reindex(whole.index), check_exact=True)
    pd.testing.assert_frame_equal(whole, evening, rtol=0, atol=1e-9)


def test_a_year_is_predicted_better_than_chance(data, calendar):
    """July 2024 to June 2025, trained on everything before: the model above 0, a shuffled control near 0."""
    first, last = (int(calendar.searchsorted(pd.Timestamp(day))) for day in ("2024-07-01", "2025-06-30"))
    layout = folds([first], last, history_first=evaluation.SESSIONS_BEFORE_LEARNING)
    means = [
        evaluation.entry_figures(data, entry, layout, FoldStore(None))["rank_ic"].mean()
        for entry in (
            Entry("lightgbm", estimator("lightgbm"), published=False),
            Entry("shuffled", estimator("lightgbm"), every=5, shuffle=1, published=False),
        )
    ]
    assert means[0] > 0.02
    assert abs(means[1]) < means[0]


def test_an_evening_is_fitted_calibrated_and_predicted(data, bars, calendar):
    bundle = fit_bundle(data, estimator("lightgbm"), AS_OF, lookback_days=365)
    metrics = bundle.metadata["metrics"]
    assert metrics["rank_ic"]["mean"] > 0
    assert metrics["risk_rank_ic"]["mean"] > 0.1
    assert bundle.metadata["samples"] > 200_000
    today = data.position == len(calendar) - 1
    frame = pd.DataFrame(data.values[today], columns=list(data.features))
    predictions = predict(
        bundle, pd.concat([data.keys.loc[today, ["symbol", "date"]].reset_index(drop=True), frame], axis=1)
    )
    assert predictions["ml_probability"].between(0.35, 0.65).all()  # honest probabilities lie near one half
    assert (predictions["ml_confidence"] > 0.7).mean() > 0.1
    assert predictions["ml_risk_score"].between(0.05, 0.95).all()
    assert predictions["predicted_return"].abs().max() < 0.1
