"""Planted signals are found at their size, planted faults are caught: a test that cannot fail proves nothing."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import figures
from ml.evaluation.tranches import Rule, tranche_returns
from ml.features import registry
from ml.features.facts import FACTS
from ml.features.feature import Feature
from ml.features.registry import features
from ml.features.signals import Signals
from ml.learning import training
from ml.learning.calibration import CALIBRATED, calibration
from ml.learning.labels import EXIT_DELAY, OUTCOMES
from ml.learning.samples import Samples, centred_ranks
from ml.learning.training import Night, fit_night
from ml.learning.walk_forward import SCORES
from tests.ml.markets import (
    garbled_after,
    groups_of,
    market,
    nothing_stored,
    samples_of,
    sessions,
    tiny,
    without_bars,
)

SHARES, SESSIONS, FEATURES = 200, 240, 8
EDGE, NOISE = 0.02, 0.08
"""What one standard deviation of the planted feature adds to a ten-session return, and what else moves it."""


@pytest.fixture(scope="module")
def planted() -> Samples:
    """Returns that one of eight features predicts, the others not; independent from session to session."""
    random = np.random.default_rng(7)
    position = np.repeat(np.arange(SESSIONS), SHARES)
    values = random.normal(size=(len(position), FEATURES)).astype(np.float32)
    outcome = EDGE * values[:, 3] + NOISE * random.normal(size=len(position))
    calendar, symbols = sessions(SESSIONS), [f"S{number:03d}" for number in range(SHARES)]
    known = position + EXIT_DELAY < SESSIONS
    keys = pd.DataFrame({"symbol": symbols * SESSIONS, "date": calendar[position]})
    keys = keys.assign(**dict.fromkeys([*OUTCOMES, *FACTS], np.nan))
    keys = keys.assign(
        forward_return=np.where(known, outcome, np.nan),
        forward_return_5=np.where(known, outcome / 2, np.nan),
        drawdown=np.where(known, np.minimum(outcome, 0) - 0.02, np.nan),
        run_up=np.where(known, np.maximum(outcome, 0) + 0.02, np.nan),
        exit_position=np.where(known, position + EXIT_DELAY, np.nan),
        entry_step=0.002,
        volatility=0.025,
        median_turnover_lakh=500.0,
    )
    names = tuple(f"x{number}" for number in range(FEATURES))
    return Samples(keys, position, values, centred_ranks(position, values), names, calendar)


@pytest.fixture(scope="module")
def night(planted: Samples) -> Night:
    return fit_night(planted, tiny(size=0.2), planted.sessions[-1].date(), nothing_stored())


def test_both_heads_recover_a_planted_signal_at_its_size(night: Night) -> None:
    """A correlation of 0.243 is a rank correlation of 0.232."""
    for head in ("score", "rank_score"):
        ranks = figures.daily_ranks(night.past.assign(rank_score=night.past[head]))["rank_ic"]
        assert ranks.mean() == pytest.approx(6 / np.pi * np.arcsin(EDGE / np.hypot(EDGE, NOISE) / 2), abs=0.03)


def test_a_planted_signal_earns_what_it_must_after_costs(night: Night) -> None:
    """The best 20 of 200 have 1.75 standard deviations of the feature; nearly all are new at each re-forming."""
    rule = Rule(charges=0.002, impact=lambda turnover: np.full_like(turnover, 0.001), places=20, keep_rank=20)
    past = night.past.assign(outcome=night.past["forward_return"])
    money = tranche_returns(past, rule)
    gross = (money["gross"] - money["universe"]).mean()
    assert gross == pytest.approx(EDGE * 1.75, rel=0.12)
    assert money["bought"].mean() == pytest.approx(0.9, abs=0.03)
    assert (money["gross"] - money["universe"] - money["net_excess"]).mean() == pytest.approx(2 * 0.9 * 0.002, rel=0.05)
    published = night.predictions.dropna(subset=["predicted_return"]).query("percentile > 0.9")
    assert published["predicted_return"].mean() == pytest.approx(EDGE * 1.75, rel=0.15)


def test_a_yearly_figure_is_twenty_five_trades(night: Night) -> None:
    rule = figures.cost_rule(pd.Timestamp("2025-07-01"))
    money, summary = figures.daily_money(night.past, rule), figures.summary(night.past, rule)
    assert summary["net_excess_pct"]["mean"] == pytest.approx(money["net_excess"].mean() * 2500)


# --- the future -----------------------------------------------------------------------------------------------------
DAYS, LAST_KNOWN = 220, 190


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """Gaps, so that exits are late too."""
    frame = without_bars(market(shares=25, days=DAYS, signal=0.004), seed=3)
    position = sessions(DAYS).get_indexer(pd.DatetimeIndex(frame["date"]))
    stopped = frame["symbol"].isin(["S001", "S002", "S003"]).to_numpy() & (position > 120) & (position < LAST_KNOWN + 5)
    return frame.loc[~stopped].reset_index(drop=True)


def predictions_until_then(frame: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Of all sessions up to the last whose bars are the same, by the fit of the market's last session."""
    calendar = sessions(DAYS)
    night = fit_night(samples_of(frame, calendar), tiny(estimator, size=0.03), calendar[-1].date(), nothing_stored())
    rows = night.predictions.loc[night.predictions["position"] <= LAST_KNOWN]
    return rows[["symbol", "date", *SCORES, *CALIBRATED]].reset_index(drop=True)


