"""One polite visitor of the exchange: one connection, waits, bounded retries, cookies, resumed answers, limits.

Source of the manners: the exchange's servers answer 401 or 403 to who brings no cookies of the main page or names no
browser, 429 or 503 (sometimes with ``Retry-After``) to who asks too fast, and drop connections under load. Nothing of
what a server sends but status, length, date and validators is believed here; what the bytes mean is for ``checks``.
"""

import contextlib
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from market_data.providers import ProviderError, SourceUnreadable, TransientProviderError
from market_data.providers.nse.download.transfer import Answer, Transfer, Validators, tells_end
from market_data.providers.nse.download.watchdog import Watchdog, WatchedAdapter

MAX_REDIRECTS = 3
LONGEST_BACK_OFF_SECONDS = 60.0
_CHUNK = 64 * 1024
_HEADERS = {
    # The exchange refuses whoever does not look like a browser.
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,text/csv,application/json,application/zip,*/*;q=0.8",
    "Accept-Language": "en-IN,en;q=0.9",
    "Accept-Encoding": "gzip, deflate",
}
_DENIED, _GONE = (401, 403), (404, 410)
_LATER = (408, 425, 429, 500, 502, 503, 504)

logger = logging.getLogger(__name__)


class Absent(ProviderError):
    """The server says that there is no such file."""

    runbook = "file-missing"


class Refused(ProviderError):
    """The server does not let us in, or sends us elsewhere: asking again now is of no use."""

    runbook = "source-silent"


class Unreachable(TransientProviderError):
    """No whole answer in spite of several tries.

    Attributes
    ----------
    wait_seconds
        How long the server asks to stay away; 0 when it does not say.
    """

    def __init__(self, sentence: str, wait_seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class OutOfTime(TransientProviderError):
    """The time for all downloads together is over."""


@dataclass(frozen=True)
class Politeness:
    """How to behave.

    Attributes
    ----------
    wait_seconds
        Pause between two requests, and up to half of it more by chance; back-off begins with twice this.
    timeout_seconds
        How long the server may stay silent.
    file_seconds
        How long one answer may take in all.
    deadline_seconds
        How long all of one visit may take.
    attempts
        Tries for one file.
    max_bytes
        Largest answer taken, as sent and as unpacked from its transfer encoding.
    """

    wait_seconds: float = 1.0
    timeout_seconds: float = 30.0
    file_seconds: float = 180.0
    deadline_seconds: float = 3600.0
    attempts: int = 4
    max_bytes: int = 64 * 1024 * 1024


class _Again(Exception):
    """Worth another try; ``after`` is what the server asks to wait, in seconds."""

    def __init__(self, sentence: str, after: float = 0.0) -> None:
        super().__init__(sentence)
        self.after = after


class _Denied(Exception):
    """401 or 403."""


class PoliteClient:
    """Downloads files one after the other; use it as a context.

    Parameters
    ----------
    site
        Address of the main page that gives out cookies; empty when none are needed.
    politeness
        Waits and limits; the deadline counts from here.
    """

    def __init__(self, site: str, politeness: Politeness) -> None:
        self.site, self.politeness = site, politeness
        self.requests_made = 0
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        self._watchdog = Watchdog()
        adapter: HTTPAdapter = WatchedAdapter(self._watchdog)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._ends_at = time.monotonic() + politeness.deadline_seconds
        self._free_at = 0.0
        self._welcomed = not site

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.close()
        self._session.close()

    def download(self, url: str, target: Path, known: Validators | None = None) -> Answer | None:
        """Write what lies at an address into a file; a cut-off answer is gone on with where the server allows it.

        Parameters
        ----------
        url
            Address.
        target
            Written only here, and complete only when this returns; a partial one is left behind by an error.
        known
            Version at hand: with it, only another one is sent.

        Returns
        -------
        Answer or None
            None when the known version is still the present one.

        Raises
        ------
        Absent, Refused, Unreachable, OutOfTime, SourceUnreadable
            The last one when the answer is larger than allowed or no file.
        """
        if not self._welcomed:
            self._fetch_cookies()
        transfer = Transfer(target, known)
        tries, renewed = 0, False
        while True:
            try:
                return self._attempt(url, transfer)
            except _Denied as denied:
                if renewed or not self.site:
                    raise Refused(f"{denied} {_BLOCKED}") from None
                renewed = True
                self._fetch_cookies()
            except _Again as again:
                tries += 1
                if tries >= self.politeness.attempts:
                    raise Unreachable(f"{again} It was asked {tries} times.", again.after) from None
                self._back_off(tries, again)

    def _attempt(self, url: str, transfer: Transfer) -> Answer | None:
        with self._response(url, transfer.headers()) as response:
            name, status = _name(url), response.status_code
            if status in _DENIED:
                raise _Denied(f"{_host(url)} refuses {name} ({status}).")
            if status in _GONE:
                raise Absent(f"{_host(url)} has no {name} ({status}).")
            if status in _LATER:
                raise _Again(f"{_host(url)} answers {status} to {name}.", _retry_after(response))
            if status == 304 and transfer.is_conditional:
                return None
            if not transfer.accepts(response):
                transfer.start_anew()
                if status in (206, 304, 416):
                    raise _Again(f"{_host(url)} answers {status} to {name}, which was not what was asked for.")
                raise SourceUnreadable(f"{_host(url)} answers {status} to {name} instead of sending a file. {_WAIT}")
            self._receive(response, transfer, name)
            return Answer(transfer.validators, tells_end(response))

    def _receive(self, response: requests.Response, transfer: Transfer, name: str) -> None:
        """Write the body as it comes, keeping to the limits of size and time."""
        limit = self.politeness.max_bytes
        declared = response.headers.get("Content-Length", "")
        if declared.isdigit() and int(declared) > limit:
            raise SourceUnreadable(f"{name} would have {int(declared):,} bytes, not at most {limit:,}. {_WAIT}")
        with transfer.open() as file:
            while True:
                with _translated(f"The answer for {name} broke off after {transfer.size:,} bytes"):
                    chunk = response.raw.read1(_CHUNK, decode_content=True)
                    self._watchdog.check()
                if not chunk:
                    return
                transfer.size += len(chunk)
                if transfer.size > limit:
                    raise SourceUnreadable(f"{name} grows beyond {limit:,} bytes: not taken. {_WAIT}")
                file.write(chunk)

    @contextmanager
    def _response(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Ask for an address, following redirects on the same host only."""
        asked = url
        with self._watchdog.limit(self.politeness.file_seconds):
            for _ in range(MAX_REDIRECTS + 1):
                self._wait_for_turn()
                try:
                    with _translated(f"{_host(url)} does not answer to {_name(url)}"):
                        response = self._session.get(
                            asked,
                            headers=headers,
                            stream=True,
                            allow_redirects=False,
                            timeout=self.politeness.timeout_seconds,
                        )
                finally:
                    self._free_at = time.monotonic() + self.politeness.wait_seconds
                try:
                    if not response.is_redirect:
                        yield response
                        return
                    asked = _same_host(asked, response.headers["Location"])
                finally:
                    _emptied(response)
                    response.close()
                    self._free_at = time.monotonic() + self.politeness.wait_seconds
        raise Refused(f"{_host(url)} sends {_name(url)} round in a circle of redirects. {_WAIT}")

    def _fetch_cookies(self) -> None:
        """Visit the main page for cookies; without them the archive may still answer, so trouble is only noted."""
        self._welcomed = True
        self._session.cookies.clear()
        try:
            with self._response(self.site, {}) as response:
                status = response.status_code
            logger.info("main page visited", extra={"status": status, "cookie_count": len(self._session.cookies)})
        except (_Again, Refused) as error:
            logger.warning("main page not reached", extra={"reason": str(error)})

    def _wait_for_turn(self) -> None:
        jitter = random.uniform(0.0, self.politeness.wait_seconds / 2)
        self._sleep(max(0.0, self._free_at + jitter - time.monotonic()))
        self.requests_made += 1

    def _back_off(self, tries: int, again: _Again) -> None:
        pause = min(self.politeness.wait_seconds * 2**tries, LONGEST_BACK_OFF_SECONDS) * random.uniform(1.0, 1.5)
        if again.after > LONGEST_BACK_OFF_SECONDS:
            raise Unreachable(f"{again} It asks to wait {again.after:.0f} seconds.", again.after) from None
        logger.info("asked again", extra={"reason": str(again), "seconds": round(max(pause, again.after), 1)})
        self._sleep(max(pause, again.after))

    def _sleep(self, seconds: float) -> None:
        if time.monotonic() + seconds > self._ends_at:
            raise OutOfTime(
                f"The downloads did not end within {self.politeness.deadline_seconds:.0f} seconds; "
                "what came stays, the next run goes on. NSE_DOWNLOAD_DEADLINE_SECONDS allows more."
            )
        time.sleep(seconds)


_WAIT = "Try again later, or put the file there by hand."
_BLOCKED = (
    "New cookies did not help: this address may be blocked for a while. Wait an hour, set NSE_DOWNLOAD_WAIT_SECONDS "
    "higher, or put the file there by hand."
)


@contextmanager
def _translated(sentence: str) -> Iterator[None]:
    """Turn what the network libraries raise into a try to be repeated; the reason names no header and no query."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError, ConnectionError) as error:
        raise _Again(f"{sentence} ({type(error).__name__}).") from error


def _emptied(response: requests.Response) -> None:
    """Read the little that is left of an answer, so that its connection can be used again."""
    with contextlib.suppress(requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        left = response.headers.get("Content-Length", "")
        if left.isdigit() and int(left) <= _CHUNK:
            response.raw.read(_CHUNK)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2] or "the main page"


def _same_host(asked: str, location: str) -> str:
    """Return where a redirect leads, if that is on the same host."""
    there, here = urlsplit(urljoin(asked, location)), urlsplit(asked)
    upgraded = (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) and not upgraded:
        raise Refused(
            f"{_host(asked)} sends {_name(asked)} elsewhere (to {there.hostname}), which is not followed. "
            "If the exchange has moved, set NSE_ARCHIVE_URL or NSE_SITE_URL to the new address."
        )
    return there.geturl()


def _retry_after(response: requests.Response) -> float:
    """Return the seconds that the server asks to wait; a date counts from the server's own clock."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isdigit():
        return float(said)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0
