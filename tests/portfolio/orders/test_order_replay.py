"""The command `order_replay` and its file: what it prints, and what it refuses."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portfolio.orders.events import FIELDS, Kind
from tests.portfolio.orders.histories import Line, book, create, fill, line, sent

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def answer(*lines: Line | bytes, arguments: tuple[str, ...] = ("--json",)) -> str:
        path = tmp_path / "events.jsonl"
        path.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in lines))
        out = io.StringIO()
        call_command("order_replay", f"--events={path}", *arguments, stdout=out)
        return out.getvalue()

    return answer


def of(order: str, *lines: Line) -> list[Line]:
    return [row | {"order": order} for row in lines]


def test_one_object(run: Run):
    """A: 6 at 100 and 4 at 101.50 of 10 are filled at 100.60; B waits for its cancel; of C nothing is known."""
    lines = [
        *of("A", *sent(), fill("T1", 6), fill("T2", 4, price=101.5), book("complete", filled_quantity=10)),
        *of("B", *sent(), line("cancel_asked", "9:40"), fill("T3", 2, price=99), fill("T4", 1, price=99)),
        *of("C", create(), line("queue"), line("send"), line("no_answer"), line("missing")),
    ]
    assert json.loads(run(*lines)) == {
        "orders": {
            "A": {
                "state": "filled",
                "filled_quantity": 10,
                "average_price": "100.6000",
                "pending": "",
                "alarms": [],
            },
            "B": {
                "state": "partly_filled",
                "filled_quantity": 3,
                "average_price": "99.0000",
                "pending": "cancel",
                "alarms": [],
            },
            "C": {"state": "unknown", "filled_quantity": 0, "average_price": "", "pending": "", "alarms": []},
        }
    }
    assert run(*lines[::-1]) == run(*lines)


def test_every_kind_of_event_is_read(run: Run):
    values: Line = {
        "side": "sell",
        "quantity": 1,
        "checks": ["band"],
        "broker_order_id": "B1",
        "reason": "No.",
        "status": "open",
        "filled_quantity": 0,
        "broker_at": "2026-02-02 09:15+0530",
        "trade_id": "T1",
        "price": "99.95",
        "operator": "asha",
    }
    lines = [
        {"kind": kind, "key": kind, "order": kind, "at": "2026-02-02T03:45:00Z"}
        | {name: values[name] for name in names}
        for kind, names in FIELDS.items()
    ]
    assert json.loads(run(*lines))["orders"].keys() == set(Kind)


def test_a_table_for_people(run: Run):
    text = run(*sent(), fill("T1", 12), b"", arguments=())
    assert text == "Orders: 1\nA: state filled; filled_quantity 12; average_price 100.0000; alarms overfill\n"
    assert run(b"", arguments=()) == "Orders: none\n"
    assert json.loads(run(b"\n\n")) == {"orders": {}}


# --- several orders -------------------------------------------------------------------------------------------------
def filled(answer: str) -> dict[str, int]:
    return {order: row["filled_quantity"] for order, row in json.loads(answer)["orders"].items()}


def account_of_two(second: Line, account: str = "1") -> list[Line]:
    first = of("A", create(), line("send"), fill("T1", 4, "9:20", account="1"))
    return [*of("B", create(account=account), line("send"), second), *first]


@pytest.mark.parametrize(
    ("second", "account", "counted"),
    [
        (fill("T1", 4, "9:21"), "1", {"A": 4, "B": 0}),
        (fill("T1", 4, "9:19"), "1", {"A": 0, "B": 4}),
        (fill("T2", 4, "9:21"), "1", {"A": 4, "B": 4}),
        (fill("T1", 4, "3/9:20"), "1", {"A": 4, "B": 4}),
        (fill("T1", 4, "9:21", exchange="BSE"), "1", {"A": 4, "B": 4}),
        (fill("T1", 4, "9:21"), "2", {"A": 4, "B": 4}),
    ],
    ids=["later", "earlier", "another trade", "another day", "another exchange", "another account"],
)
def test_a_fill_counts_once_in_its_account(run: Run, second: Line, account: str, counted: dict[str, int]):
    lines = account_of_two(second, account)
    assert filled(run(*lines)) == filled(run(*lines[::-1])) == counted


def test_an_order_of_two_accounts_is_refused(run: Run):
    with pytest.raises(CommandError, match=r"^Order 'A' names the accounts 1 and 2: an order is of one; correct it\.$"):
        run(create(account="1"), fill("T1", 4, account="2"))


def test_orders_without_an_account_do_not_share_their_fills(run: Run):
    assert filled(run(*of("A", *sent(), fill("T1", 4)), *of("B", *sent(), fill("T1", 3)))) == {"A": 4, "B": 3}


# --- bad input ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (fill("T2", 0), "Line 6: quantity 0 is not a whole number of shares"),
        (create(tag="A" * 21), "Line 6: tag 'AAAAAAAAAAAAAAAAAAAAA' is not one: use 1 to 20 letters and digits"),
        (b'{"kind": "fill", "key"', "is no JSON in UTF-8; write one object a line."),
        (
            fill("T2", 1) | {"at": "2026-02-02T09:15:00"},
            "Line 6: at '2026-02-02T09:15:00' is not a time with its offset",
        ),
    ],
)
def test_a_bad_line_is_a_sentence_without_figures(run: Run, capsys: Any, row: Line | bytes, sentence: str):
    with pytest.raises(CommandError) as failure:
        run(*sent(), fill("T1", 4), row)
    assert sentence in str(failure.value)
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path):
    for path, reason in ((tmp_path / "none.jsonl", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CommandError, match=rf"cannot be read \({reason}.*; name a file of JSON lines\.$"):
            call_command("order_replay", f"--events={path}", "--json")
