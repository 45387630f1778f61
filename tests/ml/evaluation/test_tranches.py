import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation.tranches import Rule, tranche_returns


def no_impact(turnover):
    return np.zeros_like(turnover)


def day(position, scores, outcomes, turnover=2000.0):
    symbols = sorted(scores)
    return pd.DataFrame(
        {
            "position": position,
            "symbol": symbols,
            "score": [scores[name] for name in symbols],
            "outcome": [outcomes[name] for name in symbols],
            "median_turnover_lakh": turnover,
        }
    )


def test_the_first_session_buys_every_place():
    frame = day(20, {"A": 3, "B": 2, "C": 1}, {"A": 0.10, "B": 0.04, "C": -0.02})
    row = tranche_returns(frame, Rule(0.002, no_impact, places=2, keep_rank=2)).loc[20]
    assert row["gross"] == pytest.approx(0.07)
    assert row["universe"] == pytest.approx(0.04)
    assert row["cost"] == pytest.approx(0.001)  # bought, not sold yet
    assert row["bought"] == 1
    assert row["net_excess"] == pytest.approx(0.07 - 0.001 - 0.04)


def test_a_share_stays_down_to_the_keep_rank_and_only_what_is_traded_costs():
    first = day(20, {"A": 4, "B": 3, "C": 2, "D": 1}, dict.fromkeys("ABCD", 0.0))
    later = day(30, {"A": 2, "B": 1, "C": 4, "D": 3}, {"A": 0.01, "B": 0.02, "C": 0.03, "D": 0.04})
    rows = tranche_returns(pd.concat([first, later]), Rule(0.002, no_impact, places=2, keep_rank=3))
    # A is third: kept. B is fourth: sold. C takes its place.
    assert rows.loc[30, "gross"] == pytest.approx((0.01 + 0.03) / 2)
    assert rows.loc[30, "bought"] == 0.5
    assert rows.loc[30, "cost"] == pytest.approx(2 * 0.001 / 2)


def test_tranches_do_not_share_what_they_hold():
    frames = [day(position, {"A": 2, "B": 1}, {"A": 0.0, "B": 0.0}) for position in range(20, 31)]
    rows = tranche_returns(pd.concat(frames), Rule(0.002, no_impact, places=1, keep_rank=2))
    assert rows["bought"].tolist() == [1] * 10 + [0]


def test_impact_depends_on_the_share_and_high_returns_are_limited():
    def dear(turnover):
        return np.where(turnover > 1000, 0.001, 0.002)

    frame = day(20, {"A": 2, "B": 1}, {"A": 3.0, "B": 0.0})
    frame.loc[frame["symbol"] == "A", "median_turnover_lakh"] = 100.0
    row = tranche_returns(frame, Rule(0.0, dear, places=1, keep_rank=1)).loc[20]
    assert row["gross"] == 0.5
    assert row["cost"] == pytest.approx(0.002)


def test_a_share_without_an_outcome_or_a_score_is_not_held():
    frame = day(20, {"A": 9, "B": np.nan, "C": 1}, {"A": np.nan, "B": 0.5, "C": 0.01})
    assert tranche_returns(frame, Rule(0.0, no_impact, places=2, keep_rank=2)).loc[20, "gross"] == 0.01


@given(st.integers(0, 100))
def test_holding_the_whole_universe_earns_nothing_over_it_but_costs(seed):
    random = np.random.default_rng(seed)
    names = [f"S{number}" for number in range(12)]
    frames = [
        day(
            position,
            dict(zip(names, random.normal(size=12), strict=True)),
            dict.fromkeys(names, float(random.normal(scale=0.05))),
        )
        for position in range(20, 60)
    ]
    rows = tranche_returns(pd.concat(frames), Rule(0.002, no_impact, places=12, keep_rank=12))
    assert rows["net_excess"].to_numpy() == pytest.approx(-rows["cost"].to_numpy())
    assert (rows.loc[30:, "cost"] == 0).all()
