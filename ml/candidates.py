"""The shares of a session among which the lists choose; pure."""

from collections.abc import Set

import pandas as pd

# The metrics have them too.
_IN_METRICS = ("atr_14", "atr_percentage")


def tradable_candidates(metrics: pd.DataFrame, indicators: pd.DataFrame, kept_out: Set[str]) -> pd.DataFrame:
    """The tradable shares that nothing keeps out, with their indicators.

    Parameters
    ----------
    metrics
        One row a symbol that traded on the session: symbol, tradable (bool), and figures.
    indicators
        Indicator frame of the session.
    kept_out
        Symbols that findings keep out.
    """
    tradable = metrics.loc[metrics["tradable"] & ~metrics["symbol"].isin(kept_out)]
    return tradable.merge(indicators.drop(columns=["date", *_IN_METRICS]), on="symbol", how="left")
