"""An evening on the real lists of symbols, with quotes made of the exchange's real file of that day."""

from datetime import date
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from brokers.accounts import account_of, store_secrets
from brokers.models import BrokerConfiguration
from market_data.models import DailyBar, SourceFile
from market_data.providers.nse.archive import NseArchive
from tests.brokers.venue import Answer
from tests.end_to_end import evenings
from tests.end_to_end.evenings import evening, stored
from tests.market_data.providers.quoted.evening import exchange_at
from tests.market_data.providers.quoted.test_evenings import Clock

pytestmark = [pytest.mark.real, pytest.mark.django_db]

LISTS = {
    "fyers": ("fyers/NSE_CM.csv", date(2025, 11, 10), ("GET", "/sym_details/NSE_CM.csv"), 50),
    "zerodha": ("kite/instruments_NSE.csv", date(2026, 1, 5), ("GET", "/instruments/NSE"), 500),
}
PAST = 5
COMPARED = ("historical_data", "technical_indicators", "stock_metrics", "stocks", "source_files")


@pytest.mark.parametrize("name", sorted(LISTS))
def test_an_evening_on_the_real_list(
    name: str, sample_dir: Path, tmp_path: Path, settings: Any, django_user_model: Any, monkeypatch: pytest.MonkeyPatch
):
    path, tonight, route, symbols_a_call = LISTS[name]
    sample, folder = NseArchive(sample_dir / "nse"), tmp_path / "exchange"
    days = sample.sessions(None, tonight)[-PAST - 1 :]
    assert days[-1] == tonight
    (folder / "bhavcopy").mkdir(parents=True)
    for day in days[:-1]:
        evenings.file_of(folder, day).symlink_to(evenings.file_of(sample_dir / "nse", day))
    Clock(monkeypatch).be_evening(tonight)
    settings.VAR_DIR = tmp_path / "var"
    with evenings.reading_archive(folder, tmp_path), exchange_at(name, tonight, sample.bars(tonight).frame) as exchange:
        evening(days[-2])
        settings.MARKET_DATA_PROVIDER = name
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = settings.FYERS_PUBLIC_ROOT = exchange.venue.root
        exchange.venue.routes[route] = lambda _: Answer(200, (sample_dir / path).read_bytes(), "text/csv")
        account = account_of(name, django_user_model.objects.create_user("asha"))
        store_secrets(account, app_key="app-100", access_token="a-token-for-data")
        BrokerConfiguration.objects.update(is_data_account=True)
        evening(tonight)
        assert DailyBar.objects.filter(date=tonight, status="provisional").count() > 2_000
        assert exchange.calls() <= ceil(2_988 / symbols_a_call) + 10
        evenings.file_of(folder, tonight).symlink_to(evenings.file_of(sample_dir / "nse", tonight))
        evening(tonight)
    assert SourceFile.objects.get(session=tonight).status == "final"
    replaced = stored(*COMPARED)
    evenings.emptied()
    with evenings.reading_archive(folder, tmp_path):
        evening(days[-2])
        evening(tonight)
    evenings.assert_same(replaced, stored(*COMPARED))
