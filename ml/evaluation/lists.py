"""What each strategy's list would have earned, beside the list of the model alone; pure.

A list's places are those of the shares that passed its thresholds, ordered by its weights. It is held as the published
one is: the first fifty, a held share until its place falls below the keep band.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.figures import list_money
from ml.evaluation.statistics import block_bootstrap
from ml.evaluation.tranches import PERIODS_A_YEAR, Rule, tranche_returns

MODEL_LIST = "model"


def lists(past: pd.DataFrame, places: Mapping[str, pd.DataFrame], rule: Rule) -> dict[str, dict[str, Any]]:
    """The figures of each list over the sessions of ``past``.

    Parameters
    ----------
    places
        List → its places: date, symbol, place (1 is the best). A share without a place is not on it.

    Returns
    -------
    dict
        List → ``figures.list_money``, sessions (on which it had a share whose outcome is known), first and last of
        them, full_sessions (on which it had ``rule.places`` places: a shorter list is a few shares' luck), shares (mean
        number of places), and paired: net excess less that of the list ``model`` on the sessions
        that both have, in percent a year with its 90 % interval: what thresholds and weights gain or cost.
    """
    money = {name: _money(past, frame, rule) for name, frame in places.items()}
    reference = money.get(MODEL_LIST)
    return {name: _row(past, places[name], money[name], reference, rule) for name in places}


def _money(past: pd.DataFrame, places: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    of_list = places[["date", "symbol", "place"]]
    frame = past[["position", "date", "symbol", "median_turnover_lakh", "forward_return"]]
    frame = frame.merge(of_list, on=["date", "symbol"], how="left").rename(columns={"forward_return": "outcome"})
    return tranche_returns(frame.assign(score=-frame["place"].astype(np.float64)), rule)


def _row(
    past: pd.DataFrame, places: pd.DataFrame, money: pd.DataFrame, reference: pd.DataFrame | None, rule: Rule
) -> dict[str, Any]:
    dates = past.drop_duplicates("position").set_index("position")["date"].reindex(money.index)
    row = list_money(money, rule) | {
        "sessions": len(money),
        "first": dates.min().date().isoformat() if len(money) else None,
        "last": dates.max().date().isoformat() if len(money) else None,
        "full_sessions": int((places.groupby("date").size().reindex(dates) >= rule.places).sum()),
        "shares": float(places.groupby("date").size().mean()) if len(places) else None,
    }
    if reference is not None and reference is not money:
        gain = (money["net_excess"] - reference["net_excess"]).dropna().sort_index()
        row["paired"] = block_bootstrap(gain.to_numpy(dtype=np.float64) * PERIODS_A_YEAR * 100).as_json()
    return row
