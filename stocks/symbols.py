"""Old symbols in what sources say: which symbol they stand for today.

Statements, snapshots and exchange facts are stored under the symbol that their source used, so that importing a file
again changes nothing; readers give them the symbol in use through `symbol_changes`.
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from stocks.models import Stock, SymbolChange


def successors(as_of: date) -> dict[str, str]:
    """Symbols renamed away up to a session, and the symbol in use on it (chains followed to their end).

    A symbol that trades again under another company's flag (it has a row in `stocks`) is not replaced.

    Notes
    -----
    Point in time: changes dated at or before ``as_of``.
    """
    changes = SymbolChange.objects.filter(date__lte=as_of).order_by("date", "id")
    latest: dict[str, str] = {}
    for old, new in changes.values_list("from_symbol", "to_symbol"):
        latest = {origin: new if symbol == old else symbol for origin, symbol in latest.items()}
        latest[old] = new
        latest.pop(new, None)
    in_use = set(Stock.objects.filter(symbol__in=latest).values_list("symbol", flat=True))
    return {old: new for old, new in latest.items() if old not in in_use}


def current_symbols(frame: pd.DataFrame, as_of: date, *, key: Sequence[str] = ()) -> pd.DataFrame:
    """The frame with the symbols in use on a session.

    Parameters
    ----------
    frame
        Has a column ``symbol``.
    as_of
        Session.
    key
        Columns that, with the symbol, name a row: where old and new symbol both have it, the new one's row stays.

    Returns
    -------
    DataFrame
        Same columns, sorted by symbol and key, RangeIndex.
    """
    renamed = successors(as_of)
    if renamed and len(frame):
        old = frame["symbol"].isin(renamed)
        frame = pd.concat([frame.loc[~old], frame.loc[old].assign(symbol=frame["symbol"].map(renamed))])
        if key:
            frame = frame.drop_duplicates(["symbol", *key], keep="first")
        frame = frame.sort_values(["symbol", *key], kind="stable")
    return frame.reset_index(drop=True)


def followed(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars of an old file under the symbols that own their history now.

    A file of a session before a rename names the old symbol, but its history has moved: without this, reading a revised
    file again would bring the old symbol back.

    Parameters
    ----------
    bars
        Has symbol and date.

    Returns
    -------
    DataFrame
        Same rows and order; a row dated before a rename bears the symbol that took it over.
    """
    changes = SymbolChange.objects.order_by("date", "id").values_list("from_symbol", "to_symbol", "date")
    symbols = bars["symbol"].copy()
    for old, new, day in changes:
        symbols = symbols.mask((symbols == old) & (bars["date"] < pd.Timestamp(day)), new)
    return bars.assign(symbol=symbols)
