"""Real restarts: processes that are killed at named points, and what is left of it in both books."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import connection

from portfolio.drill import market, rounds
from portfolio.drill.books import compared
from portfolio.models import Order, User
from portfolio.sending import points
from tests.accounts import paper_account
from tests.portfolio.sending.killed_histories import outlive_kills


class Killed(BaseException):
    """What a process that is killed at a point meets here, where none may be forked."""


@pytest.fixture
def in_process(monkeypatch):
    """Plays a sender in this process: a kill ends it there, and what was not committed is gone."""

    def kill(pid: int, number: int) -> None:
        raise Killed

    def play(work: Callable[[], None]) -> bool:
        try:
            work()
        except Killed:
            return True
        finally:
            monkeypatch.setattr(points, "_armed", {})
        return False

    monkeypatch.setattr(points, "os", SimpleNamespace(kill=kill, getpid=os.getpid))
    monkeypatch.setattr(rounds, "in_child", play)
    return play


def books(tags=("A",), filled=5, entered=5, state="filled"):
    """Both books of one order for five shares."""
    fills = [{"trade_id": "1", "quantity": 5, "price": "10"}]
    here = [{"trade_id": "1", "quantity": filled, "price": "10"}] if filled else []
    terms = {"symbol": "AAA", "side": "sell", "quantity": 5, "status": "filled", "fills": fills}
    return [
        *({"book": "venue", "tag": tag, **terms} for tag in tags),
        {"book": "ours", "intent": 1, "tag": "A", "state": state, "filled_quantity": filled, "fills": here},
        {"book": "ledger", "symbol": "AAA", "trade_id": "1", "quantity": -entered},
    ]


@pytest.mark.parametrize(
    ("lines", "doubled", "lost"),
    [
        (books(), 0, 0),
        (books(tags=("A", "A"), entered=10, filled=10), 1, 0),
        (books(filled=0), 0, 1),
        (books(entered=0), 0, 1),
        (books(entered=10), 1, 0),
        (books(state="unknown"), 0, 1),
        (books(tags=()), 2, 1),
        (books(tags=("A", "B")), 0, 3),
    ],
)
def test_what_the_books_differ_in_is_counted(lines, doubled, lost):
    differences = compared(lines)
    assert (len(differences.doubled), len(differences.lost)) == (doubled, lost)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [2])
def test_a_round_leaves_both_books_alike(in_process, tmp_path, number):
    market.write_market()
    outcome = rounds.Round(rounds.plan_of(number, 3), tmp_path).play()
    assert outcome.kills
    assert (outcome.doubled, outcome.lost) == ([], [])
    assert {line["book"] for line in outcome.lines} >= {"venue", "ours"}


def test_an_interrupted_round_leaves_no_sender_behind(monkeypatch):
    calls: list[tuple[int, ...]] = []

    def wait(*arguments: int) -> tuple[int, int]:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return 0, 0

    system = SimpleNamespace(fork=lambda: 4242, waitpid=wait, kill=lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(rounds, "os", system)
    monkeypatch.setattr(rounds, "connections", SimpleNamespace(close_all=lambda: None))
    with pytest.raises(KeyboardInterrupt):
        rounds.in_child(lambda: None)
    assert calls == [(4242, 0), (4242, signal.SIGKILL), (4242, 0)]


@pytest.mark.crash
@pytest.mark.timeout(1800)
def test_the_drill_finds_nothing_doubled_and_nothing_lost(tmp_path):
    """Every combination of point, lag and answers; what is counted, counted anew from the dump."""
    dump = tmp_path / "books.jsonl"
    command = [sys.executable, "manage.py", "order_drill", "--rounds=45", "--seed=7", f"--dump={dump}", "--json"]
    environment = os.environ | {"VAR_DIR": str(tmp_path / "var")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["rounds"], answer["doubled"], answer["lost"]) == (45, 0, 0)
    assert answer["crash_points"].keys() == set(points.POINTS)
    assert all(answer["crash_points"].values())
    assert answer["lags"].keys() == {"0", "5", "60"}
    lines = [json.loads(line) for line in dump.read_text().splitlines()]
    assert answer["unknown_open"] == sum(line.get("state") == "unknown" for line in lines)
    assert max(Counter(line["tag"] for line in lines if line["book"] == "venue").values()) == 1
    signs = {"buy": 1, "sell": -1}
    there = Counter(
        {
            (line["symbol"], fill["trade_id"]): signs[line["side"]] * fill["quantity"]
            for line in lines
            if line["book"] == "venue"
            for fill in line["fills"]
        }
    )
    assert there == Counter(
        {(line["symbol"], line["trade_id"]): line["quantity"] for line in lines if line["book"] == "ledger"}
    )


@pytest.mark.django_db(transaction=True)
def test_histories_through_the_database_outlive_ends_at_any_point(in_process):
    outlive_kills(paper_account(User.objects.create_user("asha")), 4, in_process)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@pytest.mark.django_db(transaction=True)
def test_two_hundred_histories_through_the_database_outlive_kills(tmp_path):
    paper_account(User.objects.create_user("asha"))
    url = os.environ["DATABASE_URL"].replace("/trading_system?", f"/{connection.settings_dict['NAME']}?")
    command = [sys.executable, "-m", "tests.portfolio.sending.killed_histories", "200"]
    environment = os.environ | {"DATABASE_URL": url, "VAR_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert Order.objects.count() == 200
