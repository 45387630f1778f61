"""A seeded synthetic market as a provider: deterministic, of any size, able to write itself out as the exchange does.

``companies`` draws the securities, ``incidents`` what happens to them and to the files, ``market`` the prices,
``books`` the statements, ``editions`` what is printed, ``provider`` answers as every provider does, ``exchange_files``
writes the files.
"""

from market_data.providers.simulator.exchange_files import write_archive
from market_data.providers.simulator.incidents import EVERY, FILE_KINDS, USUAL, Incident, Kind, chosen_kinds
from market_data.providers.simulator.provider import EPOCH, Simulator, simulated_sessions

__all__ = [
    "EPOCH",
    "EVERY",
    "FILE_KINDS",
    "USUAL",
    "Incident",
    "Kind",
    "Simulator",
    "chosen_kinds",
    "simulated_sessions",
    "write_archive",
]
