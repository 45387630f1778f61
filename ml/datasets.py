"""From stored tables to what models learn from and predict with. Everything is as of the close of one session."""

from datetime import date, timedelta

import pandas as pd

from market_data.prices.adjustments import effective_events
from market_data.prices.events import blocked_events
from market_data.storage import queries
from market_data.trading_calendar import sessions_between
from ml.estimators import Estimator
from ml.features import WARM_UP_SESSIONS, contract_features, features, tradable
from ml.labels import labels
from ml.samples import Samples, samples
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.formulas import dated_fundamentals
from stocks.picks.selection_queries import share_symbols
from stocks.universe import writer as universe_writer

PROGRESS = "progress "
"""Begins the lines with which a fitting process says how many percent are done."""

_CALENDAR_DAYS_A_SESSION = 1.6


def share_bars(as_of: date, start: date) -> pd.DataFrame:
    """Return the adjusted frame of shares from a day on; funds would distort ranks and the market's return."""
    return queries.adjusted_bars(as_of, start, share_symbols())


def market_sessions(start: date, as_of: date) -> pd.DatetimeIndex:
    """Return the market's sessions from a day to another, both included."""
    return pd.DatetimeIndex(pd.to_datetime(sessions_between(start, as_of)))


def training_samples(as_of: date, lookback_days: int, estimator: Estimator) -> Samples:
    """Return the samples of a fit: twice the lookback, so that its folds have a window of their own before them.

    Parameters
    ----------
    as_of : date
        Day of knowledge.
    lookback_days : int
        Calendar days a model learns from.
    estimator : Estimator
        Decides which features.
    """
    first = as_of - timedelta(days=2 * lookback_days)
    warm = first - timedelta(days=int(WARM_UP_SESSIONS * _CALENDAR_DAYS_A_SESSION))
    bars = share_bars(as_of, warm)
    calendar = market_sessions(bars["date"].min().date(), as_of)
    outcomes = labels(bars, calendar, _blocked(as_of))
    return samples(
        _features(bars, calendar, estimator, since=pd.Timestamp(first)), outcomes, tradable(bars, calendar), calendar
    )


def _blocked(as_of: date) -> pd.DataFrame:
    """Return symbol and ex_date of what no outcome may cross: demergers and the like, splits without a known factor.

    A jump that looks like a split is left out of what is learnt, since its outcome would be a number nobody measured;
    any other jump may be a crash, and stays.
    """
    events = queries.events_frame(as_of)
    jumps = queries.unsettled_jumps(as_of, events)
    unread = jumps.loc[jumps["reason"].isin(("near_simple_ratio", "event_without_factor"))].rename(
        columns={"date": "ex_date"}
    )
    return pd.concat([blocked_events(events)[["symbol", "ex_date"]], unread[["symbol", "ex_date"]]], ignore_index=True)


def session_features(session: date, estimator: Estimator) -> pd.DataFrame:
    """Return the features of one session's tradable shares: symbol, date, features; nothing later is read."""
    start = session - timedelta(days=int(WARM_UP_SESSIONS * _CALENDAR_DAYS_A_SESSION))
    bars = share_bars(session, start)
    calendar = market_sessions(bars["date"].min().date(), session)
    rows = _features(bars, calendar, estimator, since=pd.Timestamp(session))
    liquid = tradable(bars, calendar)
    return rows.loc[liquid.reindex(rows.index)].sort_values("symbol", ignore_index=True)


def _features(
    bars: pd.DataFrame, calendar: pd.DatetimeIndex, estimator: Estimator, since: pd.Timestamp
) -> pd.DataFrame:
    if estimator.feature_set == "scale_free":
        return features(bars, calendar, since)
    rows = bars.loc[bars["date"] >= since]
    indicators = queries.indicators_between(since.date(), calendar[-1].date())
    return contract_features(rows, indicators, _dated_facts(rows, calendar[-1].date()))


def _dated_facts(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return what was known of each share on each row's date, from statements, snapshots and report packs."""
    return dated_fundamentals(
        fundamentals_writer.statements_frame(as_of),
        fundamentals_writer.snapshots_frame(as_of),
        universe_writer.facts_frame(as_of),
        rows[["symbol", "date", "close"]],
        effective_events(queries.events_frame(as_of), as_of),
    )
