"""Market data through Zerodha, beside the exchange's files."""

from brokers.zerodha import master
from market_data.providers.quoted.feed import BrokerFeed


class ZerodhaFeed(BrokerFeed):
    """Kite's quotes carry the time of the last trade."""

    name, title = "zerodha", "Zerodha"
    parsed_master = staticmethod(master.symbol_master)
