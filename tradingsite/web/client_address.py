"""The address of the client behind a request; used by log-in limits and by whatever records who did something.

Each proxy appends the address it was called from to X-Forwarded-For, so with PROXY_COUNT proxies of our own the entry
that many from the right is the client's. What stands left of it was sent by the client, and proves nothing.
"""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"  # an address to record, not to bind to
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address in its canonical form, never with a port.

    X-Forwarded-For counts only with PROXY_COUNT set and at least that many entries. Anything malformed leaves the
    address of the connection, and a connection without an address (a Unix socket) is `UNKNOWN`.
    """
    return _forwarded(request) or _canonical(request.META.get("REMOTE_ADDR", "")) or UNKNOWN


def _forwarded(request: HttpRequest) -> str:
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if not 1 <= settings.PROXY_COUNT <= len(entries):
        return ""
    return _canonical(entries[-settings.PROXY_COUNT])


def _canonical(text: str) -> str:
    """Return an address without port and blanks, an IPv4 one never as IPv6; empty if it is no address."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:  # a name of the proxy's own interface, which no column of addresses takes
            return ""
        return str(address.ipv4_mapped or address)
    return str(address)
