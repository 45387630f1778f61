"""The real sample as frames, read with the plainest means and kept for the length of a test run."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from market_data.prices.adjustments import adjusted, checked_events
from market_data.prices.events import official_events
from market_data.prices.inference import inferred_events
from market_data.prices.openings import far_openings
from stocks.universe.renames import renames

COVERED_UNTIL = pd.Timestamp("2025-07-18")
LAST_SESSION = pd.Timestamp("2026-04-30")
FUNDS_SPLIT = (
    "NIFTYBETA",
    *("HDFCLOWVOL", "HDFCMID150", "HDFCMOMENT", "HDFCNEXT50", "HDFCNIF100"),
    *("HDFCNIFBAN", "HDFCNIFIT", "HDFCPVTBAN", "HDFCSENSEX"),
    *("AUTOIETF", "LOWVOLIETF", "NV20IETF", "PVTBANIETF"),
    *("ALPL30IETF", "FMCGIETF", "MIDCAPIETF", "MIDSELIETF", "NIF100IETF", "QUAL30IETF"),
)
"""Funds whose units were split 1:10 inside the span of the list."""

_COLUMNS = {
    "SYMBOL": "symbol",
    "SERIES": "series",
    "DATE1": "date",
    "PREV_CLOSE": "prev_close",
    "OPEN_PRICE": "open",
    "HIGH_PRICE": "high",
    "LOW_PRICE": "low",
    "CLOSE_PRICE": "close",
    "TTL_TRD_QNTY": "volume",
    "TURNOVER_LACS": "turnover_lakh",
    "NO_OF_TRADES": "trades",
}


def _folder() -> Path:
    return Path(os.environ["NSE_SAMPLE_DIR"]) / "nse"


@cache
def raw_bars() -> pd.DataFrame:
    """All daily files, symbols as of their day, sorted by symbol and date."""
    files = [
        pd.read_csv(path, skipinitialspace=True, usecols=list(_COLUMNS))
        for path in sorted((_folder() / "bhavcopy").glob("*.csv"))
    ]
    bars = pd.concat(files, ignore_index=True).rename(columns=_COLUMNS)
    bars["date"] = pd.to_datetime(bars["date"].str.strip(), format="%d-%b-%Y").astype("datetime64[ns]")
    bars["symbol"] = bars["symbol"].astype(object)
    return bars.assign(isin=None).sort_values(["symbol", "date"], ignore_index=True)


@cache
def all_renames() -> pd.DataFrame:
    """The renames found session by session."""
    events, known, previous = [], set(), None
    for _, today in raw_bars().groupby("date"):
        if previous is not None:
            events.append(renames(today, previous, known))
            known -= set(events[-1]["from_symbol"])
        known |= set(today["symbol"])
        previous = today
    return pd.concat([frame for frame in events if len(frame)], ignore_index=True)


@cache
def bars() -> pd.DataFrame:
    """Bar frame with the history of a renamed share under its last symbol."""
    new_name = dict(zip(all_renames()["from_symbol"], all_renames()["to_symbol"], strict=True))
    last_name = {}
    for old in new_name:
        name = old
        while name in new_name:
            name = new_name[name]
        last_name[old] = name
    joined = raw_bars().copy()
    joined["symbol"] = joined["symbol"].map(last_name).fillna(joined["symbol"]).astype(object)
    return joined.sort_values(["symbol", "date"], ignore_index=True)


@cache
def actions() -> pd.DataFrame:
    """The exchange's list of corporate actions, as published."""
    rows = pd.read_csv(_folder() / "lists" / "CF-CA-equities.csv", encoding="utf-8-sig")
    return pd.DataFrame(
        {
            "symbol": rows["SYMBOL"],
            "series": rows["SERIES"],
            "purpose": rows["PURPOSE"],
            "face_value": rows["FACE VALUE"],
            "ex_date": pd.to_datetime(rows["EX-DATE"], format="%d-%b-%Y"),
            "source": "CF-CA-equities.csv",
        }
    )


@cache
def events() -> pd.DataFrame:
    """Official events of the sample, checked against the price."""
    return checked_events(official_events(actions()), bars())


@cache
def sessions() -> pd.DatetimeIndex:
    """Every session of the sample."""
    return pd.DatetimeIndex(np.unique(bars()["date"].to_numpy()))


def _grouped() -> tuple[pd.DatetimeIndex, list[np.ndarray]]:
    dates = bars()["date"].to_numpy()
    order = np.argsort(dates, kind="stable")
    days, starts = np.unique(dates[order], return_index=True)
    return pd.DatetimeIndex(days), np.split(order, starts[1:])


@cache
def _row_numbers() -> dict[pd.Timestamp, np.ndarray]:
    return {pd.Timestamp(day): rows for day, rows in zip(*_grouped(), strict=True)}


def session_bars(session: pd.Timestamp) -> pd.DataFrame:
    """Bar frame of one session."""
    return bars().take(_row_numbers()[session])


def history(session: pd.Timestamp, length: int = 40) -> pd.DataFrame:
    """Bar frame of the sessions before one."""
    at = int(sessions().searchsorted(session))
    rows = [_row_numbers()[day] for day in sessions()[max(0, at - length) : at]]
    return bars().take(np.sort(np.concatenate(rows)))


@cache
def sessions_with_jumps() -> list[pd.Timestamp]:
    """Sessions that hold an opening worth a look."""
    days = bars().loc[far_openings(bars(), events()), "date"]
    return sorted(pd.Timestamp(day) for day in days.unique())


@cache
def inferred_without_list() -> pd.DataFrame:
    """What would be inferred on every session if there were no official list at all."""
    events = [inferred_events(session_bars(day), history(day), None) for day in sessions_with_jumps()]
    return pd.concat([frame for frame in events if len(frame)], ignore_index=True)


@cache
def adjusted_bars() -> pd.DataFrame:
    """Adjusted frame of the last session, by official events alone."""
    return adjusted(bars(), events(), LAST_SESSION)
