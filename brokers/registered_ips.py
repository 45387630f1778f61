"""The addresses from which a broker takes orders of an account."""

from ipaddress import ip_address
from typing import Any, Final

from django.core.exceptions import ValidationError

MOST: Final = 2
"""Both brokers register a first and a second one."""


def validate_registered_ips(value: Any) -> None:
    """Raise ValidationError unless this is a list of at most two different IPv4 or IPv6 addresses, each as text."""
    if not isinstance(value, list):
        raise ValidationError('Registered addresses are a list of texts, such as ["203.0.113.7"].')
    if len(value) > MOST:
        raise ValidationError(
            f"{len(value)} registered addresses: a broker takes {MOST} at most, leave the others out."
        )
    addresses = [_address(text) for text in value]
    if len(set(addresses)) < len(addresses):
        raise ValidationError("A registered address is given twice: leave one out.")


def _address(text: Any) -> Any:
    try:
        if isinstance(text, str) and "%" not in text:  # a zone is of one machine
            return ip_address(text)
    except ValueError:
        pass
    raise ValidationError(f"{text!r} is no IPv4 or IPv6 address: write one as 203.0.113.7, without port or mask.")
