"""How good walk-forward predictions were: order of the market, and money at the head of the list after costs; pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ml.costs import LIQUID_TURNOVER_LAKH, impact_pct, plain_charges_pct
from ml.evaluation.statistics import block_bootstrap, daily_figures, newey_west
from ml.evaluation.tranches import PERIODS_A_YEAR, Rule, tranche_returns

LIQUID_KEEP_RANK = 100


def cost_rule(session: pd.Timestamp) -> Rule:
    """The default rule: 50 places kept until rank 150, taxes and fees at a session's rates, and each share's impact."""
    return Rule(plain_charges_pct(session.date()) / 100, lambda turnover: impact_pct(turnover) / 100)


def daily_ranks(past: pd.DataFrame) -> pd.DataFrame:
    """``statistics.daily_figures`` of the rank head and of the risk model, by position.

    ``past`` is ``training.Night.past``.
    """
    frame = past[["position", "forward_return", "drawdown"]]
    return daily_figures(frame.assign(score=past["rank_score"], predicted_drawdown=past["risk_raw"]))


def daily_money(past: pd.DataFrame, rule: Rule, *, liquid: bool = False) -> pd.DataFrame:
    """``tranche_returns`` of the return head; ``liquid``: among shares of more than ₹10 crore of median turnover."""
    frame = past[["position", "symbol", "score", "median_turnover_lakh"]].assign(outcome=past["forward_return"])
    if liquid:
        frame = frame.loc[frame["median_turnover_lakh"] > LIQUID_TURNOVER_LAKH]
        rule = replace(rule, keep_rank=LIQUID_KEEP_RANK)
    return tranche_returns(frame, rule)


def summary(past: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    """Figures of some sessions' predictions, plain JSON.

    Returns
    -------
    dict
        rank_ic, risk_rank_ic, decile_spread (not tradable: its short leg), hit_rate: means with Newey-West intervals;
        net_excess_pct, liquid_net_excess_pct, gross_excess_pct: percent a year over the equal-weight universe, with
        90 % block-bootstrap intervals; bought: mean share of the places bought at a re-forming; deepest_fall_pct: of
        the cumulative net excess.
    """
    ranks, money, liquid = daily_ranks(past), daily_money(past, rule), daily_money(past, rule, liquid=True)
    names = ("rank_ic", "risk_rank_ic", "decile_spread", "hit_rate")
    return {
        **{name: newey_west(ranks[name].to_numpy(dtype=np.float64)).as_json() for name in names},
        "rank_ic_90": block_bootstrap(ranks["rank_ic"].to_numpy(dtype=np.float64)).as_json(),
        "net_excess_pct": yearly_pct(money["net_excess"]),
        "liquid_net_excess_pct": yearly_pct(liquid["net_excess"]),
        "gross_excess_pct": yearly_pct(money["gross"] - money["universe"]),
        "bought": float(money["bought"].mean()) if len(money) else None,
        "deepest_fall_pct": deepest_fall_pct(money["net_excess"]),
    }


def yearly_pct(ten_sessions: pd.Series) -> dict[str, Any]:
    """Mean of a daily series of ten-session returns in percent a year, with its 90 % interval."""
    return block_bootstrap(ten_sessions.to_numpy(dtype=np.float64) * PERIODS_A_YEAR * 100).as_json()


def deepest_fall_pct(ten_sessions: pd.Series) -> float | None:
    """Deepest fall of the sum of ten tranches' returns below its highest point, in percent of what is invested."""
    if not len(ten_sessions):
        return None
    # Each day's tranche is a tenth of the money.
    path = np.concatenate([[0.0], np.cumsum(ten_sessions.to_numpy(dtype=np.float64) / 10)])
    return float((path - np.maximum.accumulate(path)).min() * 100)


def by_period(past: pd.DataFrame, rule: Rule, periods: "pd.Series[Any]") -> dict[str, dict[str, float | None]]:
    """Mean rank correlation and net excess (percent a year) of the sessions of each period.

    ``periods`` maps positions to names, as half-years; the portfolios are those of the whole span.
    """
    ranks, money = daily_ranks(past)["rank_ic"], daily_money(past, rule)["net_excess"]
    rows: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys(periods):
        inside = periods.index[periods == name]
        figures: Mapping[str, pd.Series] = {
            "rank_ic": ranks.loc[ranks.index.isin(inside)],
            "net_excess_pct": money.loc[money.index.isin(inside)] * PERIODS_A_YEAR * 100,
        }
        rows[str(name)] = {key: float(values.mean()) if len(values) else None for key, values in figures.items()}
    return rows
