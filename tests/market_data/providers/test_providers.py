"""The registry of providers: which settings make which, and what it says when they do not fit."""

import pytest

from market_data.providers import PROVIDER_NAMES, Provider, ProviderError, provider
from market_data.providers.simulator import EPOCH, Simulator, write_archive


def test_the_default_is_the_simulator(settings):
    settings.SIMULATOR_SYMBOLS, settings.SIMULATOR_SESSIONS, settings.SIMULATOR_SEED = 30, 40, 2
    feed = provider()
    assert isinstance(feed, Simulator)
    assert (len(feed.market), feed.offered_sessions, feed.seed) == (30, 40, 2)


def test_the_archive_is_made_of_its_folder(settings, tmp_path):
    market = Simulator(symbols=20)
    write_archive(market, tmp_path, market.sessions(EPOCH, EPOCH))
    settings.NSE_ARCHIVE_DIR, settings.NSE_ARCHIVE_SERIES = tmp_path, "all"
    feed = provider("nse_archive")
    assert isinstance(feed, Provider)
    assert feed.kind == "real"


def test_what_is_missing_is_named(settings):
    settings.NSE_ARCHIVE_DIR = None
    with pytest.raises(ProviderError, match="NSE_ARCHIVE_DIR"):
        provider("nse_archive")
    with pytest.raises(ProviderError, match="simulator, nse_archive, fyers, zerodha"):
        provider("oracle")
    assert PROVIDER_NAMES == ("simulator", "nse_archive", "fyers", "zerodha")


def test_unknown_incidents_are_refused_by_the_name_of_their_setting(settings):
    settings.SIMULATOR_INCIDENTS = ["usual", "earthquake"]
    with pytest.raises(ProviderError, match="SIMULATOR_INCIDENTS: 'earthquake'"):
        provider("simulator")
