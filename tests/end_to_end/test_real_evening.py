"""Some evenings of the real market, one after the other, equal a full load of the same files, to 1e-9."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from stocks.models import Stock, SymbolChange
from tests.end_to_end import evenings
from tests.market_data import real_market

pytestmark = [pytest.mark.real, pytest.mark.django_db, pytest.mark.timeout(1200)]
WINDOW, EVENINGS, SILENCE = 64, 3, 10
"""Sessions linked into a folder of their own; a full load of all is measured elsewhere."""


def _last_session() -> pd.Timestamp:
    """The last session with a rename such that in the evenings up to it a share came back after weeks."""
    days = real_market.sessions()
    bars = real_market.bars()[["symbol", "date"]]
    place = pd.Series(days.searchsorted(bars["date"]), index=bars.index)
    gap = place - place.groupby(bars["symbol"]).shift()
    back = set(place[gap.between(SILENCE, WINDOW - EVENINGS - 2)])
    renamed = days.searchsorted(pd.DatetimeIndex(real_market.all_renames()["date"].unique()))
    return days[max(int(session) for session in renamed if back & set(range(session - EVENINGS + 1, session + 1)))]


@pytest.fixture
def window(sample_dir: Path, tmp_path: Path) -> list[pd.Timestamp]:
    """Sessions up to one with a rename; their files and all lists lie in a folder of their own."""
    session = _last_session()
    days = real_market.sessions()
    chosen = list(days[days <= session][-WINDOW:])
    source, folder = sample_dir / "nse", tmp_path / "nse"
    (folder / "bhavcopy").mkdir(parents=True)
    for name in ("lists", "reports"):
        (folder / name).symlink_to(source / name)
    for session in chosen:
        evenings.file_of(folder, session.date()).symlink_to(evenings.file_of(source, session.date()))
    return chosen


def test_evenings_with_a_rename_and_shares_back_from_be_equal_a_full_load(
    window: list[pd.Timestamp], tmp_path: Path
) -> None:
    first, *rest = (session.date() for session in window[-EVENINGS - 1 :])
    last = rest[-1]
    with evenings.reading_archive(tmp_path / "nse", tmp_path):
        evenings.evening(first)
        symbols = set(Stock.objects.values_list("symbol", flat=True))
        for session in rest:
            done = evenings.evening(session)
        by_evenings = evenings.of_session(last)
        renamed = SymbolChange.objects.filter(date=last)
        assert done.summary["sessions"] == 1
        assert renamed.exists()
        assert set(renamed.values_list("from_symbol", flat=True)) <= symbols
        assert _back_after_weeks(by_evenings["historical_data"], first)
        at_once = evenings.full_load(last)
    for tables in (by_evenings, at_once):
        # A share that did not trade on the last session keeps the figures of the evening before; a full load has none.
        stocks = tables["stocks"]
        tables.pop("exchange_facts")  # no report pack is of these sessions
        tables["stocks"] = stocks.loc[stocks["last_seen"].astype(str) == str(last)]
    evenings.assert_same(by_evenings, at_once)


def _back_after_weeks(bars: pd.DataFrame, day: date) -> list[str]:
    """Symbols that traded again after a day and a silence of weeks."""
    dates = bars.reset_index()[["symbol", "date"]].sort_values(["symbol", "date"])
    order = {day: place for place, day in enumerate(sorted(dates["date"].unique()))}
    places = dates["date"].map(order)
    gap = places - places.groupby(dates["symbol"]).shift()
    return dates.loc[(pd.to_datetime(dates["date"]) > pd.Timestamp(day)) & (gap >= SILENCE), "symbol"].tolist()
