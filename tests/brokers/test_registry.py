"""Names, and that nobody loads a vendor's library before an account is opened."""

import subprocess
import sys
from contextlib import closing
from datetime import datetime

import pytest

from brokers.connections import open_account
from brokers.models import BrokerConfiguration
from brokers.protocol import IST
from brokers.registry import Access, Transport, capabilities_of, open_broker
from tests.architecture.sources import ROOT

LOADED = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
import django
django.setup()
import brokers.connections, tradingsite.urls
import brokers.zerodha.broker, brokers.zerodha.master, brokers.fyers.broker, brokers.fyers.master
print({"kiteconnect", "fyers_apiv3", "twisted", "aiohttp"} & set(sys.modules))
"""


def test_an_unknown_name_is_no_broker():
    with pytest.raises(ValueError, match="'angel' is no broker"):
        open_broker("angel", Access("a", "b"), Transport(), lambda: datetime(2026, 11, 30, tzinfo=IST))


def test_a_stored_account_at_the_simulator_needs_no_log_in():
    account = BrokerConfiguration(broker="simulator")
    with closing(open_account(account, lambda: datetime(2026, 11, 30, 10, tzinfo=IST))) as broker:
        assert broker.profile().client_id == "SIMULATED"
        assert broker.capabilities == capabilities_of("simulator")


def test_the_token_is_in_no_text():
    assert "s3cret" not in repr(Access("key", "s3cret"))


def test_no_library_is_loaded_with_django_or_its_adapter():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
