"""The command `charges`."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

ORDER = {"broker": "zerodha", "date": "2026-04-30", "product": "cnc", "side": "sell", "quantity": "100", "price": "200"}


def run(**options):
    out = io.StringIO()
    call_command("charges", *(f"--{name}={value}" for name, value in (ORDER | options).items()), "--json", stdout=out)
    return json.loads(out.getvalue())


def test_one_object_with_amounts_as_text():
    assert run() == {
        "turnover": "20000",
        "brokerage": "0.00",
        "stt": "20.00",
        "exchange": "0.59",
        "ipft": "0.02",
        "sebi": "0.02",
        "stamp_duty": "0.00",
        "gst": "0.11",
        "total": "20.74",
        "dp": "15.34",
    }


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("quantity", "0", "quantity 0"),
        ("quantity", "1.5", "quantity '1.5' is not a whole number"),
        ("price", "abc", "price 'abc' is not an amount"),
        ("price", "NaN", "price NaN"),
        ("price", "1e40", "100 shares at 1E[+]40 are more"),
        ("date", "30-04-2026", "date '30-04-2026' is not a date"),
        ("date", "2019-01-01", "2019-01-01 lies before"),
        ("broker", "nobody", "no charges of 'nobody'"),
    ],
)
def test_bad_input_is_a_sentence_without_figures(option, value, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(**{option: value})


HEADER = "order,symbol,kind,product,side,quantity,price"
ROUND_TRIP = ("1,ACME,share,cnc,buy,100,200", "2,ACME,share,cnc,buy,50,210", "3,ACME,share,mis,sell,120,220")


@pytest.fixture
def trades(tmp_path):
    """Write a file of trades and return the command's answer."""

    def answer(*lines, header=HEADER, content=None, **options):
        path = tmp_path / "trades.csv"
        path.write_bytes(content if content is not None else "\n".join([header, *lines]).encode())
        out = io.StringIO()
        options = {"broker": "zerodha", "date": "2026-04-30", "trades": path} | options
        call_command("charges", *(f"--{name}={value}" for name, value in options.items()), "--json", stdout=out)
        return json.loads(out.getvalue())

    return answer


def test_a_file_of_trades_is_charged_as_one_note(trades):
    """120 of the 150 bought are sold again: intraday for the taxes, whatever the product.

    Turnover 100 × 200 + 50 × 210 + 120 × 220 = 56,900. Brokerage: the sale, min(20, 0.03 % of 26,400 = 7.92). STT at
    the average price 56,900 / 270: 0.025 % of 120 and 0.1 % of 30 = 12.64 → 13. Exchange 0.00297 % = 1.68993; IPFT and
    SEBI 0.0001 % = 0.0569. Stamp duty at 30,500 / 150: 0.003 % of 120 and 0.015 % of 30 = 1.647. GST 18 % of 7.92 +
    1.68993 + 2 × 0.0569 = 1.7502714. More is bought than sold, so no DP charge.
    """
    lines = {
        "turnover": "56900",
        "brokerage": "7.92",
        "stt": "13.00",
        "exchange": "1.69",
        "ipft": "0.06",
        "sebi": "0.06",
        "stamp_duty": "1.65",
        "gst": "1.75",
        "total": "26.13",
        "dp": "0.00",
    }
    assert trades(*ROUND_TRIP) == lines
    assert trades(*ROUND_TRIP[::-1]) == lines
    # As a spreadsheet saves it: a mark at the beginning, other order of columns, blanks, empty lines, one more column.
    saved = "\ufeffNote,Price,order,symbol,kind,product,side,quantity\r\n\r\n" + "".join(
        f'"a, b", {price} ,{order},{symbol.lower()},{kind},{product},{side},{quantity}\r\n'
        for order, symbol, kind, product, side, quantity, price in (line.split(",") for line in ROUND_TRIP)
    )
    assert trades(content=saved.encode()) == lines


