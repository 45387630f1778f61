"""HTTP client for the exchange: one connection, pauses, bounded retries, cookies, limits of size and time.

The exchange's servers answer 401 or 403 to requests without cookies of the main page or without a browser's name, 429
or 503 (sometimes with ``Retry-After``) to frequent requests, and drop connections under load. Of what a server sends,
only status, length, date and validators are believed here; what the bytes mean is for ``checks``.
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
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.util import Retry

from brokers.http import DeadlineAdapter, ResponseDeadline
from market_data.providers import ProviderError, SourceUnreadable, TransientProviderError

MAX_REDIRECTS = 3
LONGEST_PAUSE_SECONDS = 60.0
_BLOCK = 64 * 1024
_HEADERS = {
    # The exchange refuses clients that do not look like a browser.
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,text/csv,application/json,application/zip,*/*;q=0.8",
    "Accept-Language": "en-IN,en;q=0.9",
    "Accept-Encoding": "gzip, deflate",
}
_DENIED, _GONE = (401, 403), (404, 410)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_REMEDY = "Try again later, or put the file there by hand."
_BLOCKED = (
    "New cookies did not help: this address may be blocked for a while. Wait an hour, set NSE_DOWNLOAD_WAIT_SECONDS "
    "higher, or put the file there by hand."
)

logger = logging.getLogger(__name__)


class Absent(ProviderError):
    """The server has no such file."""

    runbook = "file-missing"


class Refused(ProviderError):
    """The server denies access or redirects to another host: another request now would not help."""

    runbook = "source-silent"


class Unreachable(TransientProviderError):
    """No complete answer after several requests.

    ``wait_seconds`` is how long the server asks not to be contacted; 0 when it does not say.
    """

    def __init__(self, sentence: str, wait_seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class OutOfTime(TransientProviderError):
    """The time for all downloads together is over."""


class _Denied(Exception):
    """Status 401 or 403."""


class _Failure(Exception):
    """A failure worth a retry; ``wait_seconds`` is the pause the server asks for."""

    def __init__(self, sentence: str, wait_seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Politeness:
    """Pauses and limits.

    - wait_seconds: pause between two requests, plus up to half of it at random; retries pause twice as long each time;
    - timeout_seconds: how long the server may stay silent;
    - file_seconds, deadline_seconds: how long one answer, and all downloads together, may take;
    - attempts: requests for one file;
    - max_bytes: largest accepted answer, both as sent and after its transfer encoding is removed.
    """

    wait_seconds: float = 1.0
    timeout_seconds: float = 30.0
    file_seconds: float = 180.0
    deadline_seconds: float = 3600.0
    attempts: int = 4
    max_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class Validators:
    """The server's marks of a file's version; empty where it sent none."""

    etag: str = ""
    last_modified: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that request the file only if its version differs."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}


@dataclass(frozen=True)
class Answer:
    """A file as received: what the next conditional request needs.

    ``end_known`` tells whether the server sent the length, so that a lost tail would have been noticed.
    """

    validators: Validators
    end_known: bool


class PoliteClient:
    """Downloads one file after the other; a context manager; the deadline counts from its making.

    ``site`` is the address of the main page that sets cookies; empty when none are needed.
    """

    def __init__(self, site: str, politeness: Politeness) -> None:
        self.site, self.politeness = site, politeness
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        self._deadline = ResponseDeadline()
        adapter = DeadlineAdapter(self._deadline)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._ends_at = time.monotonic() + politeness.deadline_seconds
        self._next_request_at = 0.0
        self._needs_cookies = bool(site)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._deadline.close()
        self._session.close()

    def download(self, url: str, target: Path, known: Validators | None = None) -> Answer | None:
        """Write the file at an address to ``target``; an answer that breaks off is requested again from its start.

        ``target`` is complete only when this returns; an error may leave a partial file. With ``known``, the version
        already stored, the file is sent only if it differs; None is returned when that is still current.

        Raises Absent, Refused, Unreachable, OutOfTime, and SourceUnreadable when the answer is larger than allowed or
        is no file.
        """
        if self._needs_cookies:
            self._fetch_cookies()
        wait, attempts = self.politeness.wait_seconds, self.politeness.attempts
        # urllib3 itself retries only until the headers have arrived, so a body that breaks off is reported to it here.
        retries = Retry(total=attempts, backoff_factor=2 * wait, backoff_jitter=wait, backoff_max=LONGEST_PAUSE_SECONDS)
        has_new_cookies = False
        while True:
            try:
                return self._attempt(url, target, known)
            except _Denied as denied:
                if has_new_cookies or not self.site:
                    raise Refused(f"{denied} {_BLOCKED}") from None
                has_new_cookies = True
                self._fetch_cookies()
            except _Failure as failure:
                retries = retries.increment("GET", url, error=failure)
                if len(retries.history) >= attempts:
                    raise Unreachable(f"{failure} It was requested {attempts} times.", failure.wait_seconds) from None
                self._pause(retries.get_backoff_time(), failure)

    def _attempt(self, url: str, target: Path, known: Validators | None) -> Answer | None:
        conditions = known.conditions if known else {}
        host, name = _host(url), _file_name(url)
        with self._response(url, conditions) as response:
            status = response.status_code
            if status in _DENIED:
                raise _Denied(f"{host} refuses {name} ({status}).")
            if status in _GONE:
                raise Absent(f"{host} has no {name} ({status}).")
            if status in _BUSY:
                raise _Failure(f"{host} answers {status} to {name}.", _retry_after_seconds(response))
            if status == 304 and conditions:
                return None
            if status != 200:
                raise SourceUnreadable(f"{host} answers {status} to {name} instead of sending the file. {_REMEDY}")
            self._receive(response, target, name)
            version = Validators(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
            return Answer(version, _has_known_end(response))

    def _receive(self, response: requests.Response, target: Path, name: str) -> None:
        """Write the body within the limits of size and time."""
        limit, size = self.politeness.max_bytes, 0
        declared = response.headers.get("Content-Length", "")
        if declared.isdigit() and int(declared) > limit:
            raise SourceUnreadable(f"{name} would have {int(declared):,} bytes, more than {limit:,}. {_REMEDY}")
        with target.open("wb") as file:
            while True:
                with _as_failure(f"The answer for {name} broke off after {size:,} bytes"):
                    block = response.raw.read1(_BLOCK, decode_content=True)
                    self._deadline.check()
                if not block:
                    return
                size += len(block)
                if size > limit:
                    raise SourceUnreadable(f"{name} grows beyond {limit:,} bytes and was not accepted. {_REMEDY}")
                file.write(block)

    @contextmanager
    def _response(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Send a request and follow redirects on the same host only."""
        address = url
        wait, timeout = self.politeness.wait_seconds, self.politeness.timeout_seconds
        with self._deadline.limit(self.politeness.file_seconds):
            for _ in range(MAX_REDIRECTS + 1):
                jitter = random.uniform(0.0, wait / 2)
                self._sleep(max(0.0, self._next_request_at + jitter - time.monotonic()))
                try:
                    with _as_failure(f"{_host(url)} does not answer to {_file_name(url)}"):
                        response = self._session.get(
                            address, headers=headers, stream=True, allow_redirects=False, timeout=timeout
                        )
                finally:
                    self._next_request_at = time.monotonic() + wait
                try:
                    if not response.is_redirect:
                        yield response
                        return
                    address = _redirect_target(address, response.headers["Location"])
                finally:
                    _drain(response)
                    response.close()
                    self._next_request_at = time.monotonic() + wait
        raise Refused(f"{_host(url)} answers {_file_name(url)} with a circle of redirects. {_REMEDY}")

    def _fetch_cookies(self) -> None:
        """Visit the main page for cookies; the archive may answer without them, so a failure is only logged."""
        self._needs_cookies = False
        self._session.cookies.clear()
        try:
            with self._response(self.site, {}) as response:
                status = response.status_code
            logger.info("main page visited", extra={"status": status, "cookie_count": len(self._session.cookies)})
        except (_Failure, Refused) as error:
            logger.warning("main page not reached", extra={"reason": str(error)})

    def _pause(self, seconds: float, failure: _Failure) -> None:
        wait = failure.wait_seconds
        if wait > LONGEST_PAUSE_SECONDS:
            raise Unreachable(f"{failure} It asks to wait {wait:.0f} seconds.", wait) from None
        logger.info("download retried", extra={"reason": str(failure), "seconds": round(max(seconds, wait), 1)})
        self._sleep(max(seconds, wait))

    def _sleep(self, seconds: float) -> None:
        if time.monotonic() + seconds > self._ends_at:
            raise OutOfTime(
                f"The downloads did not end within {self.politeness.deadline_seconds:.0f} seconds; complete files stay,"
                " and the next run continues. NSE_DOWNLOAD_DEADLINE_SECONDS allows more time."
            )
        time.sleep(seconds)


