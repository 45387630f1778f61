"""One cell: accepted texts, and the error of each rejected one."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from market_data.imports import cells
from market_data.imports.cells import CellError

PRICE = cells.number(0, 1e7, zero=False)


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (cells.symbol, "m&m", "M&M"),
        (PRICE, "1,23,456.50", 123456.5),
        (PRICE, "1e3", 1000.0),
        (PRICE, ".5", 0.5),
        (cells.whole(0, 10**12), "1,000", 1000),
        (cells.day, "2026-04-30", date(2026, 4, 30)),
        (cells.hour, "09:15", time(9, 15)),
        (cells.yes_no, "Yes", True),
        (cells.one_of("quarter", "year"), "year", "year"),
        (cells.yes_no, "t", True),
        (cells.yes_no, "f", False),
        (cells.words(20), "3M India", "3M India"),
        (cells.words(20), "'@SUM(1)", "@SUM(1)"),
        (cells.words(20), "''=1", "'=1"),
        (cells.words(20), "'tis", "'tis"),
        (cells.isin, "INE002A01018", "INE002A01018"),
    ],
)
def test_accepted_texts(reader, text, value):
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (cells.symbol, "RELI ANCE", "is not a symbol"),
        (PRICE, "inf", "is not a number"),
        (PRICE, "nan", "is not a number"),
        (PRICE, "1e4000", "is not a number"),
        (PRICE, "1e400", "is infinite"),
        (PRICE, "e5", "is not a number"),
        (PRICE, "E5", "is not a number"),
        (PRICE, "9" * 300, "is longer than the 40"),
        (PRICE, "=1+1", "is not a number"),
        (PRICE, "+", "is not a number"),
        (PRICE, "12 345", "is not a number"),
        (PRICE, "1,2345", "is not a number"),
        (PRICE, "0", "which it cannot be"),
        (PRICE, "-1", "is outside 0 to 1e+07"),
        (PRICE, "٣", "is not a number"),
        (cells.whole(0, 10), "1.5", "is not a whole number"),
        (cells.day, "30.04.2026", "is not a date such as"),
        (cells.day, "2026-02-30", "is not a date such as"),
        (cells.day, "20260430", "is not a date such as"),
        (cells.day, "1066-10-14", "is outside 1875 to 2100"),
        (cells.hour, "9 o'clock", "is not a time"),
        (cells.hour, "09:15+05:30", "has a time zone"),
        (cells.yes_no, "perhaps", "neither yes nor no"),
        (cells.one_of("a", "b"), "c", "is not one of a, b"),
        (cells.words(20), "=HYPERLINK(1)", "starts like a formula"),
        (cells.words(3), "abcd", "is longer than 3"),
        (cells.isin, "INE002", "is not an ISIN"),
    ],
)
def test_rejected_texts(reader, text, message):
    with pytest.raises(CellError, match=message.replace("+", r"\+")):
        reader(text)


@given(some.text(max_size=60))
def test_any_text_is_a_finite_number_or_a_sentence(text):
    value = message = None
    try:
        value = PRICE(text)
    except CellError as error:
        message = str(error)
    assert message or (value is not None and 0 < value <= 1e7)


@given(some.floats(min_value=1e-9, max_value=1e7))
def test_a_printed_number_is_read_back_to_the_last_digit(value):
    assert PRICE(repr(value)) == value
