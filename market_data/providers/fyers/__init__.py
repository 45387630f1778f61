"""Market data through Fyers, beside the exchange's files."""

import json
from datetime import date

import pandas as pd

from brokers.fyers import master
from brokers.fyers.broker import FyersBroker
from brokers.plain_data import plain
from brokers.protocol import Broker, BrokerError
from market_data.providers import SourceCheck
from market_data.providers.quoted.feed import BrokerFeed
from market_data.providers.quoted.limits import sent_limits

LIMITS = "trading_limits.json"


class FyersFeed(BrokerFeed):
    """Fyers' quotes name their day alone; its bands are in a list of their own, where each row has its day."""

    name, title = "fyers", "Fyers"
    parsed_master = staticmethod(master.symbol_master)

    def _keep_more(self, broker: Broker, day: date) -> None:
        """Keep the bands and surveillance of a day; without them they are not known, and that is a finding."""
        if not isinstance(broker, FyersBroker) or self._days.file(day, LIMITS).is_file():
            return
        try:
            limits = broker.trading_limits()
        except BrokerError as error:
            self._refused[SourceCheck.LIMITS] = f"Price bands and surveillance of {day} are not known. {error}"
            return
        self._days.keep(day, LIMITS, json.dumps(plain(limits), indent=0).encode())

    def _sent_limits(self, session: date) -> pd.DataFrame:
        path = self._days.file(session, LIMITS)
        rows = json.loads(path.read_bytes()) if path.is_file() else []
        return sent_limits([row for row in rows if row["day"] == session.isoformat()], f"{self.name}:list of symbols")
