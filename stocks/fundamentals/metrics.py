"""The metrics of one session: rows of `stock_metrics`, assembled from dated facts; pure.

A share is tradable when it is a share, traded on the session in series EQ, has a median turnover above ₹50 lakh over
its last 20 sessions and a price above ₹20 (both in raw rupees of the day), and is not quarantined. `exclusion` names
the first of these that fails.
"""

import json
from collections.abc import Set
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from stocks.fundamentals.formulas import ALL_COLUMNS, EXCHANGE, SCREENER, SOURCES, STATEMENTS, dated_fundamentals

MIN_TURNOVER_LAKH = 50.0
MIN_PRICE = 20.0
LARGE_CAPS, MID_CAPS = 100, 250
_FROM_BARS = ("current_price", "volume")
_FROM_INDICATORS = ("atr_14", "atr_percentage")
_FROM_HISTORY = ("historical_volatility_1y", "beta", "avg_volume_30d", "turnover_median_20")
_WHOLE = ("volume", "avg_volume_30d", "issue_size")
# What a screener or the exchange publishes as it is; everything else is computed from it.
_MEASURED = {
    SCREENER: {"roe", "debt_to_equity", "operating_margin"},
    EXCHANGE: {"issue_size"},
    STATEMENTS: set[str](),
}
METRIC_COLUMNS = (
    *("symbol", "date", "current_price", "market_cap", "volume", "avg_volume_30d"),
    *("pe_ratio", "pb_ratio", "roe", "eps", "beta", "debt_to_equity", "revenue_growth", "earnings_growth"),
    *("operating_margin", "net_margin", "profit_margin", "book_value", "peg_ratio", "roa"),
    *("current_ratio", "quick_ratio", "historical_volatility_1y", "atr_14", "market_cap_category", "provenance"),
    *("issue_size", "turnover_median_20", "atr_percentage", "tradable", "exclusion"),
)


def session_metrics(
    session: date,
    bars_today: pd.DataFrame,
    indicators_today: pd.DataFrame,
    volatility_metrics: pd.DataFrame,
    statements: pd.DataFrame,
    snapshots: pd.DataFrame,
    facts: pd.DataFrame,
    events: pd.DataFrame,
    *,
    kinds: pd.Series,
    quarantined: Set[str] = frozenset(),
    simulated: bool = False,
    provenance: bool = True,
) -> pd.DataFrame:
    """Assemble one row of `stock_metrics` for each symbol that traded on a session.

    Parameters
    ----------
    bars_today, indicators_today
        Bar frame and indicator frame of the session.
    volatility_metrics
        symbol and any of historical_volatility_1y (percent), beta, avg_volume_30d (shares), turnover_median_20 (₹
        lakh), computed from bars up to the session; absent columns become NULL.
    statements, snapshots, facts
        As `statements_frame`, `snapshots_frame` and `facts_frame` return them as of the session.
    events
        Event frame known by the session, one event a symbol and ex-date.
    kinds
        share, fund or unknown, indexed by symbol.
    simulated
        Whether the market is simulated: provenance then names the simulator, and says simulated instead of measured.
    provenance
        Whether to say where each figure comes from; it takes longer than the figures, and is None without.

    Returns
    -------
    DataFrame
        ``METRIC_COLUMNS``, one row a symbol of `bars_today`, sorted by symbol; `provenance` as JSON text.

    Notes
    -----
    Point in time: nothing later than the session, see `dated_fundamentals`.
    """
    bars = bars_today.sort_values("symbol", kind="stable", ignore_index=True)
    keys = bars[["symbol", "date", "close"]]
    ratios = dated_fundamentals(statements, snapshots, facts, keys, events, columns=ALL_COLUMNS, provenance=provenance)
    frame = bars[["symbol", "date", "series", "volume"]].assign(current_price=bars["close"])
    frame = frame.merge(indicators_today[["symbol", *_FROM_INDICATORS]], on="symbol", how="left")
    frame = frame.merge(volatility_metrics.reindex(columns=["symbol", *_FROM_HISTORY]), on="symbol", how="left")
    frame[list(ALL_COLUMNS)] = ratios[list(ALL_COLUMNS)]
    kind = frame["symbol"].map(kinds).fillna("unknown")
    frame["market_cap_category"] = market_cap_category(frame["market_cap"].where(kind == "share"))
    frame["exclusion"] = _exclusion(frame, kind, quarantined)
    frame["tradable"] = frame["exclusion"].isna()
    frame["provenance"] = _provenance(frame, ratios, session, simulated) if provenance else None
    for column in _WHOLE:
        frame[column] = frame[column].astype("Float64").round().astype("Int64")
    return frame[list(METRIC_COLUMNS)]


