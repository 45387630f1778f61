"""Fyers through its library `fyers_apiv3` 3.2, behind our guard; judged by what the wire did.

The library never raises, and its code −99 means a rejection when the server says it and a lost answer when the library
says it itself. So an error goes by the answer itself (`docs/brokers.md` has the table).
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import requests

from brokers.addresses import VENDORS_ROOTS
from brokers.answers import PAUSES_SECONDS, VendorClient, named_wait
from brokers.http import AnswerLimits, Exchange, GuardedAdapter, Turn, guard_session, no_turn
from brokers.protocol import WRITES, BrokerError, NotAuthenticated, Refused, TooManyCalls
from brokers.vendor_words import vendor_words

_LOGS_IN: Final = (-8, -15, -16, -17)
_REFUSED: Final = (-352, -373)
_TOO_MANY: Final = -429
_SYSTEMS: Final = (-96, -201, -202, -204, -205)
_NOT_ACKNOWLEDGED: Final = 201
_BAD_REQUEST: Final = 400


class FyersClient(VendorClient):
    """One account at Fyers; `files` are those that Fyers shows to everybody."""

    title = "Fyers"

    def __init__(
        self,
        app_id: str,
        access_token: str,
        *,
        root: str = VENDORS_ROOTS["FYERS_API_ROOT"],
        public_root: str = VENDORS_ROOTS["FYERS_PUBLIC_ROOT"],
        limits: AnswerLimits | None = None,
        turn: Turn = no_turn,
        pauses: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        super().__init__(GuardedAdapter(root, limits or AnswerLimits(), turn), pauses)
        self.fyers = _quiet_model(app_id, access_token)
        guard_session(self.fyers.service.session, self.adapter)
        self.files = FyersFiles(public_root, limits, pauses)

    def close(self) -> None:
        self.fyers.service.session.close()
        self.files.close()

    def requests_made(self) -> int:
        return self.requests_sent + self.files.requests_sent

    def _point(self) -> None:
        from fyers_apiv3.fyersModel import Config  # its addresses belong to the whole process

        Config.API, Config.DATA_API = f"{self.adapter.root}/api/v3", f"{self.adapter.root}/data"

    def _content(self, answer: dict[str, Any], exchange: Exchange, call: str) -> Any:
        status, code = exchange.status or 0, answer.get("code")
        if answer.get("s") == "error" or (isinstance(code, int) and code < 0):
            raise self._error(answer, exchange, call)
        if status >= 500:
            raise self.unavailable(call, f"it answers {status}")
        if status >= 400 or answer.get("s") != "ok":
            raise self.unreadable(call, f"{status} without its “s”")
        if call in WRITES and code == _NOT_ACKNOWLEDGED:
            raise self.unknown(call, "it was sent to the exchange and not acknowledged", str(code))
        return answer

    def _code(self, answer: dict[str, Any]) -> str | None:
        number = answer.get("code")
        return str(number) if isinstance(number, int) and not isinstance(number, bool) and number else None

    def _error(self, answer: dict[str, Any], exchange: Exchange, call: str) -> BrokerError:
        status, code, words = exchange.status or 0, self._code(answer), vendor_words(answer.get("message"))
        number = int(code or 0)
        if number in _LOGS_IN:
            return NotAuthenticated(f"Fyers wants a new log-in for {call}: {words}.", code=code)
        if number in _REFUSED:
            return Refused(f"Fyers does not permit {call}: {words}. Check app, permissions and address.", code=code)
        if number == _TOO_MANY:
            return TooManyCalls(
                f"Fyers did not take {call}, too many calls: {words}. Call less often.",
                code=code,
                retry_after_seconds=named_wait(exchange.headers),
            )
        if number in _SYSTEMS or status >= 500:
            return self.unavailable(call, f"it says {words}", code)
        if number < 0 or number == _BAD_REQUEST:
            return self.rejected(call, words, code)
        return self.unreadable(call, f"an error without a code of Fyers, {words}")


class FyersFiles(VendorClient):
    """Fyers' public files: no account, no limit."""

    title = "Fyers"

    def __init__(self, root: str, limits: AnswerLimits | None, pauses: Sequence[float]) -> None:
        super().__init__(GuardedAdapter(root, limits or AnswerLimits()), pauses)
        self._session = requests.Session()
        guard_session(self._session, self.adapter)

    def close(self) -> None:
        self._session.close()

    def master(self) -> bytes:
        """The list of all instruments of the cash market of the NSE."""
        address = f"{self.adapter.root}/sym_details/NSE_CM.csv"
        return self.text("symbol_master", "", lambda: self._session.get(address))

    def limits(self) -> bytes:
        """The price bands and surveillance of all instruments of the cash market of the NSE, as JSON."""
        address = f"{self.adapter.root}/sym_details/NSE_CM_sym_master.json"
        call = "trading_limits"
        return self._repeated(call, lambda: self._document(call, self._exchange(call, "", partial(self._get, address))))

    def _get(self, address: str) -> object:
        return self._session.get(address)

    def _document(self, call: str, exchange: Exchange) -> bytes:
        if exchange.status != 200 or "html" in exchange.headers.get("Content-Type", "").lower():
            self._json(call, exchange)
            raise self.unreadable(call, f"it answers {exchange.status}")
        return exchange.body

    def _content(self, answer: dict[str, Any], exchange: Exchange, call: str) -> Any:
        status = exchange.status or 0
        raise self.unavailable(call, f"it answers {status}") if status >= 500 else self.unreadable(call, "it is JSON")


def _quiet_model(app_id: str, access_token: str) -> Any:
    """The library's model without its two log files, which it would open each time and write bodies into."""
    from fyers_apiv3.fyersModel import FyersModel, FyersServiceSync

    class QuietModel(FyersModel):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            self.client_id, self.token, self.is_async = app_id, access_token, False
            self.header = f"{app_id}:{access_token}"
            silent = logging.Logger("fyers", logging.CRITICAL + 1)
            self.service = FyersServiceSync(silent, silent)

    return QuietModel()
