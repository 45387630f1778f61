"""What the picks page shows: its columns and their order, the picks worth a purchase and the rest, and the file."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from portfolio.pages import pick_reasons
from portfolio.pages.closes import recent_closes
from portfolio.pages.figures.sparkline import sparkline
from stocks.models import Publication
from stocks.picks.filters import FiltersInvalid
from stocks.picks.queries import Pick
from stocks.storage import csv_cells

WORTH_BUYING: Final = ("STRONG_BUY", "BUY")
"""Ratings that promise more than a purchase costs (`stocks.picks.signals`)."""


@dataclass(frozen=True)
class Sort:
    """A column of the picks by which the page sorts; `descending` is the order of a first click on its heading."""

    column: str
    descending: bool
    label: str


SORTS: Final = {
    "rank": Sort("rank", False, "Rank"),
    "symbol": Sort("symbol", False, "Symbol"),
    "close": Sort("current_price", True, "Close, highest first"),
    "return": Sort("predicted_return", True, "Expected return, highest first"),
    "cost": Sort("round_trip_cost_pct", False, "Costs, lowest first"),
    "score": Sort("ml_prediction_score", True, "Model score, highest first"),
    "confidence": Sort("ml_confidence", True, "Confidence, highest first"),
    "risk": Sort("ml_risk_score", False, "Risk, lowest first"),
    "cap": Sort("market_cap", True, "Market cap, largest first"),
    "pe": Sort("pe_ratio", False, "P/E, lowest first"),
}
"""By name in the URL; rank is the order of publication."""

_HEADINGS: Final = (
    # Name of the sort (or none), heading, whether the column holds numbers
    ("rank", "#", True),
    ("symbol", "Share", False),
    ("", "Last 60 sessions", False),
    ("close", "Close", True),
    ("return", "Expected return", True),
    ("cost", "Cost to beat", True),
    ("", "Target", True),
    ("", "Stop", True),
    ("score", "Score", True),
    ("confidence", "Confidence", True),
    ("risk", "Risk", True),
    ("", "Rating", False),
)
_FILE_COLUMNS: Final = (
    *("rank", "symbol", "stock_name", "sector", "recommendation", "current_price", "expected_entry"),
    *("predicted_return", "round_trip_cost_pct", "target_price", "target_probability", "stop_loss"),
    *("stop_probability", "reward_to_risk", "ml_prediction_score", "ml_confidence", "ml_probability"),
    *("ml_risk_score", "selection_score", "market_cap", "pe_ratio", "reason"),
)


@dataclass(frozen=True)
class Order:
    """The order that an address asks for; an unknown one is that of publication."""

    name: str
    descending: bool

    @property
    def column(self) -> str:
        return SORTS[self.name].column

    @property
    def is_published(self) -> bool:
        return self.name == "rank" and not self.descending


def order(name: str, direction: str) -> Order:
    """The order by a sort's name and `asc` or `desc`; without a direction, that of the sort's first click."""
    name = name if name in SORTS else "rank"
    return Order(name, direction == "desc" if direction in ("asc", "desc") else SORTS[name].descending)


@dataclass(frozen=True)
class Heading:
    """A column's heading; `address` sorts by it, and once more in the other direction. Without one it does not sort."""

    label: str
    is_number: bool
    address: str
    aria_sort: str  # "ascending" or "descending" where the list is sorted by this column, else empty


def headings(current: Order, kept: Mapping[str, str]) -> list[Heading]:
    """The table's headings; `kept` are the other parameters of the address."""
    return [_heading(name, label, is_number, current, kept) for name, label, is_number in _HEADINGS]


def _heading(name: str, label: str, is_number: bool, current: Order, kept: Mapping[str, str]) -> Heading:
    if not name:
        return Heading(label, is_number, "", "")
    is_current = name == current.name
    descending = not current.descending if is_current else SORTS[name].descending
    address = {**kept, "sort": name, "order": "desc" if descending else "asc"}
    aria_sort = ("descending" if current.descending else "ascending") if is_current else ""
    return Heading(
        label, is_number, "?" + urlencode({key: value for key, value in address.items() if value}), aria_sort
    )


def is_worth_buying(pick: Mapping[str, Any]) -> bool:
    return pick["recommendation"] in WORTH_BUYING


def explained_picks(publication: Publication | None, picks: Sequence[Pick]) -> list[dict[str, Any]]:
    """Picks with their sparklines, score parts and thresholds."""
    if publication is None or not picks:
        return []
    closes = recent_closes([pick["symbol"] for pick in picks], publication.date)
    return [
        pick | {"spark": sparkline(closes.get(pick["symbol"], ()), pick["target_price"], pick["stop_loss"])}
        for pick in with_reasons(publication, picks)
    ]


def with_reasons(publication: Publication, picks: Sequence[Pick]) -> list[dict[str, Any]]:
    """Picks with their score parts and thresholds; without thresholds while their file cannot be used."""
    try:
        filters = pick_reasons.filters()
    except FiltersInvalid:
        filters = None
    return [
        pick
        | {
            "parts": pick_reasons.score_parts(pick),
            "bounds": pick_reasons.bounds(pick, filters) if filters else [],
        }
        for pick in pick_reasons.with_dated_figures(picks, publication.date)
    ]


def csv_lines(picks: Sequence[Pick]) -> Iterator[str]:
    """The picks as lines of a CSV file under the names that the API has for them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in (_FILE_COLUMNS, *([pick[name] for name in _FILE_COLUMNS] for pick in picks)):
        writer.writerow([csv_cells.escaped(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
