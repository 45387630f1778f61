"""Where the exchange keeps which file: pure knowledge, no network.

Source of the addresses: the links of the exchange's own report pages. Two hosts: the *archive* hands files to whoever
looks like a browser; the *site* wants cookies of its main page and answers the services below ``/api``.
"""

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from market_data.providers.nse import lists as nse_lists
from market_data.providers.nse.files import CM, FULL, UDIFF, Layout

ARCHIVE, SITE = "archive", "site"
FULL_SINCE = date(2020, 1, 1)
"""About since then the file with deliveries is kept; before it the one without is asked for first."""

UDIFF_SINCE = date(2024, 7, 8)
"""First session of the present layout; the one before ends with the session before."""

REPORT_MEMBERS = ("mcap", "pd", "bc")
"""Beginnings of the names in the daily report pack that a reader wants."""


@dataclass(frozen=True)
class Remote:
    """A file at the exchange and its name here.

    Attributes
    ----------
    host
        ``archive`` or ``site``.
    path
        Below the host's address, with the query.
    name
        What it is called here.
    """

    host: str
    path: str
    name: str


@dataclass(frozen=True)
class Hosts:
    """Addresses of the two hosts; an empty site means that there is none: no cookies, none of its services."""

    archive: str
    site: str

    def url(self, remote: Remote) -> str:
        """Return the whole address of a file."""
        base = self.archive if remote.host == ARCHIVE else self.site
        return f"{base.rstrip('/')}/{remote.path}"


def bars(day: date) -> list[tuple[Layout, Remote]]:
    """Return where a session's bars may lie, the preferred layout first: only the first one tells deliveries."""
    full = f"sec_bhavdata_full_{day:%d%m%Y}.csv"
    udiff = f"BhavCopy_NSE_CM_0_0_0_{day:%Y%m%d}_F_0000.csv.zip"
    month = _MONTHS[day.month - 1]
    old = f"cm{day:%d}{month}{day:%Y}bhav.csv.zip"
    with_deliveries = (FULL, Remote(ARCHIVE, f"products/content/{full}", full))
    if day >= UDIFF_SINCE:
        return [with_deliveries, (UDIFF, Remote(ARCHIVE, f"content/cm/{udiff}", udiff))]
    without = (CM, Remote(ARCHIVE, f"content/historical/EQUITIES/{day:%Y}/{month}/{old}", old))
    return [with_deliveries, without] if day >= FULL_SINCE else [without, with_deliveries]


def report_pack(day: date) -> Remote:
    """Return the zip with the market's daily reports."""
    return Remote(ARCHIVE, f"archives/equities/bhavcopy/pr/PR{day:%d%m%y}.zip", f"PR{day:%d%m%y}.zip")


def earnings_ratios(day: date) -> Remote:
    """Return the official P/E of a session."""
    return Remote(ARCHIVE, f"content/equities/peDetail/PE_{day:%d%m%y}.csv", f"PE_{day:%d%m%y}.csv")


def lists() -> list[Remote]:
    """Return the undated lists that replace what is here as a whole."""
    equities = (nse_lists.EQUITIES, nse_lists.CHANGES)
    return [
        *(Remote(ARCHIVE, f"content/equities/{name}", name) for name in equities),
        *(Remote(ARCHIVE, f"content/indices/{name}", name) for name in nse_lists.INDEX_LISTS),
    ]


def holidays(year: int) -> Remote:
    """Return the holiday service, which answers for the running year only."""
    return Remote(SITE, "api/holiday-master?type=trading", nse_lists.HOLIDAYS.replace("*", f"{year}-api"))


def corporate_actions(first: date, last: date) -> Remote:
    """Return the list of corporate actions with ex-dates from one day to another, as csv."""
    query = urlencode(
        {"index": "equities", "from_date": f"{first:%d-%m-%Y}", "to_date": f"{last:%d-%m-%Y}", "csv": "true"}
    )
    return Remote(SITE, f"api/corporates-corporateActions?{query}", nse_lists.ACTIONS)


# As the exchange writes them, whatever language this process speaks.
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
