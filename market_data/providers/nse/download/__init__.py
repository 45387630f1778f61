"""Downloads the exchange's files into the archive's folder, politely, whole or not at all.

``addresses`` knows what is where, ``client`` sends the requests, ``checks`` accepts or refuses a file, ``folder`` is
the archive on disk, ``downloader`` brings single files, ``download`` decides which ones and in which order.
"""

from market_data.providers.nse.download.addresses import Hosts as Hosts
from market_data.providers.nse.download.client import Politeness as Politeness
from market_data.providers.nse.download.download import ArchiveDownload as ArchiveDownload
from market_data.providers.nse.download.downloader import DownloadReport as DownloadReport
