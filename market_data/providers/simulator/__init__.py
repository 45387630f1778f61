"""A seeded synthetic market as a provider: deterministic, of any size, able to write itself out as the exchange does.

``companies`` draws the securities, ``incidents`` what happens to them, ``market`` the prices, ``books`` the statements,
``provider`` answers as every provider does, ``exchange_files`` writes the files.
"""

from market_data.providers.simulator.exchange_files import write_archive
from market_data.providers.simulator.incidents import Incident
from market_data.providers.simulator.provider import EPOCH, Simulator, simulated_sessions

__all__ = ["EPOCH", "Incident", "Simulator", "simulated_sessions", "write_archive"]
