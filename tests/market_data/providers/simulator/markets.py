"""Small markets for the tests of the simulator."""

from datetime import date
from typing import Any

from market_data.providers.simulator import Incident, Simulator

DAY = date(2024, 3, 8)
NEXT = date(2024, 3, 11)


def quiet(*incidents: Incident, series: str = "eq") -> Simulator:
    """A market to which nothing happens but what the test says."""
    return Simulator(symbols=40, sessions=60, seed=6, series=series, incidents=incidents, own_incidents=())


def bar_of(feed: Simulator, place: int, session: date) -> dict[str, Any]:
    """The bar of one security, by its place."""
    frame = feed.bars(session).frame
    names = (feed.market.symbol[place], feed.market.new_symbol[place])
    return dict(frame.loc[frame["symbol"].isin(names)].iloc[0])
