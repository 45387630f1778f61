"""Renamed symbols: which symbol an old one stands for today.

Statements, snapshots and exchange facts are stored under the symbol of their source, so that importing a file again
changes nothing; readers translate it to the symbol in use by `symbol_changes`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pandas as pd

from stocks.models import Stock, SymbolChange


def successors(as_of: date) -> dict[str, str]:
    """Symbols renamed by a session → the symbol in use on it, at the end of a chain of renames.

    A symbol that another company uses meanwhile (it has a row in `stocks`) is not replaced.

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
    """A frame under the symbols in use on a session.

    The key's columns identify a row together with ``symbol``: where old and new symbol both have it, the new one's row
    stays. Same columns, sorted by symbol and key, RangeIndex.
    """
    renamed = successors(as_of)
    old = frame["symbol"].isin(renamed)
    # Concatenating an empty frame would change the dtypes of a frame in which nothing was renamed.
    if old.any():
        moved = frame[old]
        frame = pd.concat([frame[~old], moved.assign(symbol=moved["symbol"].map(renamed))])
        if key:
            frame = frame.drop_duplicates(["symbol", *key], keep="first")
        frame = frame.sort_values(["symbol", *key], kind="stable")
    return frame.reset_index(drop=True)


def follow_renames(bars: pd.DataFrame, date_column: str = "date") -> pd.DataFrame:
    """Rows of an old file under the symbols that own their history now.

    A file of a session before a rename has the old symbol, but the history has moved: without this, reading a revised
    file would bring the old symbol back. Same rows and order; a row dated before a rename has the symbol that took its
    history over.
    """
    moves = _moves(date.max)
    symbols, renamed = bars["symbol"].copy(), bars["symbol"].isin(moves)
    if renamed.any():
        rows = bars.loc[renamed, ["symbol", date_column]]
        symbols.loc[renamed] = [
            _owner(str(symbol), day.date(), moves)
            for symbol, day in zip(rows["symbol"], rows[date_column], strict=True)
        ]
    return bars.assign(symbol=symbols)


def owners(as_of: date) -> Callable[[str, date], str]:
    """Under which symbol a share that had a symbol on a day is known on another.

    Notes
    -----
    Point in time: changes dated at or before ``as_of``.
    """
    moves = _moves(as_of)
    return lambda symbol, day: _owner(symbol, day, moves)


def _moves(as_of: date) -> dict[str, list[tuple[int, str, date]]]:
    changes = SymbolChange.objects.filter(date__lte=as_of).order_by("date", "id")
    moves: dict[str, list[tuple[int, str, date]]] = {}
    for place, (old, new, day) in enumerate(changes.values_list("from_symbol", "to_symbol", "date")):
        moves.setdefault(old, []).append((place, new, day))
    return moves


def _owner(symbol: str, day: date, moves: Mapping[str, Sequence[tuple[int, str, date]]]) -> str:
    """The symbol at the end of the renames after a day; each must come later than the one before."""
    place = -1
    while True:
        later = (move for move in moves.get(symbol, ()) if move[0] > place and day < move[2])
        move = next(later, None)
        if move is None:
            return symbol
        place, symbol = move[0], move[1]
