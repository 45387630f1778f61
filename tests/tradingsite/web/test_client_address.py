"""Whose address a request has, directly and behind proxies."""

import pytest
from django.test import RequestFactory

from tradingsite.web.client_address import client_address

PROXY = "10.0.0.1"


def address(forwarded: str | None, proxies: int, settings, remote: str = PROXY) -> str:
    settings.PROXY_COUNT = proxies
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory(headers=headers).get("/", REMOTE_ADDR=remote))


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.5", "203.0.113.5, 203.0.113.6"])
def test_without_a_proxy_of_ours_the_header_proves_nothing(forwarded, settings):
    assert address(forwarded, 0, settings, "192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ("203.0.113.5", 1, "203.0.113.5"),
        ("198.51.100.1, 203.0.113.5", 1, "203.0.113.5"),  # the left one was sent by the client
        ("evil, 198.51.100.1,,203.0.113.5 ", 1, "203.0.113.5"),
        ("203.0.113.5, 10.0.0.2", 2, "203.0.113.5"),
        ("198.51.100.1, 203.0.113.5, 10.0.0.2", 2, "203.0.113.5"),
        ("203.0.113.5:51034", 1, "203.0.113.5"),
        ("2001:DB8:0::5", 1, "2001:db8::5"),
        ("[2001:db8::5]:443", 1, "2001:db8::5"),
        ("[2001:db8::5]", 1, "2001:db8::5"),
        ("::ffff:203.0.113.5", 1, "203.0.113.5"),
    ],
)
def test_behind_proxies_the_entry_counts_from_the_right(forwarded, proxies, expected, settings):
    assert address(forwarded, proxies, settings) == expected


@pytest.mark.parametrize(
    ("forwarded", "proxies"),
    [
        (None, 1),
        ("", 1),
        (" , ", 1),
        ("203.0.113.5", 2),  # shorter than the proxies that must have appended to it
        ("203.0.113.5, unknown", 1),
        ("203.0.113.5, 203.0.113.500", 1),
        ("203.0.113.5, 203.0.113.6:port", 1),
        ("203.0.113.5, [2001:db8::5", 1),
        ("203.0.113.5, fe80::1%eth0", 1),
        ("203.0.113.5, 1", 1),
        ("203.0.113.5, \xa0é", 1),
    ],
)
def test_a_malformed_header_leaves_the_address_of_the_connection(forwarded, proxies, settings):
    assert address(forwarded, proxies, settings) == PROXY


@pytest.mark.parametrize(("remote", "expected"), [("", "0.0.0.0"), ("::ffff:192.0.2.7", "192.0.2.7"), ("::1", "::1")])
def test_a_connection_has_an_address_of_one_form(remote, expected, settings):
    assert address(None, 1, settings, remote) == expected
