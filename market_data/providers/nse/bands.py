"""Reader of the price bands in a report pack: `sec_list`, one row a security with its band in percent, or `No Band`."""

from datetime import date
from pathlib import Path

import pandas as pd

from market_data.prices.bars import SERIES_ORDER
from market_data.providers import limits_frame
from market_data.providers.nse.lists import text_table, with_valid_symbols


def price_bands(pack: Path, session: date) -> pd.DataFrame:
    """Return ``LIMIT_COLUMNS`` of a pack of a session; empty without the file."""
    for path in sorted(pack.glob("sec_list*.csv")):
        table = text_table(path, ("SYMBOL", "SERIES", "BAND"), None)
        table = table.rename(columns={"SYMBOL": "symbol", "SERIES": "series", "BAND": "band"})
        table = with_valid_symbols(table[table["series"].isin(SERIES_ORDER)], path, None)
        band = table["band"].str.strip().str.slice(0, 20)
        source = f"nse_archive:reports/{pack.name}"
        return limits_frame(table.assign(band=band.where(band != "", None), date=session, source=source))
    return limits_frame(pd.DataFrame())
