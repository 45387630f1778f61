"""The models' inputs: features of a share at the close of a session, one entry of ``FEATURES`` each.

They are scale-free (returns, ratios, ranks within the day), so that a model cannot recognise a split, a price level or
a year of the market by its size. The contract's set is in ``contract``.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ml.features.feature import Feature
from ml.features.own import OWN
from ml.features.peers import PEERS
from ml.features.signals import Signals

# Sessions before a date that its features depend on: a year plus the gap over which a last price counts; or the 120
# sessions of beta plus the longest gap before the first of their returns. Rounded up.
WARM_UP_SESSIONS = 280

KEYS = ("symbol", "date")

FEATURES: Mapping[str, Feature] = {**OWN, **PEERS}

# What the report leaves out together: group → its features.
FEATURE_GROUPS: Mapping[str, tuple[str, ...]] = {
    group: tuple(name for name, feature in FEATURES.items() if feature.group == group)
    for group in dict.fromkeys(feature.group for feature in FEATURES.values())
}


def features(signals: Signals, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """Scale-free features of each bar.

    Parameters
    ----------
    signals
        Of shares only (funds would distort ranks and the market's return); for the features of a session they must
        contain the ``WARM_UP_SESSIONS`` before it. A share without a group is measured against all shares.
    since
        First session of the result; by default all.

    Returns
    -------
    DataFrame
        symbol, date, then one float64 column per entry of ``FEATURES``; rows in the order of the frame, index kept.
        NaN where the history is too short or has too many gaps (``Feature.missing``), never infinite.

    Notes
    -----
    Point in time: a row is computed from bars of its date and before. Once ``WARM_UP_SESSIONS`` are given, values do
    not depend on how much more history is. Sectors and industries alone have no date: they are those that are given.
    """
    adjusted = signals.frame
    rows = np.ones(len(adjusted), dtype=bool) if since is None else (adjusted["date"] >= since).to_numpy()
    row, column = signals.row[rows], signals.column[rows]
    keys = {name: adjusted.loc[rows, name] for name in KEYS}
    values = {name: feature.compute(signals)[row, column] for name, feature in FEATURES.items()}
    # Three years of a market are most of a gigabyte: no column is copied once more.
    return pd.DataFrame({**keys, **values}, index=adjusted.index[rows], copy=False)
