"""Old symbols in what sources say: which symbol they stand for today.

Statements, snapshots and exchange facts are stored under the symbol that their source used, so that importing a file
again changes nothing; readers give them the symbol in use through `symbol_changes`.
"""

from collections.abc import Mapping, Sequence
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
    origins: dict[str, set[str]] = {}  # symbol in use → those it replaces
    for old, new in changes.values_list("from_symbol", "to_symbol"):
        origins.get(latest.get(old, ""), set()).discard(old)
        moved = origins.pop(old, set()) | {old}
        latest |= dict.fromkeys(moved, new)
        origins.setdefault(new, set()).update(moved)
        origins[latest.pop(new, new)].discard(new)
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
    old = frame["symbol"].isin(renamed)
    # Without this question a frame in which nothing was renamed would gain a row of nothing.
    if old.any():
        moved = frame.loc[old]
        frame = pd.concat([frame.loc[~old], moved.assign(symbol=moved["symbol"].map(renamed))])
        if key:
            frame = frame.drop_duplicates(["symbol", *key], keep="first")
        frame = frame.sort_values(["symbol", *key], kind="stable")
    return frame.reset_index(drop=True)


def follow_renames(bars: pd.DataFrame, date_column: str = "date") -> pd.DataFrame:
    """Bars of an old file under the symbols that own their history now.

    A file of a session before a rename names the old symbol, but its history has moved: without this, reading a revised
    file again would bring the old symbol back.

    Parameters
    ----------
    bars
        Has symbol and a day.
    date_column
        The day's name.

    Returns
    -------
    DataFrame
        Same rows and order; a row dated before a rename bears the symbol that took it over.
    """
    changes = SymbolChange.objects.order_by("date", "id").values_list("from_symbol", "to_symbol", "date")
    moves: dict[str, list[tuple[int, str, date]]] = {}
    for place, (old, new, day) in enumerate(changes):
        moves.setdefault(old, []).append((place, new, day))
    concerned = bars["symbol"].isin(moves)
    if not concerned.any():
        return bars.assign(symbol=bars["symbol"].copy())
    rows = bars.loc[concerned, ["symbol", date_column]]
    named = [
        _owner(str(symbol), day.date(), moves) for symbol, day in zip(rows["symbol"], rows[date_column], strict=True)
    ]
    symbols = bars["symbol"].copy()
    symbols.loc[concerned] = named
    return bars.assign(symbol=symbols)


def _owner(symbol: str, day: date, moves: Mapping[str, Sequence[tuple[int, str, date]]]) -> str:
    """Follow the changes after a day, in their order, from one symbol to the next."""
    place = -1
    while True:
        later = (move for move in moves.get(symbol, ()) if move[0] > place and day < move[2])
        move = next(later, None)
        if move is None:
            return symbol
        place, symbol = move[0], move[1]
