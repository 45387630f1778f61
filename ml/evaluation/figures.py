"""How good walk-forward predictions were: order of the market, and money at the head of the list after costs; pure.

Every figure is a mean over days with its interval: rank correlations and shares by Newey-West (95 %), money and ratios
by a block bootstrap (90 %). ``past`` is ``training.Night.past`` throughout: one row a prediction with its outcomes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.costs import LIQUID_TURNOVER_LAKH, impact_pct, plain_charges_pct
from ml.evaluation.statistics import (
    block_bootstrap,
    daily_figures,
    daily_rank_correlation,
    newey_west,
    ratio_of_mean,
)
from ml.evaluation.tranches import PERIODS_A_YEAR, Rule, tranche_returns
from ml.learning.labels import HOLDING_SESSIONS

LIQUID_KEEP_RANK = 100
# Of any length of list: it keeps a share until the rank of three times its places.
KEPT_TIMES = 3
HEADS: Mapping[str, str] = {"return": "score", "rank": "rank_score"}
LENGTHS = (10, 20, 50)
# Largest share of a day's turnover that an order may be without moving the price further than the impact assumed.
CAPACITY_SHARE = 0.01
_LAKH = 100_000


def cost_rule(session: pd.Timestamp) -> Rule:
    """The default rule: 50 places kept until rank 150, taxes and fees at a session's rates, and each share's impact."""
    return Rule(plain_charges_pct(session.date()) / 100, lambda turnover: impact_pct(turnover) / 100)


@dataclass(frozen=True)
class Days:
    """Daily series of some predictions, by position: what the sections of a report take their means of.

    ``ranks`` are ``statistics.daily_figures`` of the rank head and of the risk model, ``liquid_ranks`` the daily rank
    correlation of the rank head among shares of more than ₹10 crore; ``money`` and ``liquid`` the ``tranche_returns``
    of the return head, among all shares and among those.
    """

    ranks: pd.DataFrame
    liquid_ranks: pd.Series
    money: pd.DataFrame
    liquid: pd.DataFrame

    @classmethod
    def of(cls, past: pd.DataFrame, rule: Rule) -> "Days":
        ranks = rank_correlations(liquid_shares(past), "rank_score")
        return cls(daily_ranks(past), ranks, daily_money(past, rule), daily_money(past, rule, liquid=True))


def liquid_shares(past: pd.DataFrame) -> pd.DataFrame:
    """Rows of more than ₹10 crore of median turnover."""
    return past[past["median_turnover_lakh"] > LIQUID_TURNOVER_LAKH]


def daily_ranks(past: pd.DataFrame) -> pd.DataFrame:
    """``statistics.daily_figures`` of the rank head and of the risk model, by position."""
    frame = past[["position", "forward_return", "drawdown"]]
    return daily_figures(frame.assign(score=past["rank_score"], predicted_drawdown=past["risk_raw"]))


def daily_money(
    past: pd.DataFrame, rule: Rule, *, liquid: bool = False, outcome: str = "forward_return"
) -> pd.DataFrame:
    """``tranche_returns`` of the return head; ``liquid``: among shares of more than ₹10 crore of median turnover."""
    frame = past[["position", "symbol", "score", "median_turnover_lakh"]].assign(outcome=past[outcome])
    if liquid:
        frame = liquid_shares(frame)
        rule = replace(rule, keep_rank=LIQUID_KEEP_RANK)
    return tranche_returns(frame, rule)


def summary(past: pd.DataFrame, rule: Rule, days: Days | None = None) -> dict[str, Any]:
    """The figures that are shown first, plain JSON.

    Returns
    -------
    dict
        rank_ic, risk_rank_ic, decile_spread (not tradable: its short leg), hit_rate: means with Newey-West intervals;
        net_excess_pct, liquid_net_excess_pct, gross_excess_pct: percent a year over the equal-weight universe, with
        90 % block-bootstrap intervals; bought: mean share of the places bought at a re-forming; deepest_fall_pct: of
        the cumulative net excess.
    """
    days = days or Days.of(past, rule)
    names = ("rank_ic", "risk_rank_ic", "decile_spread", "hit_rate")
    money = days.money
    return {
        **{name: newey_west(days.ranks[name].to_numpy(dtype=np.float64)).as_json() for name in names},
        "rank_ic_90": block_bootstrap(days.ranks["rank_ic"].to_numpy(dtype=np.float64)).as_json(),
        "net_excess_pct": yearly_pct(money["net_excess"]),
        "liquid_net_excess_pct": yearly_pct(days.liquid["net_excess"]),
        "gross_excess_pct": yearly_pct(money["gross"] - money["universe"]),
        "bought": float(money["bought"].mean()) if len(money) else None,
        "deepest_fall_pct": deepest_fall_pct(money["net_excess"]),
    }


def heads(past: pd.DataFrame, days: Days) -> dict[str, dict[str, Any]]:
    """Order of the market by each head.

    Returns
    -------
    dict
        "return" and "rank" → rank_ic (Newey-West) and rank_ic_90 (blocks), ratio (mean over standard deviation of the
        daily rank correlation), hit_rate (share of the first tenth that beats the day's median), decile_spread (not
        tradable: its short leg), liquid_rank_ic (among shares of more than ₹10 crore).
    """
    return {name: _head(past, column, days.ranks if name == "rank" else None) for name, column in HEADS.items()}


def _head(past: pd.DataFrame, column: str, daily: pd.DataFrame | None) -> dict[str, Any]:
    if daily is None:
        frame = past[["position", "forward_return", "drawdown"]]
        daily = daily_figures(frame.assign(score=past[column], predicted_drawdown=np.nan))
    liquid = rank_correlations(liquid_shares(past), column)
    values = daily["rank_ic"].to_numpy(dtype=np.float64)
    return {
        "rank_ic": newey_west(values).as_json(),
        "rank_ic_90": block_bootstrap(values).as_json(),
        "ratio": ratio_of_mean(values).as_json(),
        "hit_rate": newey_west(daily["hit_rate"].to_numpy(dtype=np.float64)).as_json(),
        "decile_spread": newey_west(daily["decile_spread"].to_numpy(dtype=np.float64)).as_json(),
        "liquid_rank_ic": newey_west(liquid.to_numpy(dtype=np.float64)).as_json(),
    }


def rank_correlations(past: pd.DataFrame, score: str, outcome: str = "forward_return") -> pd.Series:
    """Daily rank correlation of two columns, by position."""
    position = past["position"].to_numpy(dtype=np.int64)
    return daily_rank_correlation(position, *(past[name].to_numpy(dtype=np.float64) for name in (score, outcome)))


def lengths(past: pd.DataFrame, rule: Rule, days: Days) -> dict[str, dict[str, Any]]:
    """Money of the first 10, 20 and 50 places, each kept until the rank of three times as many; ``list_money``."""
    rows = {}
    for places in LENGTHS:
        shorter = replace(rule, places=places, keep_rank=KEPT_TIMES * places)
        money = days.money if shorter == rule else daily_money(past, shorter)
        rows[str(places)] = list_money(money, shorter)
    return rows


def list_money(money: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    """What a list earned, from its ``tranche_returns``.

    Returns
    -------
    dict
        kept_until (rank); gross_excess_pct, cost_pct and net_excess_pct, percent a year over the equal-weight universe
        with 90 % intervals; bought: share of the places bought at a re-forming; deepest_fall_pct: of the cumulative net
        excess, percent of what is invested; capacity: as ``capacity``.
    """
    return {
        "places": rule.places,
        "kept_until": rule.keep_rank,
        "gross_excess_pct": yearly_pct(money["gross"] - money["universe"]),
        "cost_pct": yearly_pct(money["cost"]),
        "net_excess_pct": yearly_pct(money["net_excess"]),
        "bought": block_bootstrap(money["bought"].to_numpy(dtype=np.float64)).as_json(),
        "deepest_fall_pct": deepest_fall_pct(money["net_excess"]),
        "capacity": capacity(money, rule),
    }


def capacity(money: pd.DataFrame, rule: Rule) -> dict[str, float | None]:
    """How many rupees the list can hold while an order is at most 1 % of a share's median daily turnover.

    Ten tranches of ``rule.places`` equal places: 10 × places × 1 % × median turnover, the median over the sessions.
    ``every_order``: of the least traded share held, so that every order keeps the limit; ``half_of_orders``: of the
    median share held.
    """
    orders = HOLDING_SESSIONS * rule.places * CAPACITY_SHARE * _LAKH
    names = {"every_order": "least_turnover_lakh", "half_of_orders": "median_turnover_lakh"}
    return {key: float(money[name].median() * orders) if len(money) else None for key, name in names.items()}


def yearly_pct(ten_sessions: pd.Series) -> dict[str, Any]:
    """Mean of a daily series of ten-session returns in percent a year, with its 90 % interval."""
    return block_bootstrap(ten_sessions.to_numpy(dtype=np.float64) * PERIODS_A_YEAR * 100).as_json()


def cumulative_pct(ten_sessions: pd.Series) -> npt.NDArray[np.float64]:
    """Sum of ten tranches' returns up to each day, in percent of what is invested."""
    # Each day's tranche is a tenth of the money.
    total: npt.NDArray[np.float64] = np.cumsum(ten_sessions.to_numpy(dtype=np.float64) / 10) * 100
    return total


def curve(ten_sessions: pd.Series, sessions: pd.DatetimeIndex) -> dict[str, list[Any]]:
    """The cumulative net excess: dates (ISO) and net_excess_pct of each day, from a daily series by position."""
    dates = sessions[ten_sessions.index.to_numpy(dtype=np.int64)]
    return {"dates": [day.date().isoformat() for day in dates], "net_excess_pct": cumulative_pct(ten_sessions).tolist()}


def deepest_fall_pct(ten_sessions: pd.Series) -> float | None:
    """Deepest fall of the sum of ten tranches' returns below its highest point, in percent of what is invested."""
    if not len(ten_sessions):
        return None
    path = np.concatenate([[0.0], cumulative_pct(ten_sessions)])
    return float((path - np.maximum.accumulate(path)).min())
