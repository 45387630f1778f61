"""Which shares of a list are new, which are kept and since when, and which left it and why; pure."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict, cast

import pandas as pd

from stocks.picks import screening
from stocks.picks.filters import Filters


class Standing(StrEnum):
    """A pick's standing against the list before; what left that list is a `Departure`."""

    NEW = "new"
    KEPT = "kept"


class Listed(NamedTuple):
    """A share on a list: its rank there, its place in the strategy's ranking, the first session of its stay."""

    stock_name: str | None
    rank: int | None
    place: int | None
    since: date


class ListBefore(NamedTuple):
    """A strategy's last list before a session; its shares by the symbols in use on that session."""

    publication_id: int
    session: date
    shares: Mapping[str, Listed]


class Departure(TypedDict):
    """A share that left a list, as stored with the publication.

    `place` is its place in the ranking now, None if it no longer passes; `reason` says why it left, in plain words.
    """

    symbol: str
    stock_name: str | None
    last_rank: int | None
    last_place: int | None
    listed_since: str
    place: int | None
    reason: str


def with_standings(picks: pd.DataFrame, before: ListBefore | None, session: date) -> pd.DataFrame:
    """Add `standing` and `listed_since`, the first session of a stay that no list has interrupted since."""
    shares = before.shares if before else {}
    stays = [shares.get(symbol) for symbol in picks["symbol"]]
    return picks.assign(
        standing=pd.Series([Standing.KEPT if stay else Standing.NEW for stay in stays], picks.index, dtype=object),
        listed_since=pd.Series([stay.since if stay else session for stay in stays], picks.index, dtype=object),
    )


def departures(
    ranking: screening.Ranking,
    before: ListBefore | None,
    frame: pd.DataFrame,
    strategy: str,
    filters: Filters,
    *,
    left_out: Mapping[str, str],
    keep_rank: int,
) -> list[Departure]:
    """Return the shares of the list before that this one lacks, in the order of their ranks there.

    Parameters
    ----------
    frame
        The shares that `ranking` ranked, as `screening.ranked` takes them.
    left_out
        Symbol → why a share of the session is not among them, in plain words.
    """
    rows = {str(row["symbol"]): row for row in frame.to_dict("records")}
    listed = set(ranking.picks["symbol"])
    left: list[Departure] = []
    for symbol, last in (before.shares if before else {}).items():
        if symbol in listed:
            continue
        place = ranking.places.get(symbol)
        if place is not None:
            reason = f"fell to place {place}; a share stays down to place {keep_rank}"
        elif symbol in rows:
            reason = ", ".join(screening.failures(cast("dict[str, Any]", rows[symbol]), strategy, filters))
        else:
            reason = left_out.get(symbol, "did not trade")
        left.append(
            Departure(
                symbol=symbol,
                stock_name=last.stock_name,
                last_rank=last.rank,
                last_place=last.place,
                listed_since=last.since.isoformat(),
                place=place,
                reason=reason,
            )
        )
    return left
