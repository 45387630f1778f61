"""Training samples and prediction features from the stored tables, as of the close of one session.

One thing has no date: a share's sector and industry are those that ``stocks`` has today (of the sample: lists of 2026),
also for sessions years before. Who was on those lists is later knowledge, so a share without a sector is measured
against the whole market, like one of a small group.
"""

from datetime import date, timedelta

import pandas as pd

from market_data import quality
from market_data.prices.adjustments import effective_events
from market_data.prices.events import blocked_events
from market_data.storage import queries
from market_data.trading_calendar import sessions_between
from ml.features.contract import contract_features
from ml.features.facts import FACTS, facts
from ml.features.registry import WARM_UP_SESSIONS, features
from ml.features.signals import Signals
from ml.learning.estimators import Estimator
from ml.learning.labels import labels, late_entry_returns, unknown_outcomes
from ml.learning.samples import Samples, samples
from ml.learning.walk_forward import TooLittleHistory
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.formulas import dated_fundamentals
from stocks.picks.selection_queries import share_groups, share_symbols
from stocks.universe import writer as universe_writer

PREDICTIONS_FILE = "predictions.parquet"
"""Predictions that a fitting process leaves beside its models, for the run that stores them."""

PROGRESS = "progress "
"""Prefix of the lines in which a fitting process reports its progress in percent."""

_BEFORE_ANY_BAR = date(1990, 1, 1)
# 250 sessions a year make 1.46; the rest covers long holidays.
_CALENDAR_DAYS_A_SESSION = 1.6
# The volatility among the facts is of 60 sessions, whose first return needs one more.
_FACT_SESSIONS = 80


def share_bars(as_of: date, start: date) -> pd.DataFrame:
    """Adjusted bars of shares from a day on; funds would distort ranks and the market's return."""
    return queries.adjusted_bars(as_of, start, share_symbols())


def market_sessions(start: date, as_of: date) -> pd.DatetimeIndex:
    """Sessions from one day to another, both included."""
    return pd.DatetimeIndex(pd.to_datetime(sessions_between(start, as_of)))


def training_samples(as_of: date, estimator: Estimator, groups: pd.DataFrame | None = None) -> Samples:
    """Samples of all history, from nothing known after ``as_of``: what a fit learns from, and what it is judged by.

    ``groups`` (symbol, sector, industry) take the place of the shares' own.

    Raises
    ------
    TooLittleHistory
        No share has a bar yet.
    """
    signals = _signals(as_of, _BEFORE_ANY_BAR, groups)
    outcomes = labels(signals.frame, signals.sessions, blocked_dates(as_of))
    known, calendar = _facts(signals), signals.sessions
    rows = _features(signals, estimator, calendar[0])
    del signals  # its matrices are half a gigabyte
    return samples(rows, outcomes, known, calendar)


def outcomes_between(first: date, last: date, as_of: date) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """What came of each share's bars from one session to another, both included, as far as it is known ``as_of``.

    Returns
    -------
    DataFrame
        symbol, date, position, ``labels.OUTCOMES``, late_entry_return (``labels.late_entry_returns``), ``facts.FACTS``
        (from the sessions before) and atr_pct (14-session ATR in percent of the close, as stored).
    DatetimeIndex
        The sessions that ``position`` counts.
    """
    signals = _signals(as_of, first - timedelta(days=int(_FACT_SESSIONS * _CALENDAR_DAYS_A_SESSION)))
    calendar = signals.sessions
    outcomes = labels(signals.frame, calendar, blocked_dates(as_of))
    rows = outcomes.join(late_entry_returns(outcomes, calendar)).join(facts(signals)[[*FACTS]])
    rows = rows[rows["date"].between(pd.Timestamp(first), pd.Timestamp(last))]
    rows = rows.assign(position=calendar.get_indexer(pd.DatetimeIndex(rows["date"])).astype("int64"))
    return rows.merge(queries.atr_between(first, last), on=["symbol", "date"], how="left"), calendar


def session_samples(session: date, estimator: Estimator) -> Samples:
    """Samples of one session's tradable shares, without outcomes; nothing later is read."""
    signals = _signals(session, _warm_up_start(session))
    rows = _features(signals, estimator, pd.Timestamp(session))
    return samples(rows, unknown_outcomes(rows.index), _facts(signals), signals.sessions)


def samples_since(as_of: date, since: date, estimator: Estimator) -> Samples:
    """Samples of the sessions from a day on, with the outcomes that had happened by ``as_of``."""
    signals = _signals(as_of, _warm_up_start(since))
    outcomes = labels(signals.frame, signals.sessions, blocked_dates(as_of))
    return samples(_features(signals, estimator, pd.Timestamp(since)), outcomes, _facts(signals), signals.sessions)


def _warm_up_start(first: date) -> date:
    """A day from which the features of a session and all later ones can be computed."""
    return first - timedelta(days=int(WARM_UP_SESSIONS * _CALENDAR_DAYS_A_SESSION))


def _signals(as_of: date, start: date, groups: pd.DataFrame | None = None) -> Signals:
    bars = share_bars(as_of, start)
    if bars.empty:
        raise TooLittleHistory(f"No share has a bar from {start} to {as_of}: load the bars first.")
    calendar = market_sessions(bars["date"].min().date(), as_of)
    return Signals(bars, calendar, share_groups() if groups is None else groups)


def _facts(signals: Signals) -> pd.DataFrame:
    """Facts of each bar; what an unexplained jump kept out of a session's picks was not tradable in that session."""
    known = facts(signals)
    kept_out = quality.days_blocked_by_jumps(signals.sessions[0].date(), signals.sessions[-1].date())
    is_kept_out = signals.frame[["symbol", "date"]].merge(kept_out, how="left", indicator=True)["_merge"].eq("both")
    return known.assign(tradable=known["tradable"] & ~is_kept_out.to_numpy())


def blocked_dates(as_of: date) -> pd.DataFrame:
    """Symbol and ex_date that no outcome may cross: demergers and the like, and splits without a known factor.

    An outcome across a jump that looks like a split would be an invented number; any other jump may be a crash, which
    a model must learn from.
    """
    events = queries.events_frame(as_of)
    jumps = queries.unsettled_jumps(as_of, events)
    probable_splits = jumps[jumps["reason"].isin(("near_simple_ratio", "event_without_factor"))].rename(
        columns={"date": "ex_date"}
    )
    columns = ["symbol", "ex_date"]
    return pd.concat([blocked_events(events)[columns], probable_splits[columns]], ignore_index=True)


def _features(signals: Signals, estimator: Estimator, since: pd.Timestamp) -> pd.DataFrame:
    if estimator.feature_set == "scale_free":
        return features(signals, since)
    rows, as_of = signals.frame[signals.frame["date"] >= since], signals.sessions[-1].date()
    indicators = queries.indicators_between(since.date(), as_of)
    return contract_features(rows, indicators, _dated_facts(rows, as_of))


def _dated_facts(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Fundamentals known of each share on each row's date, from statements, snapshots and report packs."""
    return dated_fundamentals(
        fundamentals_writer.statements_frame(as_of),
        fundamentals_writer.snapshots_frame(as_of),
        universe_writer.facts_frame(as_of),
        rows[["symbol", "date", "close"]],
        effective_events(queries.events_frame(as_of), as_of),
    )
