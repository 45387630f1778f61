"""Price bands and surveillance as a broker sent them, of the day itself; what it did not say is not known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from market_data.providers import LIMIT_COLUMNS, limits_frame

_PRICES = ("lower_band", "upper_band")


def sent_limits(rows: Sequence[Mapping[str, Any]], source: str) -> pd.DataFrame:
    """Return ``LIMIT_COLUMNS`` of rows with their `day` as ISO text, and prices as text in ₹."""
    frame = pd.DataFrame.from_records(list(rows), columns=[*LIMIT_COLUMNS, "day"])
    prices = {name: pd.to_numeric(frame[name], errors="coerce") for name in _PRICES}
    return limits_frame(frame.assign(**prices, date=frame["day"], source=source))
