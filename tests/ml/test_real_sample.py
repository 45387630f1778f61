"""The models on the real market, up to the day on which the official list of corporate actions ends."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from market_data.prices.adjustments import adjusted
from market_data.prices.bars import checked_bars
from market_data.prices.events import blocked_events
from market_data.providers.nse.archive import NseArchive
from ml.evaluation import figures, noise, report
from ml.evaluation.report import PredictionStore, Span
from ml.features.facts import facts
from ml.features.registry import FEATURES, WARM_UP_SESSIONS, features
from ml.features.signals import Signals
from ml.learning import drift
from ml.learning.calibration import excess_returns
from ml.learning.estimators import Head, estimator
from ml.learning.labels import labels
from ml.learning.prediction import predict
from ml.learning.samples import samples
from ml.learning.training import first_ordinary, fit_night
from ml.learning.walk_forward import Window
from tests.ml.markets import garbled_after, nothing_stored

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

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
def outcomes_and_facts(bars, calendar, archive, groups):
    outcomes = labels(bars, calendar, blocked_events(archive.corporate_actions(AS_OF)))
    return outcomes, facts(Signals(bars, calendar, groups))


@pytest.fixture(scope="module")
def data(bars, calendar, groups, outcomes_and_facts):
    outcomes, known = outcomes_and_facts
    return samples(features(Signals(bars, calendar, groups)), outcomes, known, calendar)


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
        features(Signals(frame, calendar, groups), since=day).query("date == @day").set_index("symbol")[names]
        for frame in (bars, garbled_after(bars, day, seed=1), recent)
    )
    assert len(whole) > 1500
    pd.testing.assert_frame_equal(whole, garbled.reindex(whole.index), check_exact=True)
    pd.testing.assert_frame_equal(whole, evening, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def night(data):
    return fit_night(data, estimator("ensemble"), AS_OF, nothing_stored())


def test_a_year_earns_more_than_the_market_after_costs(night, calendar):
    """Every session since July 2024, each by models fitted on what was known before it."""
    past = night.past.loc[night.past["position"] >= calendar.searchsorted(pd.Timestamp("2024-07-01"))]
    summary = figures.summary(past, figures.cost_rule(pd.Timestamp(AS_OF)))
    assert summary["rank_ic"]["low_95"] > 0.03
    assert summary["risk_rank_ic"]["mean"] > 0.1
    assert summary["net_excess_pct"]["mean"] > 5


def test_by_default_no_evening_of_a_weak_half_year_counts_as_drifted(data, calendar):
    """From May 2024 to July 2025, each session against the ranges of what the fit of that evening learnt from."""
    figures_of = dict(zip(np.unique(data.position).tolist(), drift.daily_figures(data), strict=True))
    distances = {}
    for at in range(int(calendar.searchsorted(pd.Timestamp("2024-05-02"))), len(calendar)):
        learnt = range(first_ordinary(Window(at)), Window(at).last + 1)
        known = drift.ranges_of(np.asarray([figures_of[position] for position in learnt]), data.features)
        distances[calendar[at]] = known.distances(figures_of[at]).max()
    furthest = pd.Series(distances)
    assert furthest.idxmax() == pd.Timestamp("2025-04-07")
    assert furthest.max() < 2
    assert furthest.quantile(0.99) < 1


def test_by_default_every_evening_of_a_weak_half_year_has_skill(night):
    daily = figures.rank_correlations(night.past, "rank_score").dropna()
    skill = [daily[daily.index <= at].tail(noise.SKILL_SESSIONS).mean() for at in daily.index[60:]]
    assert min(skill) > 0.03


def test_a_shuffled_control_finds_nothing(data, calendar):
    span = Span(*(int(calendar.searchsorted(pd.Timestamp(day))) for day in ("2024-07-01", "2025-06-30")))
    past = report.walk_forward_past(data, estimator("linear"), span, PredictionStore(None), shuffle=1)
    assert abs(figures.daily_ranks(past)["rank_ic"].mean()) < 0.02


def test_sectors_help_and_sectors_at_random_do_not(data, bars, calendar, groups, outcomes_and_facts):
    """Fourteen months by the linear estimator: from a share alone, with its true sector, with one drawn at random."""
    linear = replace(estimator("linear"), risk_head=Head(()))
    span = Span(int(calendar.searchsorted(pd.Timestamp("2024-05-01"))), len(calendar) - 12)
    known = groups.dropna(subset=["sector"])
    drawn = known[["sector", "industry"]].sample(frac=1, random_state=1).reset_index(drop=True)
    at_random = pd.concat([known["symbol"].reset_index(drop=True), drawn], axis=1)
    outcomes, facts_of_bars = outcomes_and_facts
    placebo = samples(features(Signals(bars, calendar, at_random)), outcomes, facts_of_bars, calendar)
    ranks, money = {}, {}
    for name, taught in (("own", data.only(report.OWN_FEATURES)), ("true", data), ("random", placebo)):
        past = report.walk_forward_past(taught, linear, span, PredictionStore(None))
        ranks[name] = figures.daily_ranks(past)["rank_ic"].mean()
        money[name] = figures.daily_money(past, figures.cost_rule(pd.Timestamp(AS_OF)))["net_excess"].mean() * 2500
    # Sectors at random are twenty features of noise: they may cost a little, but must not earn.
    assert ranks["random"] < ranks["own"] + 0.001
    assert money["random"] < money["own"] + 1  # percent a year
    assert ranks["true"] > ranks["own"] > ranks["random"]
    assert money["true"] > money["own"] > money["random"]


def test_an_evening_is_fitted_calibrated_and_predicted(night, data):
    assert night.bundle.metadata["samples"] > 500_000
    tonight = data.between(int(data.position[-1]), int(data.position[-1]))
    predictions = predict(night.bundle, tonight)
    assert predictions["ml_probability"].between(0.3, 0.7).all()  # honest probabilities lie near one half
    assert (predictions["ml_confidence"] > 0.7).mean() > 0.1
    assert predictions["ml_risk_score"].between(0.05, 0.95).all()
    assert predictions["predicted_return"].abs().max() < 0.1
    known = predictions.dropna(subset=["excess_low"])  # some shares have no volatility of 60 sessions yet
    assert len(known) > 0.95 * len(predictions)
    assert (known["excess_low"] < known["predicted_return"]).all()
    assert (known["predicted_return"] < known["excess_high"]).all()
    stored = night.predictions.loc[night.predictions["date"] == pd.Timestamp(AS_OF)]
    assert stored["score"].to_numpy().tobytes() == predictions["score"].to_numpy().tobytes()


def test_calibrated_figures_come_true(night):
    """Fitted on earlier sessions alone: the interval, the probability, the levels."""
    known = night.predictions.dropna(subset=["forward_return", "predicted_return", "excess_low"])
    position = known["position"].to_numpy()
    excess = excess_returns(position, known["forward_return"].to_numpy())
    inside = (excess >= known["excess_low"]) & (excess <= known["excess_high"])
    assert 0.75 < inside.mean() < 0.85
    assert 0.4 < (known["run_up"] >= known["high_level"]).mean() < 0.6
    assert 0.12 < (known["drawdown"] <= known["low_level"]).mean() < 0.3
    beats = excess > pd.Series(excess).groupby(position).transform("median").to_numpy()
    tenths = pd.qcut(known["ml_probability"].rank(method="first"), 10, labels=False)
    rows = pd.DataFrame({"said": known["ml_probability"], "came": beats}).groupby(tenths.to_numpy()).mean()
    assert (rows["said"] - rows["came"]).abs().mean() < 0.02
