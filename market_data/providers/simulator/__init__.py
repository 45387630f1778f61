"""A seeded synthetic market as a provider: deterministic, of any size, and writable in the exchange's file formats.

``companies`` draws the securities, ``incidents`` what happens to them and to their files, ``market`` the prices,
``past`` caches them, ``books`` draws the statements, ``editions`` the misprints, ``exchange_files`` writes the files.
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
