"""Kite Connect through its library `kiteconnect` 5.2, behind our guard; judged by what the wire did.

The library knows seven of Kite's types of errors and loses the others, so an error goes by the `error_type` of the
answer itself (`docs/brokers.md` has the table).
"""

from collections.abc import Sequence
from typing import Any, Final

from brokers.addresses import VENDORS_ROOTS
from brokers.answers import PAUSES_SECONDS, VendorClient
from brokers.http import AnswerLimits, Exchange, GuardedAdapter, Turn, guard_session, no_turn
from brokers.protocol import WRITES, BrokerError, NotAuthenticated, Refused
from brokers.vendor_words import vendor_words

_LOGS_IN: Final = ("TokenException",)
_REFUSED: Final = ("UserException", "PermissionException")
_REJECTED: Final = ("InputException", "MarginException", "HoldingException")
_ORDER: Final = "OrderException"
_SYSTEMS: Final = ("NetworkException", "DataException")


class KiteClient(VendorClient):
    """One account at Zerodha."""

    title = "Zerodha"

    def __init__(
        self,
        api_key: str,
        access_token: str,
        *,
        root: str = VENDORS_ROOTS["KITE_API_ROOT"],
        limits: AnswerLimits | None = None,
        turn: Turn = no_turn,
        pauses: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        from kiteconnect import KiteConnect  # installs Twisted's reactor: only who trades needs it

        super().__init__(GuardedAdapter(root, limits or AnswerLimits(), turn), pauses)
        self.kite = KiteConnect(api_key, access_token, root=root)
        guard_session(self.kite.reqsession, self.adapter)

    def close(self) -> None:
        self.kite.reqsession.close()

    def _content(self, answer: dict[str, Any], exchange: Exchange, call: str) -> Any:
        status = exchange.status or 0
        if answer.get("status") == "error" or answer.get("error_type"):
            raise self._error(answer, status, call)
        if status >= 500:
            raise self.unavailable(call, f"it answers {status}")
        if status >= 400 or answer.get("status") != "success" or "data" not in answer:
            raise self.unreadable(call, f"{status} without status and data")
        return answer["data"]

    def _code(self, answer: dict[str, Any]) -> str | None:
        kind = answer.get("error_type")
        return kind if isinstance(kind, str) else None

    def _error(self, answer: dict[str, Any], status: int, call: str) -> BrokerError:
        code = self._code(answer)
        words = vendor_words(answer.get("message"))
        if code in _LOGS_IN:
            return NotAuthenticated(f"Zerodha wants a new log-in for {call}: {words}.", code=code)
        if code in _REFUSED:
            return Refused(
                f"Zerodha does not permit {call}: {words}. Check app, plan and registered address.", code=code
            )
        if code in _REJECTED:
            return self.rejected(call, words, code)
        if code in _SYSTEMS or status >= 500 or (code == _ORDER and call not in WRITES):
            return self.unavailable(call, f"it says {words}", code)
        return self.rejected(call, words, code)
