"""Addresses of the exchange's files; pure.

Source: the links of the exchange's own report pages. There are two hosts: the *archive* serves files to clients that
look like a browser; the *site* wants the cookies of its main page and serves ``/api``.
"""

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from market_data.providers.nse import lists as nse_lists
from market_data.providers.nse.files import CM, FULL, UDIFF, Layout

ARCHIVE, SITE = "archive", "site"
FULL_SINCE = date(2020, 1, 1)
"""Approximate first day of the file with deliveries; for earlier days the one without is requested first."""

UDIFF_SINCE = date(2024, 7, 8)
"""First session of the UDiFF layout, which replaced the old one."""

REPORT_MEMBERS = ("mcap", "pd", "bc")
"""Name prefixes of the files in a report pack that have a reader."""


@dataclass(frozen=True)
class Remote:
    """A file at the exchange: ``archive`` or ``site``, the path below it with the query, and the local name."""

    host: str
    path: str
    name: str


@dataclass(frozen=True)
class Hosts:
    """Addresses of the two hosts; an empty site means no cookies and none of its services."""

    archive: str
    site: str

    def url(self, remote: Remote) -> str:
        """Return the whole address of a file."""
        base = self.archive if remote.host == ARCHIVE else self.site
        return f"{base.rstrip('/')}/{remote.path}"


def bars(day: date) -> list[tuple[Layout, Remote]]:
    """Return the possible files of a session's bars, preferred layout first; only FULL has deliveries."""
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
    """Return the zip of a session's market reports."""
    return Remote(ARCHIVE, f"archives/equities/bhavcopy/pr/PR{day:%d%m%y}.zip", f"PR{day:%d%m%y}.zip")


def earnings_ratios(day: date) -> Remote:
    """Return the official P/E of a session."""
    return Remote(ARCHIVE, f"content/equities/peDetail/PE_{day:%d%m%y}.csv", f"PE_{day:%d%m%y}.csv")


def lists() -> list[Remote]:
    """Return the undated lists, each of which replaces the stored one as a whole."""
    equities = (nse_lists.EQUITIES, nse_lists.CHANGES)
    return [
        *(Remote(ARCHIVE, f"content/equities/{name}", name) for name in equities),
        *(Remote(ARCHIVE, f"content/indices/{name}", name) for name in nse_lists.INDEX_LISTS),
    ]


def holidays(year: int) -> Remote:
    """Return the holiday service, which answers only for the current year."""
    return Remote(SITE, "api/holiday-master?type=trading", nse_lists.HOLIDAYS.replace("*", f"{year}-api"))


def corporate_actions(first: date, last: date) -> Remote:
    """Return the list of corporate actions with ex-dates from one day to another, as csv."""
    query = urlencode(
        {"index": "equities", "from_date": f"{first:%d-%m-%Y}", "to_date": f"{last:%d-%m-%Y}", "csv": "true"}
    )
    return Remote(SITE, f"api/corporates-corporateActions?{query}", nse_lists.ACTIONS)


# As the exchange writes them, whatever the locale of this process.
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
