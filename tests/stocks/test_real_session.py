"""The real sample: the latest session's metrics, the panel behind them, and five distinct lists."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market_data.prices import volatility
from market_data.prices.adjustments import adjusted, effective_events
from market_data.prices.indicators import indicators_on
from stocks.fundamentals.files import read_snapshots, read_statements
from stocks.fundamentals.formulas import PANEL_COLUMNS, dated_fundamentals
from stocks.fundamentals.metrics import session_metrics
from stocks.picks.screening import MAX_PICKS, STRATEGIES, load_filters, ranked
from tests.market_data import real_market
from tests.stocks.dated_frames import facts

pytestmark = pytest.mark.real
SESSION = real_market.LAST_SESSION


@pytest.fixture(scope="module")
def sources():
    folder = Path(real_market._folder()).parent / "fundamentals"
    changes = real_market.all_renames().sort_values("date")
    newest: dict[str, str] = {}
    for old, new in zip(changes["from_symbol"], changes["to_symbol"], strict=True):
        newest = {origin: new if symbol == old else symbol for origin, symbol in newest.items()} | {old: new}
    statements, snapshots = read_statements(folder).rows, read_snapshots(folder).rows
    for frame in (statements, snapshots):
        frame["symbol"] = frame["symbol"].map(newest).fillna(frame["symbol"])
    return statements.drop_duplicates(["symbol", "period_end", "kind"]), snapshots.drop_duplicates(
        ["symbol", "snapshot"]
    )


@pytest.fixture(scope="module")
def metrics(sources):
    bars = real_market.bars()
    recent = bars.loc[bars["date"] > SESSION - pd.Timedelta(days=400)]
    events = real_market.events()
    frame = adjusted(recent, events, SESSION)
    history = volatility.metrics(frame, SESSION).reset_index(names="symbol")
    last = recent.loc[recent["date"] > SESSION - pd.Timedelta(days=30)].groupby("symbol")["turnover_lakh"]
    history["turnover_median_20"] = history["symbol"].map(last.median())
    shares = pd.Series("share", index=sources[1]["symbol"].unique())
    today, known = real_market.session_bars(SESSION), effective_events(events, SESSION)
    signs = indicators_on(frame, SESSION)
    statements, snapshots = sources
    rows = session_metrics(SESSION.date(), today, signs, history, statements, snapshots, facts(), known, kinds=shares)
    return rows.merge(signs.drop(columns=["date", "atr_14", "atr_percentage"]), on="symbol", how="left")


def test_coverage_of_the_tradable_shares(metrics):
    tradable = metrics.loc[metrics["tradable"]]
    assert 1_300 < len(tradable) < 1_700
    known = tradable.notna().mean()
    assert known["market_cap"] > 0.98
    assert known["eps"] > 0.9
    assert known[["pe_ratio", "roe", "debt_to_equity", "revenue_growth", "operating_margin"]].min() > 0.75
    # The statements end with March 2025: too old for any ratio of theirs a year later.
    assert known[["pb_ratio", "book_value", "roa", "current_ratio", "quick_ratio", "net_margin"]].max() == 0
    assert metrics["market_cap_category"].value_counts()[["large", "mid"]].tolist() == [100, 150]


def test_one_session_equals_the_panel_of_all_sessions(sources):
    statements, snapshots = sources
    bars = real_market.bars()[["symbol", "date", "close"]]
    events = effective_events(real_market.events(), SESSION)
    panel = dated_fundamentals(statements, snapshots, facts(), bars, events)
    for day in ("2024-07-10", "2025-07-18", "2026-04-30"):
        rows = bars["date"] == pd.Timestamp(day)
        alone = dated_fundamentals(statements, snapshots, facts(), bars.loc[rows], events)
        pd.testing.assert_frame_equal(alone, panel.loc[rows], check_exact=True)
    before = panel.loc[panel["date"] < pd.Timestamp("2026-02-13")]
    assert before[["pe_ratio", "market_cap", "eps", "pb_ratio", "debt_to_equity"]].isna().all().all()
    assert before.loc[before["date"] == pd.Timestamp("2024-07-10"), ["roe", "net_margin"]].notna().mean().min() > 0.5
    assert list(panel.columns) == ["symbol", "date", *PANEL_COLUMNS]


@pytest.mark.parametrize("likes", ["low volatility", "momentum", "nothing"])
def test_no_two_lists_share_three_fifths_of_their_picks(metrics, likes):
    frame = metrics.loc[metrics["tradable"]].reset_index(drop=True)
    calm = (-frame["historical_volatility_1y"]).rank(pct=True).fillna(0.5)
    draw = np.random.default_rng(1)
    prediction = {
        "low volatility": calm,
        "momentum": (frame["current_price"] / frame["sma_200"]).rank(pct=True).fillna(0.5),
        "nothing": pd.Series(draw.uniform(size=len(frame))),
    }[likes]
    frame["ml_prediction_score"] = prediction.rank(pct=True)
    frame["ml_confidence"] = draw.uniform(0.4, 0.9, len(frame))
    frame["predicted_return"] = 2 * frame["ml_prediction_score"] - 0.5
    frame["predicted_drawdown"] = 10 - 6 * calm
    frame["round_trip_cost_pct"] = 0.45
    frame["ml_risk_score"] = (frame["predicted_drawdown"] / 15).clip(0, 1)
    filters = load_filters(Path(__file__).parents[2] / "config" / "stock_filters.yaml", {})
    lists = {name: ranked(frame, name, filters).picks for name in STRATEGIES}
    for picks in lists.values():
        assert 20 <= len(picks) <= MAX_PICKS
    for first, second in combinations(lists.values(), 2):
        shared = set(first["symbol"]) & set(second["symbol"])
        assert len(shared) < 0.6 * min(len(first), len(second))
