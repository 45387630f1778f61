"""Reads of the whole market on few sessions: by the index (date, symbol), never across the history."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """A stretch of sessions up to the one looked at; `base` is where it starts, None before all data."""

    key: str
    label: str
    sessions: int
    base: date | None = None

    @property
    def column(self) -> str:
        """Return the column of `market_frame` that holds the returns in percent."""
        return f"return_{self.key}_pct"


HORIZONS: Final = (
    Horizon("1d", "1 day", 1),
    Horizon("1w", "1 week", 5),
    Horizon("1m", "1 month", 21),
    Horizon("3m", "3 months", 63),
)


def horizons(session: date) -> list[Horizon]:
    """Return the horizons with the session that each starts from, counted in stored sessions."""
    before = market.sessions_before(session, max(one.sessions for one in HORIZONS))
    return [
        Horizon(one.key, one.label, one.sessions, before[-one.sessions] if len(before) >= one.sessions else None)
        for one in HORIZONS
    ]


def market_frame(session: date, asked: Sequence[Horizon]) -> pd.DataFrame:
    """Return the shares that traded on a session, with their returns.

    Parameters
    ----------
    session
        The session looked at.
    asked
        Horizons that end with it.

    Returns
    -------
    DataFrame
        One row a share: symbol, stock_name, sector (None where not known), market_cap (₹ crore), close (₹),
        turnover_lakh, and `Horizon.column` in percent from adjusted close to adjusted close, NaN for a share that did
        not trade on the session where the horizon starts.
    """
    days = sorted({session, *(one.base for one in asked if one.base)})
    bars = query_frame(
        "SELECT symbol, date, close, coalesce(adj_close, close) AS adjusted, turnover_lakh FROM historical_data"
        " WHERE date = ANY(%s) AND close > 0",
        [days],
        dates=("date",),
    )
    named = query_frame("SELECT symbol, stock_name, sector, market_cap FROM stocks WHERE kind = 'share'")
    adjusted = bars.pivot(index="symbol", columns="date", values="adjusted")
    today = bars.loc[bars["date"] == pd.Timestamp(session), ["symbol", "close", "turnover_lakh"]]
    frame = named.merge(today, on="symbol").astype({"market_cap": "float64", "turnover_lakh": "float64"})
    latest = adjusted.get(pd.Timestamp(session), pd.Series(dtype=float))
    for one in asked:
        base = adjusted.get(pd.Timestamp(one.base)) if one.base else None
        change = pd.Series(dtype=float) if base is None else (latest / base - 1) * 100
        frame[one.column] = frame["symbol"].map(change).astype(float)
    return frame


@dataclass(frozen=True)
class Extremes:
    """How many shares stand at extremes of their own last sessions; `*_known` are those it could be said of."""

    highs: int
    lows: int
    ranged: int
    above_sma_50: int
    sma_50_known: int
    above_sma_200: int
    sma_200_known: int

    @property
    def above_sma_50_share(self) -> float | None:
        """Return the part of the shares above their average of 50 sessions, 0-1."""
        return self.above_sma_50 / self.sma_50_known if self.sma_50_known else None

    @property
    def above_sma_200_share(self) -> float | None:
        """Return the part of the shares above their average of 200 sessions, 0-1."""
        return self.above_sma_200 / self.sma_200_known if self.sma_200_known else None


def extremes(session: date) -> Extremes:
    """Count the shares at a new high or low of their last sessions' closes, and those above their averages.

    A new high is a close above every adjusted close of the `HIGHS_SESSIONS` sessions before, of shares that traded on
    each of them.
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
        " count(*) FILTER (WHERE adjusted < lowest) AS lows, count(highest) AS ranged,"
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
    """Return the latest session with bars, or None in an empty database."""
    session = stocks.latest_listed_session()
    if session is None:
        return None
    asked = horizons(session)
    frame = market_frame(session, asked)
    if frame.empty:
        return None
    return Market(session, asked, frame, breadth.moves(frame[asked[0].column]), extremes(session))


def movers(frame: pd.DataFrame, symbols: Sequence[str], column: str, count: int = 5) -> dict[str, list[dict[str, Any]]]:
    """Return the shares among some symbols that rose and fell most (`up`, `down`), each as a row of the frame."""
    ours = frame.loc[frame["symbol"].isin(symbols)].dropna(subset=[column]).assign(change_pct=lambda rows: rows[column])
    up = ours.loc[ours["change_pct"] > 0].sort_values("change_pct", ascending=False, kind="stable")
    down = ours.loc[ours["change_pct"] < 0].sort_values("change_pct", kind="stable")
    return {name: _rows(found.head(count)) for name, found in (("up", up), ("down", down))}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    kept = frame[["symbol", "stock_name", "close", "change_pct"]]
    return [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]
