"""What a ranking would have earned after costs: ten overlapping portfolios, each re-formed every tenth session; pure.

On each session one of ten tranches is re-formed: it buys the best shares of that day's ranking and sells what has left
the keep band; what stays is neither bought nor sold. Its return is that of one trade (open of t+1 to open of t+11), so
a day's figure is that of ten sessions, and neighbouring days share nine of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning.labels import HOLDING_SESSIONS
from ml.learning.samples import day_slices

# A return of ten sessions beyond this says more about a single event than about the ranking.
HIGHEST_RETURN = 0.5
PERIODS_A_YEAR = 250 / HOLDING_SESSIONS

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """How many shares a tranche holds, the rank down to which it keeps them, and what trading costs.

    ``charges`` is of a round trip, ``impact`` of one side by median turnover in ₹ lakh; both plain.
    """

    charges: float
    impact: Callable[[Numbers], Numbers]
    places: int = 50
    keep_rank: int = 150


def tranche_returns(predictions: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return of each day's tranche, and what the equal-weight universe of that day returned.

    Parameters
    ----------
    predictions
        Sorted by position and symbol: position, symbol, score (NaN is not ranked), outcome (absolute return of the
        trade, plain; NaN where unknown: such a share is not held), median_turnover_lakh.

    Returns
    -------
    DataFrame
        By position: gross and universe (mean absolute returns, limited to ``HIGHEST_RETURN``), cost, bought (share of
        the places that were bought), net_excess (gross − cost − universe); all plain, of ten sessions;
        least_turnover_lakh and median_turnover_lakh of the shares held.
    """
    held: dict[int, frozenset[str]] = {}
    rows = {}
    position = predictions["position"].to_numpy(dtype=np.int64)
    symbols = predictions["symbol"].to_numpy(dtype=object)
    score, outcome, turnover = (
        predictions[name].to_numpy(dtype=np.float64) for name in ("score", "outcome", "median_turnover_lakh")
    )
    limited = np.minimum(outcome, HIGHEST_RETURN)
    sides = rule.charges / 2 + rule.impact(turnover)
    for day in day_slices(position):
        known = np.isfinite(limited[day])
        if not known.any():
            continue
        session = int(position[day.start])
        tranche = session % HOLDING_SESSIONS
        names = symbols[day]
        before = held.get(tranche, frozenset())
        chosen = _chosen(score[day], known, np.isin(names, list(before)), rule)
        if not chosen.any():
            continue
        after = frozenset(names[chosen])
        cost_of = dict(zip(names, sides[day], strict=True))
        dearest = float(np.nanmax(sides[day]))
        traded = [cost_of.get(name, dearest) for name in sorted(before ^ after)]
        gross, universe = float(limited[day][chosen].mean()), float(limited[day][known].mean())
        cost = sum(traded) / len(after)
        of_held = turnover[day][chosen]
        traded_lakh = float(np.min(of_held)), float(np.median(of_held))
        rows[session] = (gross, universe, cost, len(after - before) / len(after), gross - cost - universe, *traded_lakh)
        held[tranche] = after
    columns = ["gross", "universe", "cost", "bought", "net_excess", "least_turnover_lakh", "median_turnover_lakh"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("position")


def _chosen(
    score: Numbers, known: npt.NDArray[np.bool_], was_held: npt.NDArray[np.bool_], rule: Rule
) -> npt.NDArray[np.bool_]:
    """Which shares of a day a tranche holds: those kept, then the best others; equal scores in the order given."""
    ranked = known & np.isfinite(score)
    order = np.argsort(np.where(ranked, -score, np.inf), kind="stable")
    rank = np.empty(len(score), dtype=np.int64)
    rank[order] = np.arange(1, len(score) + 1)
    kept = ranked & was_held & (rank <= rule.keep_rank)
    others = [index for index in order if ranked[index] and not kept[index]]
    chosen = kept.copy()
    if kept.sum() > rule.places:
        chosen &= rank <= np.sort(rank[kept])[rule.places - 1]
    chosen[others[: max(rule.places - int(kept.sum()), 0)]] = True
    return chosen
