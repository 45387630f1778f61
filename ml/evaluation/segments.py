"""The figures of a report by year and half-year, by how much a share is traded, and by sector; pure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.figures import LIQUID_KEEP_RANK, Days, daily_money, rank_correlations, yearly_pct
from ml.evaluation.statistics import block_bootstrap, newey_west
from ml.evaluation.tranches import HIGHEST_RETURN, Rule
from ml.learning.samples import day_percentiles

TERCILES = ("least traded", "middle", "most traded")
# Fewer shares of a sector on a day have no order to speak of.
FEWEST_SHARES = 10
UNKNOWN_SECTOR = "unknown"


def segments(past: pd.DataFrame, rule: Rule, days: Days, sessions: pd.DatetimeIndex) -> dict[str, Any]:
    """The figures of parts of the market.

    Returns
    -------
    dict
        year, half_year, liquidity (terciles of the day's median turnover), above_10_crore, sector: name → figures.
        A part's figures are rank_ic (of the rank head, Newey-West) and net_excess_pct (percent a year, 90 % interval).
        The portfolios of a period are those of the whole span; those of a tercile are chosen among its shares, kept
        until rank 100, and measured against its mean share. Of a sector: rank_ic within it, places (share of the
        first fifty) and gross_excess_pct (of these, over all shares, before costs).

    Notes
    -----
    A share's sector is the one that the lists of today give, for every session.
    """
    return {
        **periods(days, sessions),
        "liquidity": _liquidity(past, rule),
        "above_10_crore": _traded(days.liquid_ranks, days.liquid),
        "sector": _sectors(past, rule),
    }


def periods(days: Days, sessions: pd.DatetimeIndex) -> dict[str, dict[str, Any]]:
    """The figures of each year and half-year."""
    positions = days.ranks.index.union(days.money.index)
    dates = sessions[positions.to_numpy(dtype=np.int64)]
    names = {
        "year": pd.Series(dates.year.astype(str), index=positions),
        "half_year": pd.Series([f"{day.year}-{'I' if day.month <= 6 else 'II'}" for day in dates], index=positions),
    }
    return {
        kind: {str(name): _period(days, of.index[of == name]) for name in of.unique()} for kind, of in names.items()
    }


def _period(days: Days, inside: pd.Index) -> dict[str, Any]:
    ranks = days.ranks.loc[days.ranks.index.isin(inside), "rank_ic"]
    money = days.money.loc[days.money.index.isin(inside), "net_excess"]
    return {"rank_ic": newey_west(ranks.to_numpy(dtype=np.float64)).as_json(), "net_excess_pct": yearly_pct(money)}


def _traded(ranks: pd.Series, money: pd.DataFrame) -> dict[str, Any]:
    rank_ic = newey_west(ranks.to_numpy(dtype=np.float64))
    return {"rank_ic": rank_ic.as_json(), "net_excess_pct": yearly_pct(money["net_excess"])}


def _liquidity(past: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    turnover = past["median_turnover_lakh"].to_numpy(dtype=np.float64)
    share = day_percentiles(past["position"].to_numpy(dtype=np.int64), turnover) * len(TERCILES)
    shorter = replace(rule, keep_rank=LIQUID_KEEP_RANK)
    parts = {name: past[(share > number) & (share <= number + 1)] for number, name in enumerate(TERCILES)}
    return {
        name: _traded(rank_correlations(part, "rank_score"), daily_money(part, shorter)) for name, part in parts.items()
    }


def _sectors(past: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    known = past[past["forward_return"].notna() & past["score"].notna()]
    position = known["position"]
    limited = known["forward_return"].astype(np.float64).clip(upper=HIGHEST_RETURN)
    first = known["score"].groupby(position).rank(ascending=False, method="first") <= rule.places
    rows = pd.DataFrame(
        {
            "position": position,
            "sector": known["sector"].astype(object).fillna(UNKNOWN_SECTOR),
            "excess": limited - limited.groupby(position).transform("mean"),
            "score": known["rank_score"],
            "outcome": known["forward_return"],
        }
    )
    return {str(name): _sector(part, first.loc[part.index], rule) for name, part in rows.groupby("sector")}


def _sector(part: pd.DataFrame, first: "pd.Series[bool]", rule: Rule) -> dict[str, Any]:
    shares = part.groupby("position")["excess"].transform("size")
    ranks = rank_correlations(part[shares >= FEWEST_SHARES], "score", "outcome").to_numpy(dtype=np.float64)
    gross = part[first].groupby("position")["excess"].mean()
    places = first.groupby(part["position"]).sum() / rule.places
    return {
        "rank_ic": newey_west(ranks).as_json(),
        "places": block_bootstrap(places.to_numpy(dtype=np.float64)).as_json(),
        "gross_excess_pct": yearly_pct(gross),
    }
