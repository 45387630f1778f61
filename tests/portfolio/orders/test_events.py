"""The reading of events: what a line gives, and each bad line as a sentence with line, value and remedy."""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.orders.events import LARGEST_QUANTITY, MOST_LINES, EventError, FillId, Kind, event_of, events_of
from tests.portfolio.orders.histories import IST, Line, book, create, fill, line


def test_a_fill():
    event = event_of(json.dumps(fill("T1", 4, price=99.95) | {"broker_at": "2026-02-02T18:30:00Z"}).encode(), "Line 1")
    assert (event.kind, event.order, event.trade_id, event.quantity) == (Kind.FILL, "A", "T1", 4)
    assert event.price == Decimal("99.95")
    assert event.moment == datetime(2026, 2, 3, tzinfo=IST)
    assert event.fill_id == FillId("NSE", datetime(2026, 2, 3).date(), "T1")


@pytest.mark.parametrize("price", [100, "100", 100.0, "100.000000"])
def test_an_amount_is_a_text_or_a_number(price: Any):
    assert event_of(json.dumps(fill("T1", 4, price=price)).encode(), "Line 1").price == 100


def test_a_modification_may_have_no_price():
    assert event_of(json.dumps(line("modified", quantity=4, price=None)).encode(), "Line 1").price is None


def test_the_byte_order_mark_and_blank_lines_are_passed_over():
    content = json.dumps(line("queue")).encode()
    assert len(list(events_of([b"\xef\xbb\xbf" + content + b"\r\n", b" \n", content]))) == 2


def without(row: Line, name: str) -> Line:
    return {key: value for key, value in row.items() if key != name}


FILL, NO_TIME = fill("T1", 4), "is not a time with its offset; write one such as 2026-02-02T09:15:00+05:30"
WHOLE = f"is not a whole number of shares from 1 to {LARGEST_QUANTITY}; write one such as 100"
AMOUNT = 'is not a positive amount in ₹; write digits and a point, such as "2450.50"'
RAW = json.dumps(FILL).encode()

