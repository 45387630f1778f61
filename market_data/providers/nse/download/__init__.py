"""Brings the exchange's files into the folder of the archive over the wire, politely, whole or not at all.

``addresses`` knows what lies where, ``polite_client`` asks, ``checks`` judges, ``shelf`` puts files into their place;
``download`` decides what is missing and in which order it is asked for.
"""

from market_data.providers.nse.download.addresses import Hosts as Hosts
from market_data.providers.nse.download.download import ArchiveDownload as ArchiveDownload
from market_data.providers.nse.download.polite_client import Politeness as Politeness
from market_data.providers.nse.download.visit import Outcome as Outcome
