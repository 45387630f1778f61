"""Renames: which new symbol of a session is an old share under a new symbol.

Three proofs, the strongest first: the exchange's own list of symbol changes; the same ISIN; and the price rule: with
the first bar of the new symbol the exchange publishes a PREV_CLOSE that equals, to the paisa, the last close of a
symbol that traded on the session just before and does not trade any more, with exactly one candidate on either side.
Without proof two symbols stay two. A newly listed share has a PREV_CLOSE too, its issue price: coincidences are rare
(few symbols vanish on a day) but possible, so contradicting ISINs or an opening outside the widest daily price band of
20 % void the price rule.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date

import pandas as pd

RENAME_COLUMNS = ("from_symbol", "to_symbol", "date", "proof")
# The widest daily price band: a renamed share opens inside it, a newly listed one may not.
MAX_OPENING_MOVE = 0.20
# Country, type and issuer: a face-value split changes what follows, never these.
ISIN_ISSUER_LENGTH = 7


def renames(
    today: pd.DataFrame,
    yesterday: pd.DataFrame,
    known_symbols: AbstractSet[str],
    isin_by_symbol: Mapping[str, str] | None = None,
    official: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Renames that take effect with one session.

    Parameters
    ----------
    today, yesterday
        Bar frames of the session, with every share and fund, and of the one just before it.
    known_symbols
        Symbols that own history before the session; a symbol renamed earlier owns none any more.
    isin_by_symbol
        ISIN of a symbol where known, for old and new ones alike.
    official
        The exchange's symbol changes: from_symbol, to_symbol, date (effective).

    Returns
    -------
    DataFrame
        from_symbol, to_symbol, date (the session), proof (exchange, isin or prev_close), sorted by from_symbol; each
        symbol occurs at most once on either side. Empty with these columns where nothing was renamed.

    Notes
    -----
    Point in time: uses only bars of the two sessions and the lists passed in. That the old symbol never trades again
    is not, and cannot be, part of the proof.

    Raises
    ------
    ValueError
        When ``today`` or ``yesterday`` holds more than one date, or ``yesterday`` is not earlier.
    """
    session = _single_date(today)
    if session is None:
        return _renames_frame([], None)
    previous = _single_date(yesterday)
    if previous is not None and previous >= session:
        raise ValueError(f"yesterday ({previous:%Y-%m-%d}) must lie before today ({session:%Y-%m-%d})")
    trading = set(today["symbol"])
    arrived = trading - known_symbols
    if not arrived:
        return _renames_frame([], session)
    gone = known_symbols - trading
    isins = isin_by_symbol or {}
    proven = _by_exchange(official, arrived, gone, session)
    proven += _by_isin(arrived - _symbols(proven, 1), gone - _symbols(proven, 0), isins)
    proven += _by_price(
        today[today["symbol"].isin(arrived - _symbols(proven, 1))],
        yesterday[yesterday["symbol"].isin(gone - _symbols(proven, 0))],
        isins,
    )
    return _renames_frame(proven, session)


_Renames = list[tuple[str, str, str]]  # old symbol, new symbol, proof


def _by_exchange(
    official: pd.DataFrame | None, arrived: AbstractSet[str], gone: AbstractSet[str], session: pd.Timestamp
) -> _Renames:
    if official is None or official.empty:
        return []
    changes = official[
        (pd.to_datetime(official["date"]) <= session)
        & official["to_symbol"].isin(arrived)
        & official["from_symbol"].isin(gone)
    ]
    # Of two changes that contradict each other, neither is a proof.
    changes = changes.drop_duplicates(["from_symbol", "to_symbol"])
    changes = changes[~changes.duplicated("from_symbol", keep=False) & ~changes.duplicated("to_symbol", keep=False)]
    return [(old, new, "exchange") for old, new in zip(changes["from_symbol"], changes["to_symbol"], strict=True)]


def _by_isin(arrived: AbstractSet[str], gone: AbstractSet[str], isins: Mapping[str, str]) -> _Renames:
    old_by_isin = _symbols_by_isin(gone, isins)
    new_by_isin = _symbols_by_isin(arrived, isins)
    return [
        (old_by_isin[isin][0], new[0], "isin")
        for isin, new in new_by_isin.items()
        if len(new) == 1 and len(old_by_isin.get(isin, ())) == 1
    ]


def _symbols_by_isin(symbols: AbstractSet[str], isins: Mapping[str, str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for symbol in symbols:
        if isin := isins.get(symbol):
            grouped.setdefault(isin, []).append(symbol)
    return grouped


def _by_price(arrived: pd.DataFrame, vanished: pd.DataFrame, isins: Mapping[str, str]) -> _Renames:
    new = arrived.assign(paise=(arrived["prev_close"] * 100).round())
    old = vanished.assign(paise=(vanished["close"] * 100).round())
    new, old = new[new["paise"] > 0], old[old["paise"] > 0]
    pairs = new[["symbol", "open", "prev_close", "paise"]].merge(
        old[["symbol", "paise"]], on="paise", suffixes=("", "_old")
    )
    # Ambiguity comes before plausibility: a second candidate leaves a doubt even when it is the less likely one.
    is_unique = ~pairs.duplicated("symbol", keep=False) & ~pairs.duplicated("symbol_old", keep=False)
    is_plausible = (pairs["open"] / pairs["prev_close"] - 1).abs() <= MAX_OPENING_MOVE
    accepted = pairs.loc[is_unique & is_plausible, ["symbol_old", "symbol"]].astype(str)
    return [
        (old_symbol, new_symbol, "prev_close")
        for old_symbol, new_symbol in zip(accepted["symbol_old"], accepted["symbol"], strict=True)
        if _same_issuer(isins.get(old_symbol), isins.get(new_symbol))
    ]


def _same_issuer(old: str | None, new: str | None) -> bool:
    """Whether two ISINs may belong to one company; an unknown one contradicts nothing."""
    return not old or not new or old[:ISIN_ISSUER_LENGTH] == new[:ISIN_ISSUER_LENGTH]


def _symbols(pairs: _Renames, side: int) -> set[str]:
    return {pair[side] for pair in pairs}


def _single_date(bars: pd.DataFrame) -> pd.Timestamp | None:
    dates = bars["date"].unique()
    if len(dates) > 1:
        raise ValueError(f"bars of one session expected, got {len(dates)} dates: pass one session at a time")
    return pd.Timestamp(dates[0]) if len(dates) else None


def _renames_frame(pairs: _Renames, session: date | pd.Timestamp | None) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "from_symbol": pd.Series([pair[0] for pair in pairs], dtype=object),
            "to_symbol": pd.Series([pair[1] for pair in pairs], dtype=object),
            "date": pd.Series([session] * len(pairs), dtype="datetime64[ns]"),
            "proof": pd.Series([pair[2] for pair in pairs], dtype=object),
        }
    )
    return frame.sort_values("from_symbol", ignore_index=True)
