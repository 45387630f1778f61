"""The comparison of a challenger, by hand-computed answers on a market of two kinds of shares."""

import numpy as np
import pandas as pd
import pytest

from ml.champions import judgement
from ml.champions.judgement import comparison, comparison_window
from ml.evaluation.tranches import Rule

FREE = Rule(charges=0.0, impact=lambda turnover: np.zeros(len(turnover)), places=2, keep_rank=2)
SHARES = ("A", "B", "C", "D")
UP = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 0.0}
DOWN = {name: -value for name, value in UP.items()}


def market(sessions: int = 130, **scores: dict[str, float]) -> pd.DataFrame:
    """A and B earn 1 % in ten sessions, C and D nothing: 0.5 % above the mean share, or as much below."""
    days = pd.bdate_range("2025-01-01", periods=sessions)
    rows = pd.MultiIndex.from_product([range(sessions), SHARES], names=["position", "symbol"]).to_frame(index=False)
    rows["date"] = days[rows["position"]]
    rows["forward_return"] = rows["symbol"].map({"A": 0.01, "B": 0.01, "C": 0.0, "D": 0.0})
    rows["median_turnover_lakh"] = 5000.0
    for name, score in scores.items():
        rows[name] = rows["symbol"].map(score)
    return rows


def test_what_each_would_have_earned_and_the_paired_difference():
    """0.5 % in ten sessions, 25 times a year, is 12.5 % a year."""
    figures = comparison(market(challenger=UP, champion=DOWN, plain=UP), ["plain"], FREE)
    assert (figures["sessions"], figures["first"], figures["last"]) == (130, "2025-01-01", "2025-07-01")
    nets = {name: row["mean"] for name, row in figures["net_excess_pct"].items()}
    assert nets == {name: pytest.approx(value) for name, value in zip(nets, (12.5, -12.5, 12.5), strict=True)}
    assert list(nets) == ["challenger", "champion", "plain"]
    pair = figures["differences_pct"]["champion"]
    assert [pair[name] for name in ("mean", "low_90", "high_90")] == [pytest.approx(25.0)] * 3
    assert figures["differences_pct"]["plain"]["mean"] == 0.0
    assert judgement.better_rivals(figures) == []  # level is not worse


def test_costs_decide_between_rankings_that_earn_the_same():
    """The restless one sells and buys one of its two places at each re-forming: half of 0.4 % a round trip."""
    rule = Rule(charges=0.004, impact=lambda turnover: np.zeros(len(turnover)), places=2, keep_rank=2)
    frame = market(challenger=UP, champion=UP).assign(forward_return=0.01)
    turn = frame["position"] // 10 % 2
    frame["challenger"] = np.where((frame["symbol"] == "C") & (turn == 1), 3.0, frame["challenger"])
    figures = comparison(frame, [], rule)
    assert figures["differences_pct"]["champion"]["mean"] < -3
    assert judgement.better_rivals(figures) == ["champion"]


def test_a_baseline_that_could_rank_too_few_sessions_is_left_out():
    frame = market(challenger=UP, champion=UP, young=UP)
    frame.loc[frame["position"] < 11, "young"] = np.nan
    figures = comparison(frame, ["young"], FREE)
    assert figures["left_out"] == ["young"]
    assert "young" not in figures["net_excess_pct"]
    frame.loc[frame["position"] == 10, "young"] = 1.0
    assert comparison(frame, ["young"], FREE)["left_out"] == []


def test_the_window_is_of_the_latest_sessions_that_both_ranked_with_a_known_outcome():
    frame = market(300, challenger=UP, champion=UP)
    frame.loc[frame["position"] >= 289, "forward_return"] = np.nan
    frame.loc[frame["position"] == 200, "champion"] = np.nan
    positions = comparison_window(frame)["position"].unique()
    assert len(positions) == judgement.WINDOW_SESSIONS
    assert (positions[0], positions[-1]) == (38, 288)
    assert 200 not in positions


def sentences(champion: float, baseline: float, tried: int = 0) -> str:
    figures = {
        "sessions": 250,
        "first": "2025-04-01",
        "last": "2026-04-10",
        "left_out": ["high_52w"],
        "differences_pct": {
            "champion": {"mean": champion, "low_90": champion - 5, "high_90": champion + 5},
            "low_volatility": {"mean": baseline, "low_90": None, "high_90": None},
        },
    }
    return judgement.judgement_sentences(figures, "linear abc", "ensemble xyz", tried)


def test_the_sentences_name_who_stays_and_why():
    assert sentences(2.04, 3.5) == (
        "ensemble xyz replaces linear abc: it earned no less than any of its rivals. After costs, on 250 sessions from"
        " 2025-04-01 to 2026-04-10: +2.0 % a year [-3.0, +7.0] against linear abc, +3.5 % a year [–, –] against the"
        " baseline low volatility. Too few sessions for the baseline high 52w. No challenger was tried in the 250"
        " sessions before."
    )
    assert sentences(-1, 3, 1).startswith("linear abc stays: ensemble xyz earned less than linear abc. After costs")
    assert sentences(-1, 3, 1).endswith("1 challenger was tried in the 250 sessions before.")
    assert "earned less than the baseline low volatility." in sentences(1, -0.01, 3)
    assert "earned less than linear abc and the baseline low volatility." in sentences(-1, -1, 3)
    assert sentences(-1, -1, 3).endswith("3 challengers were tried in the 250 sessions before.")
