"""Tags, orders that are none, and the words of errors."""

import re
import subprocess
import sys
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import protocol
from brokers.charges import Side
from brokers.protocol import CALLS, BrokerError, OrderRequest, OrderType, check_tag, order_tag

TAG = order_tag(UUID("12345678-1234-5678-1234-567812345678"))


def test_a_tag_by_hand():
    # 0x12345678 12345678 1234…: 5 bits a character, 00010 01000 11010 00101 01100 11110 …
    assert TAG == "CI2FM6ASGRLHQERUKZ4B"


@given(st.uuids(), st.uuids())
def test_a_tag_suits_both_vendors_and_tells_keys_apart(key: UUID, other: UUID):
    tag = order_tag(key)
    assert re.fullmatch(r"[A-Z2-7]{20}", tag)
    check_tag(tag)
    if key.int >> 28 != other.int >> 28:
        assert tag != order_tag(other)


@pytest.mark.parametrize("tag", ["A" * 21, "A B", "Untagged", "", "1:TAG", "Ä1"])
def test_what_a_vendor_would_change_is_no_tag(tag: str):
    with pytest.raises(ValueError, match="is no tag"):
        check_tag(tag)


@pytest.mark.parametrize(
    ("order_type", "price", "trigger_price", "words"),
    [
        (OrderType.LIMIT, None, None, "needs a price"),
        (OrderType.MARKET, Decimal(1), None, "has no price"),
        (OrderType.STOP, Decimal(1), None, "needs a trigger_price"),
        (OrderType.STOP_MARKET, None, Decimal(0), "must be above 0"),
        (OrderType.LIMIT, Decimal(-1), None, "must be above 0"),
        (OrderType.LIMIT, Decimal("Infinity"), None, "must be above 0 and finite"),
        (OrderType.LIMIT, Decimal("NaN"), None, "must be above 0 and finite"),
    ],
)
def test_prices_go_with_the_kind_of_order(order_type, price, trigger_price, words: str):
    with pytest.raises(ValueError, match=words):
        OrderRequest("SBIN", Side.BUY, 1, order_type, TAG, price, trigger_price)


def test_an_order_for_nothing_is_none():
    with pytest.raises(ValueError, match="above 0"):
        OrderRequest("SBIN", Side.BUY, 0, OrderType.MARKET, TAG)


def test_each_word_has_one_error():
    words = {"unavailable", "not_authenticated", "rejected", "refused", "unknown", "unreadable", "unsupported"}
    assert sorted(error.word for error in BrokerError.__subclasses__()) == sorted(words)
    assert all(hasattr(protocol.Broker, call) for call in CALLS)


def test_the_protocol_needs_neither_django_nor_a_vendors_library():
    code = (
        "import sys, brokers.protocol; print({'django', 'kiteconnect', 'fyers_apiv3', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