BAD: list[tuple[Any, str]] = [
    (line("filled"), "kind 'filled' is not known; write one of create, refuse, queue, send, answer, no_answer, reject"),
    (without(FILL, "kind"), "kind null is not known"),
    (line("queue") | {"kind": ["queue"]}, "kind […] is not known"),
    *((without(FILL, name), f"fill has no {name}; add it (kind, key, order, at, trade_id") for name in list(FILL)[1:]),
    (line("queue", quantity=1), "'quantity' is no field of queue; leave it out (kind, key, order, at, account)."),
    (create(price="1"), "'price' is no field of create; leave it out"),
    *((create(value), f"quantity {shown} {WHOLE}.") for value, shown in (
        (0, "0"), (-1, "-1"), (1.5, "1.5"), (1.0, "1.0"), ("10", "'10'"), (True, "true"), (None, "null"), ([1], "[…]"),
        (10**9, "1000000000"), (10**60, "1" + "0" * 39),
    )),
    (book("open", filled_quantity=-1), "filled_quantity -1 is not a whole number of shares from 0 to"),
    *((fill("T1", 1, price=value), f"price {shown} {AMOUNT}.") for value, shown in (
        (0, "0"), ("0.00", "'0.00'"), (-1, "-1"), ("-1", "'-1'"), ("NaN", "'NaN'"), (float("nan"), "NaN"),
        (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), ("Infinity", "'Infinity'"), ("1e5", "'1e5'"),
        ("1,000", "'1,000'"), (" 1", "' 1'"), ("٣", "'٣'"), ("", "''"), (None, "null"), (True, "true"), ({}, "{…}"),
        (10**13, "10000000000000"), ("0.0000001", "'0.0000001'"),
    )),
    (line("modified", quantity=1, price=0), f"price 0 {AMOUNT}."),
    *((FILL | {name: value}, f"{name} {shown} {NO_TIME}.") for name in ("at", "broker_at") for value, shown in (
        ("2026-02-02T09:15:00", "'2026-02-02T09:15:00'"), ("2026-02-02", "'2026-02-02'"), (1770000000, "1770000000"),
        ("2026-02-30T09:15:00+05:30", "'2026-02-30T09:15:00+05:30'"), (None, "null"),
        ("2026-W06-1T09:15+05:30", "'2026-W06-1T09:15+05:30'"), ("2026-02-02T09:15+24:00", "'2026-02-02T09:15+24:00'"),
        ("0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+14:00'"),
    )),
    (create(tag="A" * 21), f"tag '{'A' * 21}' is not one: use 1 to 20 letters and digits, as order_tag() makes them"),
    (create(tag="untagged"), "tag 'untagged' is not one"),
    (create() | {"side": "hold"}, "side 'hold' is not known; write one of buy, sell."),
    (book("unknown"), "status 'unknown' is not known; write one of open, complete, cancelled, rejected, expired."),
    (book("COMPLETE"), "status 'COMPLETE' is not known"),
    (FILL | {"order": ""}, "order '' is not a printable text of 1 to 200 characters; write one."),
    (FILL | {"order": 7}, "order 7 is not a printable text"),
    (FILL | {"key": "a\x00b"}, r"key 'a\x00b' is not a printable text"),
    (FILL | {"trade_id": "\ud800"}, r"trade_id '\ud800' is not a printable text"),
    (FILL | {"trade_id": "T" * 201}, f"trade_id '{'T' * 40}' is not a printable text"),
    (line("refuse", checks="band"), """checks 'band' is not a list of codes; write one such as ["band", "funds"]."""),
    (line("refuse", checks=[1]), "checks […] is not a printable text"),
    (line("abandon", operator="asha", reason=" "), "reason ' ' says nothing; write why the order is abandoned."),
    (line("abandon", operator="", reason="x"), "operator '' is not a printable text"),
    (line("reject", reason="x" * 2001), "reason 'xxxxxxxx"),
    (b"[]", "[…] is no JSON object; write one event a line."),
    (b"1e999999999999999999999", "'1e999999999999999999999' is no JSON in UTF-8"),
    (b"null", "null is no JSON object"),
    (RAW[:-9], "is no JSON in UTF-8; write one object a line."),
    (RAW + RAW, "is no JSON in UTF-8"),
    (b"\xff\xfe", "is no JSON in UTF-8"),
    (b'{"key": ' + b"[" * 50_000, "is no JSON in UTF-8"),
    (RAW[:-1] + b', "quantity": 5}', "the field 'quantity' stands there twice; leave one out."),
    (RAW[:-1] + b', "price": 1' + b"0" * 5000 + b"}", "the field 'price' stands there twice"),
    (RAW.replace(b'"quantity": 4', b'"quantity": 1' + b"0" * 5000), f"quantity 1{'0' * 39} {WHOLE}."),
    (RAW + b" " * 100_000, "is longer than 100000 bytes; write one event a line."),
]  # fmt: skip


@pytest.mark.parametrize(("row", "sentence"), BAD, ids=range(len(BAD)))
def test_a_bad_line_is_a_sentence(row: Line | bytes, sentence: str) -> None:
    content = row if isinstance(row, bytes) else json.dumps(row).encode()
    with pytest.raises(EventError) as failure:
        list(events_of([RAW, b"", content]))
    assert str(failure.value).startswith("Line 3: ")
    assert sentence in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_file_has_an_end():
    with pytest.raises(EventError, match=f"Line {MOST_LINES + 1}: a file has at most {MOST_LINES} lines"):
        list(events_of(b"" for _ in range(MOST_LINES + 1)))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from([*FILL, "account", "exchange", "tag"]) | st.text(), value=ANYTHING)
def test_any_value_is_read_or_is_one_printable_sentence(name: str, value: object):
    sentence = ""
    try:
        event_of(json.dumps(FILL | {name: value}).encode(), "Line 1")
    except EventError as error:
        sentence = str(error)
    assert re.fullmatch(r"(Line 1: .+\.)?", sentence)
    assert sentence.isprintable()


@given(content=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_sentence(content: bytes):
    with pytest.raises(EventError, match=r"^Line 1: .+\.$"):
        event_of(content, "Line 1")
