"""Evenings on a simulated market until published picks are judged, held against the exchange's own files."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import call_command
from django.utils import timezone

from market_data.providers.simulator import Incident
from ml import selection
from ml.models import PickOutcome
from ml.scoreboard import queries
from stocks.picks import selection_queries
from tests.end_to_end import evenings
from tests.end_to_end.evenings import BASE, SESSIONS

pytestmark = [pytest.mark.long, pytest.mark.django_db]
SPLIT, RENAMED, RATIO = 1, 6, 5
LAST_LIST, EVENINGS = 1, 13


def day(number: int) -> Any:
    """A session, counted from the first evening after the base market."""
    return SESSIONS[BASE + number]


MARKET = evenings.simulator(Incident("split", day(4), SPLIT, ratio=(10, 2)), Incident("rename", day(6), RENAMED))


def publish(session: date) -> None:
    """Publish the tradable shares as one list, by turnover, with a target and a stop at 4 %."""
    frame = selection_queries.metrics_frame(session)
    shares = frame.loc[frame["tradable"]].sort_values("turnover_median_20", ascending=False, ignore_index=True)
    picks = pd.DataFrame(
        {
            "symbol": shares["symbol"],
            "rank": range(1, len(shares) + 1),
            "current_price": shares["current_price"],
            "target_price": (shares["current_price"] * 1.04).round(2),
            "stop_loss": (shares["current_price"] * 0.96).round(2),
        }
    ).reindex(columns=list(selection.PICK_COLUMNS))
    day_of_picks = selection.DayOfPicks(session, None, "m", {"growth": picks}, {})
    selection.publish_picks(day_of_picks, "selection_of_the_test", timezone.now())


def file_prices(folder: Path, session: date) -> pd.DataFrame:
    """Prices of a daily file by symbol, as the exchange published them."""
    file = pd.read_csv(evenings.file_of(folder, session), skipinitialspace=True).set_index("SYMBOL")
    return file[["OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE"]].loc[~file.index.duplicated()]


def test_picks_are_judged_as_the_exchanges_files_say(archive: Path) -> None:
    for number in range(EVENINGS):
        evenings.publish(MARKET, archive, day(number))
        evenings.evening(day(number))
        if number <= LAST_LIST:
            publish(day(number))
        run = evenings.evening(day(number), "scoreboard")
        assert bool(run.summary.get("judged")) == (number >= 11), run.summary
    split, renamed = MARKET.market.symbol[SPLIT], MARKET.market.symbol[RENAMED]
    entry, exit_ = file_prices(archive, day(1)), file_prices(archive, day(11))
    held = [file_prices(archive, day(number)) for number in range(1, 11)]
    symbols = {row.symbol for row in PickOutcome.objects.filter(date=day(0))}
    assert len(symbols) > 20
    compared = 0
    for row in PickOutcome.objects.filter(date=day(0), result="sold", exit_date=day(11)).exclude(symbol=renamed):
        times = RATIO if row.symbol == split else 1
        assert row.return_pct == pytest.approx(
            (exit_.OPEN_PRICE[row.symbol] * times / entry.OPEN_PRICE[row.symbol] - 1) * 100
        )
        assert row.first_touched == first_level(row, held, split_from=4 if row.symbol == split else 99)
        compared += 1
    assert compared > 20
    if renamed in symbols:
        assert PickOutcome.objects.get(date=day(0), symbol=renamed).result == "sold"
    assert set(PickOutcome.objects.values_list("version", flat=True)) == {1}
    assert queries.scoreboard()["growth"].figures.days == 2
    call_command("verify_publications")


def first_level(row: PickOutcome, held: list[pd.DataFrame], split_from: int) -> str:
    """The level that comes first, session by session, from the files' own highs and lows."""
    for number, prices in enumerate(held, 1):
        if row.symbol not in prices.index:
            continue
        times = RATIO if number >= split_from else 1
        if prices.LOW_PRICE[row.symbol] * times <= (row.stop_loss or 0):
            return "stop"
        if prices.HIGH_PRICE[row.symbol] * times >= (row.target_price or 1e9):
            return "target"
    return "none"
