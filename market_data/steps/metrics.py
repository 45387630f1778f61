"""COMPREHENSIVE_METRICS, and the jobs that complete them: missing values, ratios from new statements."""

from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from market_data.prices import adjustments
from market_data.prices.indicators import WARM_UP_ROWS, indicators_on
from market_data.runs.saga import StepContext, StepFailed
from market_data.steps import session_metrics
from market_data.steps.indicators import EVENING_SESSIONS
from market_data.steps.pending import pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import metrics_writer
from stocks.universe import writer as universe_writer


def session_frame(session: date) -> pd.DataFrame:
    """Return the metrics of every symbol that traded on a session, from stored bars and dated facts.

    Point in time: bars, indicators, events, statements and snapshots known at the close of the session, nothing later.
    """
    return session_metrics.metrics_from(session_metrics.sources_of(session))


def compute_metrics(context: StepContext) -> pd.DataFrame:
    """Return the session's metrics, with ratios from the statements published by now."""
    return session_frame(context.session)


def compute_evening(context: StepContext) -> dict[date, pd.DataFrame]:
    """Return the metrics of the session, and of the few before it whose bars came with it, ascending.

    Those are evenings that were missed, or whose bars were provisional. A long load has those of its session alone.
    """
    loaded = [day for day in sorted(pending_work(context.run).loaded) if day < context.session]
    late = loaded if len(loaded) < EVENING_SESSIONS else []
    return {day: session_frame(day) for day in (*late, context.session)}


def record_evening(context: StepContext, frames: dict[date, pd.DataFrame]) -> int:
    """Store the metrics, and update `stocks` to the latest ones."""
    written = 0
    for day, rows in frames.items():
        written += metrics_writer.record_metrics(rows, day, context.run.id).total
        metrics_writer.refresh_stocks(day, context.run.id)
    frame = frames[context.session]
    # Counted here and not with the lists: renames among the evening's bars join symbols.
    kinds = {str(kind): int(count) for kind, count in universe_writer.kinds().value_counts().items()}
    context.summarise(universe=kinds, tradable=int(frame["tradable"].sum()), coverage=_coverage(frame))
    return written


def _coverage(frame: pd.DataFrame) -> dict[str, str]:
    """Return the coverage of the most important columns among tradable shares, in percent."""
    shares = frame.loc[frame["tradable"]]
    columns = ("market_cap", "pe_ratio", "pb_ratio", "roe", "beta", "revenue_growth", "debt_to_equity")
    return {column: f"{shares[column].notna().mean():.0%}" for column in columns} if len(shares) else {}


class Completion(NamedTuple):
    """Indicator rows that are missing, and the complete metrics."""

    indicators: pd.DataFrame
    metrics: pd.DataFrame


def compute_missing(context: StepContext) -> Completion:
    """Compute what the session lacks, with the pipeline's own functions."""
    session = context.session
    if queries.latest_session() is None:
        raise StepFailed("There are no bars yet; run the pipeline first.")
    missing = queries.symbols_without_indicators(session)
    prices = queries.last_prices(missing, WARM_UP_ROWS, before=session + timedelta(days=1))
    bars = adjustments.adjusted(prices, queries.events_frame(session, only_factors=True), session)
    indicators = indicators_on(bars, session) if missing else queries.indicator_frame(session).iloc[:0]
    return Completion(indicators, session_frame(session))


def record_missing(context: StepContext, completion: Completion) -> int:
    """Write what was NULL or absent, counted by column."""
    indicators = market_writer.record_indicators(completion.indicators, context.run.id).inserted
    by_column = metrics_writer.fill_metrics(completion.metrics, context.session, context.run.id)
    metrics_writer.refresh_stocks(context.session, context.run.id)
    filled = {"indicators": indicators, **by_column}
    context.summarise(filled=filled if indicators or by_column else "nothing was missing")
    return indicators + sum(by_column.values())


def record_ratios(context: StepContext, frame: pd.DataFrame) -> int:
    """Store the metrics that changed with new statements."""
    changed = metrics_writer.record_metrics(frame, context.session, context.run.id).total
    metrics_writer.refresh_stocks(context.session, context.run.id)
    context.summarise(rows_changed=changed, coverage=_coverage(frame))
    return changed
