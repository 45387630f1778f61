"""A file on its way: asked for whole, as a newer version only, or from where an earlier answer broke off."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests


@dataclass(frozen=True)
class Validators:
    """What the server said by which to recognise a version of a file; empty where it said nothing."""

    etag: str = ""
    last_modified: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for a newer version only."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}

    @property
    def for_range(self) -> str:
        """What ``If-Range`` may carry: a strong tag or a date; empty where a rest cannot be asked for safely."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


@dataclass(frozen=True)
class Answer:
    """A file as received.

    Attributes
    ----------
    validators
        To ask for a newer version later.
    end_known
        Whether the server told the length, so that a lost tail would have been noticed.
    """

    validators: Validators
    end_known: bool


class Transfer:
    """A file on its way: how much is here, and by what to recognise the version it is of.

    Parameters
    ----------
    target
        Where it is written.
    known
        Version at hand elsewhere; only another one is asked for.
    """

    def __init__(self, target: Path, known: Validators | None) -> None:
        self.size = 0
        self.validators = Validators()
        self._target, self._known = target, known
        self._rest_offered = False

    @property
    def is_conditional(self) -> bool:
        """Whether only another version is asked for."""
        return bool(self._known and self._known.conditions and not self.size)

    def headers(self) -> dict[str, str]:
        """Return what to ask with: the rest of what is here, a newer version, or the whole."""
        if self.size and not self._rest_offered:
            self.start_anew()
        if self.size:
            return {
                "Range": f"bytes={self.size}-",
                "If-Range": self.validators.for_range,
                "Accept-Encoding": "identity",
            }
        return self._known.conditions if self._known else {}

    def accepts(self, response: requests.Response) -> bool:
        """Take note of an answer; False when it is neither the whole file nor the rest that was asked for."""
        encoded = response.headers.get("Content-Encoding", "identity").lower() != "identity"
        if response.status_code == 206:
            begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            same = response.headers.get("ETag", self.validators.etag) == self.validators.etag
            return bool(self.size and begins and int(begins[1]) == self.size and same and not encoded)
        if response.status_code != 200:
            return False
        self.start_anew()
        self.validators = Validators(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
        self._rest_offered = bool(self.validators.for_range) and not encoded
        return True

    def start_anew(self) -> None:
        """Throw away what is here."""
        self.size = 0
        self._target.unlink(missing_ok=True)

    def open(self) -> BinaryIO:
        """Open the file for more bytes."""
        return self._target.open("ab")


def tells_end(response: requests.Response) -> bool:
    """Tell whether an answer says how long it is, so that a lost tail is noticed; a packed one hides its own end."""
    headers = response.headers
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return "Content-Encoding" not in headers and (chunked or headers.get("Content-Length", "").isdigit())
