"""Features of a share beside its sector and industry.

Four of a group's move, at several horizons: what the share did less its peers (it reverses within days and persists
over months: Da, Liu and Schaumburg 2014), what the peers did less the market (groups drift on for months: Moskowitz
and Grinblatt 1999), what the group's much traded shares did less the share (they lead the others: Hou 2007), and how
much more restless the share is than its business. Industries are narrow and often small, so that they get fewer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ml.features.feature import DAILY, LOG_RETURN, NO_START, RETURN, UNKNOWN_BEFORE, Feature, fewer
from ml.features.groups import Grouping, market_mean
from ml.features.panel import Matrix
from ml.features.signals import Signals


def _of_traded(s: Signals, values: Matrix) -> Matrix:
    return np.where(np.isfinite(s.close), values, np.nan)


Members = Callable[[Signals], Grouping]


def _own_less_group(members: Members, horizon: int) -> Callable[[Signals], Matrix]:
    """What a share did that its peers did not: that part tends to reverse soon and to persist over months."""
    return lambda s: s.move(horizon) - members(s).means(s.move(horizon))


def _group_less_market(members: Members, horizon: int) -> Callable[[Signals], Matrix]:
    """What all peers did together: groups drift on for months."""

    def compute(s: Signals) -> Matrix:
        move = s.move(horizon)
        return _of_traded(s, members(s).means(move) - market_mean(move))

    return compute


def _leaders_less_own(members: Members, horizon: int) -> Callable[[Signals], Matrix]:
    """What the group's much traded shares did already, and this one not yet."""
    return lambda s: members(s).means(s.move(horizon), s.usual_turnover) - s.move(horizon)


def _volatility_less_group(members: Members) -> Callable[[Signals], Matrix]:
    """How much more restless a share is than its business explains."""

    def compute(s: Signals) -> Matrix:
        own = _of_traded(s, s.excess_volatility)
        return own - members(s).means(own)

    return compute


def _sector(s: Signals) -> Grouping:
    return s.sector


def _industry(s: Signals) -> Grouping:
    return s.industry


def _at(horizon: int, compute: Callable[[Signals], Matrix], group: str) -> Feature:
    """A feature of moves over a horizon."""
    inputs, missing = (RETURN, UNKNOWN_BEFORE) if horizon == 1 else (("close",), NO_START)
    return Feature(compute, group, (*inputs, group), horizon, LOG_RETURN, missing)


def _leading(horizon: int) -> Feature:
    own = _at(horizon, _leaders_less_own(_sector, horizon), "sector")
    # The weights are means of 20 sessions.
    return replace(own, inputs=(*own.inputs, "turnover_lakh"), window_sessions=max(horizon, 19))


PEERS: Mapping[str, Feature] = {
    **{f"sector_relative_{h}": _at(h, _own_less_group(_sector, h), "sector") for h in (1, 5, 20, 60, 120)},
    **{f"sector_excess_{h}": _at(h, _group_less_market(_sector, h), "sector") for h in (5, 20, 60, 120)},
    **{f"sector_lead_{h}": _leading(h) for h in (1, 5)},
    "sector_volatility": Feature(
        _volatility_less_group(_sector), "sector", (*RETURN, "sector"), 60, DAILY, fewer(30, 60)
    ),
    **{f"industry_relative_{h}": _at(h, _own_less_group(_industry, h), "industry") for h in (1, 5, 20, 60, 120)},
    **{f"industry_excess_{h}": _at(h, _group_less_market(_industry, h), "industry") for h in (5, 20, 120)},
}