@contextmanager
def _as_failure(sentence: str) -> Iterator[None]:
    """Turn errors of the network libraries into failures worth a retry; no header and no query is repeated."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError, ConnectionError) as error:
        raise _Failure(f"{sentence} ({type(error).__name__}).") from error


def _drain(response: requests.Response) -> None:
    """Read a short rest of an answer, so that its connection can be used again."""
    with contextlib.suppress(requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length) <= _BLOCK:
            response.raw.read(_BLOCK)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _file_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2] or "the main page"


def _redirect_target(address: str, location: str) -> str:
    """Return the target of a redirect, if it is on the same host."""
    target, origin = urlsplit(urljoin(address, location)), urlsplit(address)
    is_upgrade = (origin.scheme, target.scheme) == ("http", "https") and origin.hostname == target.hostname
    if (target.scheme, target.netloc) != (origin.scheme, origin.netloc) and not is_upgrade:
        raise Refused(
            f"{_host(address)} redirects {_file_name(address)} elsewhere (to {target.hostname}), which is not followed."
            " If the exchange has moved, set NSE_ARCHIVE_URL or NSE_SITE_URL to the new address."
        )
    return target.geturl()


def _retry_after_seconds(response: requests.Response) -> float:
    """Return the pause the server asks for; a date is compared with the server's own clock, not with ours."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _has_known_end(response: requests.Response) -> bool:
    """Whether a lost tail would have been noticed; with a content encoding neither length nor chunks tell."""
    headers = response.headers
    is_chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return "Content-Encoding" not in headers and (is_chunked or headers.get("Content-Length", "").isdigit())
