"""The brokers' own addresses, by the settings that may name others; pure."""

from typing import Final

VENDORS_ROOTS: Final = {
    "KITE_API_ROOT": "https://api.kite.trade",
    "FYERS_API_ROOT": "https://api-t1.fyers.in",
    "FYERS_PUBLIC_ROOT": "https://public.fyers.in",
}

KITE_LOGIN_ROOT: Final = "https://kite.zerodha.com"
"""Where people log in to Kite; Fyers' page is at its `FYERS_API_ROOT`."""