def test_one_trade_costs_what_one_order_does(trades):
    assert trades("1,ACME,share,cnc,sell,100,200") == run()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2,ACME,share,cnc,buy,0,200", "Line 3: quantity '0' is not a positive whole number"),
        ("2,ACME,share,cnc,buy,-5,200", "Line 3: quantity '-5' is not"),
        ("2,ACME,share,cnc,buy,1.5,200", "Line 3: quantity '1.5' is not"),
        ("2,ACME,share,cnc,buy,१,200", "Line 3: quantity '१' is not"),
        ("2,ACME,share,cnc,buy,5,0.00", "Line 3: price '0.00' is not a positive amount in ₹; write"),
        ("2,ACME,share,cnc,buy,5,-2", "Line 3: price '-2' is not"),
        ("2,ACME,share,cnc,buy,5,NaN", "Line 3: price 'NaN' is not"),
        ("2,ACME,share,cnc,buy,5,inf", "Line 3: price 'inf' is not"),
        ("2,ACME,share,cnc,buy,5,1e99", "Line 3: price '1e99' is not"),
        ("2,ACME,share,cnc,buy,5,", r"Line 3: price \(empty\) is not"),
        ("2,ACME,bond,cnc,buy,5,2", "Line 3: kind 'bond' is not known; write one of share, equity_fund, other_fund"),
        ("2,ACME,share,nrml,buy,5,2", "Line 3: product 'nrml' is not known; write one of cnc, mis"),
        ("2,ACME,share,cnc,hold,5,2", "Line 3: side 'hold' is not known; write one of buy, sell"),
        (",ACME,share,cnc,buy,5,2", r"Line 3: order \(empty\) is not a text"),
        ("2,=A1,share,cnc,buy,5,2", "Line 3: symbol '=A1' is not a symbol"),
        ("2,ACME,equity_fund,cnc,buy,5,2", "Line 3: kind 'equity_fund' differs from share on line 2: symbol ACME has"),
        ("1,ACME,share,mis,buy,5,2", "Line 3: product 'mis' differs from cnc on line 2: order 1 has one product"),
        ("1,ACME,share,cnc,sell,5,2", "Line 3: side 'sell' differs from buy on line 2: order 1 has one side"),
        ("2,ACME,share,cnc,buy,5", "Line 3 has 6 cells and the first line 7"),
        ('2,"ACME,share,cnc,buy,5,2', "Line 3 is not CSV"),
    ],
)
def test_a_bad_line_is_a_sentence_without_figures(trades, line, sentence):
    with pytest.raises(CommandError, match=sentence):
        trades("1,ACME,share,cnc,buy,100,200", line)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no rows"),
        (HEADER.encode(), "has no rows"),
        (HEADER.replace(",price", "").encode() + b"\n1,ACME,share,cnc,buy,1\n", "The column price is missing"),
        (HEADER.encode() + b",price\n1,ACME,share,cnc,buy,1,2,3\n", "names the column 'price' twice"),
        (HEADER.encode() + b"\n1,AC\xff,share,cnc,buy,1,2\n", "Line 2 is not UTF-8"),
        (HEADER.encode() + b"\n1,AC\0,share,cnc,buy,1,2\n", "Line 2 holds a NUL"),
        (b"x" * (5 * 1024 * 1024 + 1), "more than 5 MB"),
    ],
)
def test_a_bad_file_is_a_sentence_without_figures(trades, content, sentence):
    with pytest.raises(CommandError, match=sentence):
        trades(content=content)


def test_an_unknown_broker_and_a_missing_file(trades):
    with pytest.raises(CommandError, match="no charges of 'nobody'"):
        trades(*ROUND_TRIP, broker="nobody")
    with pytest.raises(CommandError, match=r"/no/such\.csv cannot be read \(No such file or directory\)"):
        trades(*ROUND_TRIP, trades="/no/such.csv")


def test_one_order_and_a_file_exclude_each_other(trades):
    with pytest.raises(CommandError, match="--trades and --side exclude each other; leave out --side, --kind"):
        trades(*ROUND_TRIP, side="buy", kind="share")
    with pytest.raises(CommandError, match="--quantity, --price must be given, or --trades"):
        call_command("charges", "--broker=zerodha", "--date=2026-04-30", "--side=buy", "--product=cnc")
