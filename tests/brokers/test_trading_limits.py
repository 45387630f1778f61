"""Fyers' file of price bands and surveillance: what it says, and what it leaves open."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from brokers.answers import FieldError
from brokers.fyers.limits import TradingLimits, trading_limits

ROW = {
    "exSymbol": "SBIN", "exSeries": "EQ", "lastUpdate": "2026-11-30", "upperPrice": 467.6, "lowerPrice": 382.6,
    "asmGsmVal": "ASM-LT-1", "tradeStatus": 1, "qtyFreeze": "615855",
}  # fmt: skip


def read(*rows: dict[str, Any]) -> tuple[TradingLimits, ...]:
    return trading_limits(json.dumps({f"NSE:{n}": row for n, row in enumerate(rows)}).encode())


def test_a_row_says_what_a_share_may_do_on_its_day():
    [limits] = read(ROW, ROW | {"exSeries": "SG"}, ROW | {"lastUpdate": None})
    assert limits == TradingLimits(
        "SBIN", date(2026, 11, 30), Decimal("382.6"), Decimal("467.6"), "ASM-LT-1", "1", 615_855
    )


@pytest.mark.parametrize("nothing", ["", None, 0, "0", -1, True, [], "none"])
def test_what_is_empty_or_no_figure_is_not_known(nothing: object):
    [limits] = read(ROW | {"upperPrice": nothing, "lowerPrice": nothing, "qtyFreeze": nothing})
    assert (limits.lower_band, limits.upper_band, limits.freeze_quantity) == (None, None, None)


@pytest.mark.parametrize("empty", ["", "  ", None, [], True])
def test_no_word_of_surveillance_is_no_word_of_none(empty: object):
    [limits] = read(ROW | {"asmGsmVal": empty, "tradeStatus": empty})
    assert (limits.surveillance, limits.trade_status) == (None, None)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"a": 1}', b'{"a": {"exSeries": "EQ"}}', b"{" * 99_999])
def test_another_file_is_refused(content: bytes):
    with pytest.raises(FieldError):
        trading_limits(content)