def market_cap_category(market_cap: pd.Series) -> pd.Series:
    """Class of each share by the rank of its market cap: 1-100 large, 101-250 mid, the rest small, None without one."""
    rank = market_cap.rank(ascending=False, method="first")
    names = np.select([rank <= LARGE_CAPS, rank <= MID_CAPS, rank.notna()], ["large", "mid", "small"], default="")
    return pd.Series([str(name) or None for name in names], index=market_cap.index, dtype=object)


def _exclusion(frame: pd.DataFrame, kind: pd.Series, quarantined: Set[str]) -> pd.Series:
    """Why a symbol is not tradable: the first reason that holds, None where none does."""
    turnover = frame["turnover_median_20"].astype(float)
    reasons: list[tuple[pd.Series, pd.Series | str]] = [
        (kind.ne("share"), "kind is " + kind),
        (frame["series"].ne("EQ"), "series " + frame["series"].astype(str)),
        (frame["symbol"].isin(quarantined), "quarantined by a finding"),
        (turnover.isna(), "turnover of 20 sessions not known"),
        (turnover.le(MIN_TURNOVER_LAKH), f"median turnover not above ₹{MIN_TURNOVER_LAKH:g} lakh"),
        (frame["current_price"].le(MIN_PRICE), f"price not above ₹{MIN_PRICE:g}"),
    ]
    exclusion = pd.Series(None, index=frame.index, dtype=object)
    for applies, reason in reversed(reasons):
        exclusion = exclusion.mask(applies, reason)
    return exclusion


def _provenance(frame: pd.DataFrame, ratios: pd.DataFrame, session: date, simulated: bool) -> list[str]:
    """For each row, as JSON: column → source, date of the fact, and kind (measured, computed, simulated)."""
    today = session.isoformat()
    measured = "simulated" if simulated else "measured"
    bars, *sources = ["simulator"] * 4 if simulated else ["bars", *SOURCES[1:]]
    rows: list[dict[str, dict[str, str]]] = [{} for _ in range(len(frame))]
    hows = dict.fromkeys(_FROM_BARS, measured) | dict.fromkeys((*_FROM_INDICATORS, *_FROM_HISTORY), "computed")
    for column, how in hows.items():
        for row in np.flatnonzero(frame[column].notna()):
            rows[row][column] = {"source": bars, "as_of": today, "how": how}
    printed = _printed_price_earnings(ratios, session)
    for column in ALL_COLUMNS:
        numbers = ratios[f"{column}_source"].to_numpy()
        days = ratios[f"{column}_as_of"].to_numpy().astype("datetime64[D]").astype(str)
        for row in np.flatnonzero(ratios[column].notna()):
            number = int(numbers[row])
            as_published = column in _MEASURED[number] or (column == "pe_ratio" and printed[row])
            how = measured if as_published else "computed"
            rows[row][column] = {"source": sources[number - 1], "as_of": days[row], "how": how}
    for row in np.flatnonzero(frame["market_cap_category"].notna()):
        rows[row]["market_cap_category"] = rows[row]["market_cap"] | {"how": "computed"}
    return [json.dumps(row, sort_keys=True) for row in rows]


def _printed_price_earnings(ratios: pd.DataFrame, session: date) -> npt.NDArray[np.bool_]:
    """Whether each P/E is the exchange's own figure: on its own day, or carried where no earnings are known."""
    own_day = ratios["pe_ratio_as_of"].eq(pd.Timestamp(session)) | ratios["eps"].isna()
    printed: npt.NDArray[np.bool_] = (ratios["pe_ratio_source"].eq(EXCHANGE) & own_day).to_numpy(dtype=bool)
    return printed
