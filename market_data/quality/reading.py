"""Reads the evidence of sessions from the database: one code path for an evening and for years."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import pandas as pd

from market_data import trading_calendar
from market_data.models import MarketDay, SourceFile
from market_data.prices import adjustments
from market_data.quality.checks.evidence import LOOKBACK_SESSIONS, Evidence, bars_with_past, factors_on
from market_data.storage import queries
from stocks.storage.frames import query_frame
from stocks.universe import writer as universe_writer

CHUNK_SESSIONS = 60
_METRICS = (
    "current_price",
    "market_cap",
    "pe_ratio",
    "pb_ratio",
    "roe",
    "eps",
    "debt_to_equity",
    "earnings_growth",
    "operating_margin",
    "net_margin",
    "profit_margin",
    "book_value",
    "peg_ratio",
    "current_ratio",
    "quick_ratio",
)
_EMAS = ("ema_12", "ema_26")


MetricsOf = Callable[[date], pd.DataFrame | None]


def evidence_between(sessions: Sequence[date], metrics_of: MetricsOf | None = None) -> Iterator[Evidence]:
    """Yield the evidence of sessions in ascending order, reading sixty sessions at a time.

    `metrics_of` gives the metrics of a session (`METRIC_COLUMNS`, None: there are none) instead of the stored ones; it
    is called for each session in turn.

    Point in time: a session's evidence holds nothing later than the session but the calendar's published future.
    """
    source = EvidenceReader(sessions, metrics_of)
    for start in range(0, len(source.sessions), CHUNK_SESSIONS):
        chunk = source.sessions[start : start + CHUNK_SESSIONS]
        bars, indicators = source.window(chunk)
        yield from source.evidence(chunk, bars, indicators)


class EvidenceReader:
    """Holds what is read once for all sessions; the evidence of each takes its part."""

    def __init__(self, sessions: Sequence[date], metrics_of: MetricsOf | None = None) -> None:
        self.sessions = sorted(sessions)
        self._metrics_of = metrics_of or self._stored_metrics
        last = self.sessions[-1]
        self.calendar = dict(MarketDay.objects.filter(is_session=True).order_by("date").values_list("date", "kind"))
        self._known_days = trading_calendar.known_days(last)
        files = SourceFile.objects.filter(session__lte=last).order_by("session")
        self.loaded = list(files.values_list("session", flat=True))
        self.kinds, self.first_seen = universe_writer.kinds(), universe_writer.first_sessions()
        self.events = queries.events_frame(last)
        self.jumps = queries.jumps_frame(last)
        self.provisional = _counts("historical_data WHERE status <> 'final' AND", self.sessions)
        self.with_metrics = set(_counts("stock_metrics WHERE", self.sessions)) if metrics_of is None else set()

    def window(self, sessions: Sequence[date]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read bars from `LOOKBACK_SESSIONS` earlier on, and indicators from one session earlier on."""
        before = [day for day in self._days(sessions[-1]) if day < sessions[0]][-LOOKBACK_SESSIONS:]
        since = before or list(sessions)
        bars = queries.bars_frame(since[0], sessions[-1], with_adj_close=True)
        indicators = queries.indicators_between(since[-1] if before else sessions[0], sessions[-1])
        figures = [name for name in indicators.columns if name not in ("symbol", "date")]
        kinds = dict.fromkeys(figures, "float64") | {"symbol": object}
        return bars.astype({"symbol": object}), indicators.astype(kinds)

    def evidence(self, sessions: Sequence[date], bars: pd.DataFrame, indicators: pd.DataFrame) -> Iterator[Evidence]:
        """Yield the evidence of sessions, given the frames that `window` returned for them."""
        days = sorted({*self._days(sessions[-1]), *bars["date"].dt.date.unique()})
        with_past = bars_with_past(bars, days)
        with_past["kind"] = with_past["symbol"].map(self.kinds).fillna("unknown")
        with_past["first_seen"] = pd.to_datetime(with_past["symbol"].map(self.first_seen))
        bars_of, figures_of = _by_day(with_past), _by_day(indicators)
        totals = with_past.groupby("date")["turnover_lakh"].agg(["size", "sum"])
        for session in sessions:
            window = [pd.Timestamp(day) for day in days if day <= session][-LOOKBACK_SESSIONS - 1 :]
            recent = totals.reindex(window).dropna()
            before = next((day for day in reversed(days) if day < session), session)
            today = bars_of.get(session, with_past.iloc[:0])
            events = self.events[self.events["known_on"] <= pd.Timestamp(session)]
            acting = adjustments.effective_events(events, session)
            yield Evidence(
                session=session,
                bars=today.assign(factor=factors_on(today, acting)),
                before=with_past.iloc[:0] if before == session else bars_of.get(before, with_past.iloc[:0]),
                counts=recent["size"],
                totals=recent["sum"],
                provisional=self.provisional.get(session, 0),
                loaded=[day for day in self.loaded if day <= session],
                calendar=self.calendar,
                known_until=self._known_days.until(session),
                indicators=_with_previous_averages(figures_of, session, before, indicators.iloc[:0]),
                metrics=_with_sources(session, today, self._metrics_of(session)),
                events=events,
                jumps=frozenset(self.jumps.loc[self.jumps["date"] == pd.Timestamp(session), "symbol"]),
            )

    def _stored_metrics(self, session: date) -> pd.DataFrame | None:
        if session not in self.with_metrics:
            return None
        return query_frame(
            f"SELECT symbol, {', '.join(_METRICS)}, issue_size::float8 AS issue_size, tradable::int AS tradable,"
            " provenance->'roe'->>'as_of' AS roe_as_of FROM stock_metrics WHERE date = %s ORDER BY symbol",
            [session],
        ).astype({"symbol": object})

    def _days(self, last: date) -> list[date]:
        return sorted({day for day in (*self.calendar, *self.loaded) if day <= last})


