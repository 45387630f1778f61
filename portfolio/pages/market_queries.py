"""The whole market on few sessions: read by the index (date, symbol), never across the history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import pandas as pd

from market_data.storage import queries as market
from portfolio.pages.figures import breadth
from portfolio.pages.figures.breadth import Moves
from stocks.picks import queries as stocks
from stocks.storage.frames import query_frame

HIGHS_SESSIONS: Final = 20


@dataclass(frozen=True)
class Horizon:
    """A number of sessions up to the current one; `base` is the session it starts from, None before all data."""

    key: str
    label: str
    sessions: int
    base: date | None = None

    @property
    def column(self) -> str:
        return f"return_{self.key}_pct"


HORIZONS: Final = (
    Horizon("1d", "1 day", 1),
    Horizon("1w", "1 week", 5),
    Horizon("1m", "1 month", 21),
    Horizon("3m", "3 months", 63),
)


def horizons(session: date) -> list[Horizon]:
    """`HORIZONS` with their base sessions, counted in stored sessions."""
    before = market.sessions_before(session, max(horizon.sessions for horizon in HORIZONS))
    return [
        replace(horizon, base=before[-horizon.sessions] if len(before) >= horizon.sessions else None)
        for horizon in HORIZONS
    ]


def market_frame(session: date, spans: Sequence[Horizon]) -> pd.DataFrame:
    """Shares that traded on a session, with their returns over the horizons that end with it.

    Returns
    -------
    DataFrame
        One row per share: symbol, stock_name, sector (None where unknown), market_cap (₹ crore), close (₹),
        turnover_lakh, and `Horizon.column` in percent from adjusted close to adjusted close, NaN for a share that did
        not trade on the session where the horizon starts.
    """
    days = sorted({session, *(horizon.base for horizon in spans if horizon.base)})
    bars = query_frame(
        "SELECT symbol, date, close, coalesce(adj_close, close) AS adjusted, turnover_lakh FROM historical_data"
        " WHERE date = ANY(%s) AND close > 0",
        [days],
        dates=("date",),
    )
    shares = query_frame("SELECT symbol, stock_name, sector, market_cap FROM stocks WHERE kind = 'share'")
    adjusted = bars.pivot(index="symbol", columns="date", values="adjusted")
    today = bars.loc[bars["date"] == pd.Timestamp(session), ["symbol", "close", "turnover_lakh"]]
    frame = shares.merge(today, on="symbol").astype({"market_cap": "float64", "turnover_lakh": "float64"})
    latest = adjusted.get(pd.Timestamp(session), pd.Series(dtype=float))
    for horizon in spans:
        base = adjusted.get(pd.Timestamp(horizon.base)) if horizon.base else None
        change_pct = pd.Series(dtype=float) if base is None else (latest / base - 1) * 100
        frame[horizon.column] = frame["symbol"].map(change_pct).astype(float)
    return frame


@dataclass(frozen=True)
class Extremes:
    """Number of shares at a new high or low, or above a moving average, and of those that could be.

    `comparable` shares traded on each of the `HIGHS_SESSIONS` before; `sma_50_known` and `sma_200_known` have that one.
    """

    highs: int
    lows: int
    comparable: int
    above_sma_50: int
    sma_50_known: int
    above_sma_200: int
    sma_200_known: int

    @property
    def above_sma_50_share(self) -> float | None:
        """Fraction of the shares above their 50-session average."""
        return self.above_sma_50 / self.sma_50_known if self.sma_50_known else None

    @property
    def above_sma_200_share(self) -> float | None:
        """Fraction of the shares above their 200-session average."""
        return self.above_sma_200 / self.sma_200_known if self.sma_200_known else None


def extremes(session: date) -> Extremes:
    """Shares at a new high or low, and above their averages.

    A new high is an adjusted close above those of all `HIGHS_SESSIONS` sessions before; shares that did not trade on
    each of them do not count.
    """
    before = market.sessions_before(session, HIGHS_SESSIONS)
    row = query_frame(
        "WITH today AS MATERIALIZED (SELECT h.symbol, h.close, coalesce(h.adj_close, h.close) AS adjusted"
        "  FROM historical_data h JOIN stocks s ON s.symbol = h.symbol AND s.kind = 'share' WHERE h.date = %s),"
        " earlier AS MATERIALIZED (SELECT symbol, max(coalesce(adj_close, close)) AS highest,"
        "  min(coalesce(adj_close, close)) AS lowest, count(*) AS sessions FROM historical_data"
        "  WHERE date BETWEEN %s AND %s GROUP BY symbol),"
        " averages AS MATERIALIZED (SELECT symbol, sma_50, sma_200 FROM technical_indicators WHERE date = %s)"
        " SELECT count(*) FILTER (WHERE adjusted > highest) AS highs,"
        " count(*) FILTER (WHERE adjusted < lowest) AS lows, count(highest) AS comparable,"
        " count(*) FILTER (WHERE close > sma_50) AS above_sma_50,"
        " count(sma_50) AS sma_50_known, count(*) FILTER (WHERE close > sma_200) AS above_sma_200,"
        " count(sma_200) AS sma_200_known"
        " FROM today LEFT JOIN earlier ON earlier.symbol = today.symbol AND sessions = %s"
        " LEFT JOIN averages ON averages.symbol = today.symbol",
        [session, before[0] if before else session, before[-1] if before else session, session, HIGHS_SESSIONS],
    ).iloc[0]
    return Extremes(**{str(name): int(value) for name, value in row.items()})


@dataclass(frozen=True)
class Market:
    """The latest session as a whole."""

    session: date
    horizons: list[Horizon]
    frame: pd.DataFrame
    day: Moves
    extremes: Extremes


def latest_market() -> Market | None:
    """The latest session with bars; None in an empty database."""
    session = stocks.latest_listed_session()
    if session is None:
        return None
    spans = horizons(session)
    frame = market_frame(session, spans)
    if frame.empty:
        return None
    return Market(session, spans, frame, breadth.moves(frame[spans[0].column]), extremes(session))


def movers(frame: pd.DataFrame, symbols: Sequence[str], column: str, count: int = 5) -> dict[str, list[dict[str, Any]]]:
    """The largest risers and fallers (`up`, `down`) among some symbols, each as a row of the frame."""
    moves = frame[frame["symbol"].isin(symbols)].dropna(subset=[column])
    moves = moves.assign(change_pct=moves[column])
    up = moves[moves["change_pct"] > 0].sort_values("change_pct", ascending=False, kind="stable")
    down = moves[moves["change_pct"] < 0].sort_values("change_pct", kind="stable")
    return {"up": _rows(up.head(count)), "down": _rows(down.head(count))}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = frame[["symbol", "stock_name", "close", "change_pct"]]
    return [{str(name): value for name, value in row.items()} for row in columns.to_dict("records")]