def assert_the_future_changes_no_prediction(bars: pd.DataFrame, estimator: str) -> pd.DataFrame:
    changed = predictions_until_then(garbled_after(bars, sessions(DAYS)[LAST_KNOWN], seed=5), estimator)
    predicted = predictions_until_then(bars, estimator)
    pd.testing.assert_frame_equal(changed, predicted, check_exact=True)
    return predicted


def test_the_future_changes_no_walk_forward_prediction_to_the_bit(bars: pd.DataFrame) -> None:
    predicted = assert_the_future_changes_no_prediction(bars, "ensemble")
    assert predicted["predicted_return"].notna().mean() > 0.1
    assert predicted[[*SCORES]].notna().all(axis=None)


def _next_return(signals: Signals) -> np.ndarray:
    return np.vstack([signals.day_return[1:], signals.day_return[-1:]])


def _look_ahead_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = Feature(_next_return, "returns", ("close",), 0, "planted", "never")
    monkeypatch.setattr(registry, "FEATURES", {**registry.FEATURES, "planted": planted})


def _calibration_by_outcomes_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        training, "calibration_at", lambda past, at, chances: calibration(past.loc[past["position"] < at], chances)
    )


def _outcomes_learnt_before_the_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Samples, "known_by", lambda self, position: np.full(len(self), True))


@pytest.mark.parametrize(
    "plant", [_look_ahead_feature, _calibration_by_outcomes_to_come, _outcomes_learnt_before_the_sale]
)
def test_a_planted_leak_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r'column name="(score|predicted_return)"'):
        assert_the_future_changes_no_prediction(bars, "linear")


# --- who will die ---------------------------------------------------------------------------------------------------
def assert_missing_does_not_tell_who_dies(bars: pd.DataFrame) -> None:
    """Three shares trade on and are on the lists of later years, or trade no more and are not: once the day is over."""
    day, dying = sessions(DAYS)[LAST_KNOWN], ["S005", "S006", "S007"]
    groups = groups_of(bars, unknown=0.0)
    alive = features(Signals(bars, sessions(DAYS), groups))
    survivors = (bars["date"] <= day) | ~bars["symbol"].isin(dying)
    frame = bars.loc[survivors].reset_index(drop=True)
    dead = features(Signals(frame, sessions(DAYS), groups.loc[~groups["symbol"].isin(dying)]))
    is_unknown, was_unknown = (
        rows.loc[rows["date"] <= day].drop(columns=["symbol", "date"]).isna().reset_index(drop=True)
        for rows in (dead, alive)
    )
    pd.testing.assert_frame_equal(is_unknown, was_unknown)


def test_no_missing_value_tells_who_will_die(bars: pd.DataFrame) -> None:
    assert_missing_does_not_tell_who_dies(bars)


@pytest.mark.parametrize(
    "compute",
    [
        lambda signals: np.where(signals.sector.codes >= 0, signals.day_return, np.nan),
        lambda signals: np.where(np.isfinite(signals.close[-1]), signals.day_return, np.nan),
    ],
    ids=["known to later lists", "trading at the end"],
)
def test_a_planted_missing_that_tells_who_dies_is_caught(
    compute: Callable[[Signals], np.ndarray], bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FEATURES", {"planted": Feature(compute, "returns", (), 0, "planted", "of the dead")})
    with pytest.raises(AssertionError, match="planted"):
        assert_missing_does_not_tell_who_dies(bars)