def _by_day(frame: pd.DataFrame) -> dict[date, pd.DataFrame]:
    return {pd.Timestamp(str(day)).date(): rows for day, rows in frame.groupby("date")}


def _with_previous_averages(
    by_day: dict[date, pd.DataFrame], session: date, before: date, empty: pd.DataFrame
) -> pd.DataFrame:
    """Return a session's indicators with the averages of the session just before as `…_before` columns."""
    earlier = by_day.get(before, empty) if before < session else empty
    rows = by_day.get(session, empty)
    return rows.merge(earlier[["symbol", *_EMAS]], on="symbol", how="left", suffixes=("", "_before"))


def _counts(source: str, sessions: Sequence[date]) -> dict[date, int]:
    """Return the number of rows per session; `source` is a table with the start of a condition."""
    frame = query_frame(
        f"SELECT date, count(*) AS rows FROM {source} date = ANY(%s) GROUP BY 1", [list(sessions)], dates=("date",)
    )
    return {row["date"].date(): int(row["rows"]) for row in frame.to_dict("records")}


def _with_sources(session: date, bars: pd.DataFrame, metrics: pd.DataFrame | None) -> pd.DataFrame:
    """Return a session's metrics with the exchange's and the screener's figures and the latest known equity."""
    numbers = [*_METRICS, "issue_size", "tradable", "exchange_cap", "screener_cap", "screener_price", "equity"]
    kinds = dict.fromkeys(numbers, "float64") | {"symbol": object, "roe_as_of": object}
    if metrics is None:
        return pd.DataFrame(columns=[*kinds, "close", "exchange_price"])
    beside = query_frame(
        "SELECT m.symbol, x.market_cap AS exchange_cap, s.market_cap AS screener_cap, s.close AS screener_price,"
        " f.equity FROM unnest(%(symbols)s::text[]) m(symbol)"
        " LEFT JOIN exchange_facts x ON x.symbol = m.symbol AND x.date = %(day)s"
        " LEFT JOIN LATERAL (SELECT market_cap, close FROM fundamental_snapshots s WHERE s.symbol = m.symbol"
        "  AND s.snapshot < %(day)s AND s.snapshot >= %(day)s::date - 7 ORDER BY s.snapshot DESC LIMIT 1) s ON true"
        " LEFT JOIN LATERAL (SELECT equity FROM financial_statements f WHERE f.symbol = m.symbol"
        "  AND f.published_on <= %(day)s AND f.period_end > %(day)s::date - 400 AND f.equity IS NOT NULL"
        "  ORDER BY f.period_end DESC LIMIT 1) f ON true",
        {"symbols": metrics["symbol"].astype(str).tolist(), "day": session},
    )
    frame = metrics.merge(beside.astype({"symbol": object}), on="symbol", how="left")
    frame = frame.merge(bars[["symbol", "close"]], on="symbol", how="left")
    return frame.reindex(columns=[*kinds, "close"]).astype(kinds).assign(exchange_price=frame["close"])
