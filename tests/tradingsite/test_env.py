"""Invalid environment variables are refused at start, with name, value and remedy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tradingsite import env

LEVELS = ("DEBUG", "INFO")
HUGE = "9" * 400


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("many", lambda: env.integer("X", 1), "X='many' is not a whole number"),
        ("1.5", lambda: env.integer("X", 1), "X='1.5' is not a whole number"),
        ("", lambda: env.integer("X", 1), "X='' is not a whole number"),
        ("9" * 5000, lambda: env.integer("X", 1), "is not a whole number"),
        (HUGE, lambda: env.integer("X", 1), "is above 2147483647"),
        ("0", lambda: env.integer("X", 1, minimum=1), "X=0 is below 1"),
        ("70000", lambda: env.integer("X", 1, maximum=65535), "X=70000 is above 65535"),
        ("cheap", lambda: env.number("X"), "X='cheap' is not a number"),
        ("nan", lambda: env.number("X"), "X='nan' is not a finite number"),
        ("inf", lambda: env.number("X"), "X='inf' is not a finite number"),
        ("1e999", lambda: env.number("X"), "X='1e999' is not a finite number"),
        ("0.04", lambda: env.number_between("X", 0.5, 0.05, 0.95), "X=0.04 is not between 0.05 and 0.95"),
        ("50", lambda: env.number_between("X", 0.5, 0.05, 0.95), "X=50 is not between 0.05 and 0.95"),
        ("half", lambda: env.number_between("X", 0.5, 0.05, 0.95), "X='half' is not a number"),
        ("maybe", lambda: env.flag("X"), "X='maybe' is neither yes nor no; write 1 or 0"),
        (
            "dask:8786",
            lambda: env.scheduler_address("X"),
            "X is not an address like tcp://host:8786, without a password",
        ),
        ("tcp://me:word@dask:8786", lambda: env.scheduler_address("X"), "X is not an address like tcp://host:8786"),
        ("tcp://dask", lambda: env.scheduler_address("X"), "X is not an address like tcp://host:8786"),
        ("loud", lambda: env.choice("X", "INFO", LEVELS), "X='loud' is not one of DEBUG, INFO"),
    ],
)
def test_an_invalid_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, read: Callable[[], Any], expected: str
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as error:
        read()
    assert expected in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("value", "address"), [("", ""), ("203.0.113.7 ", "203.0.113.7"), ("2001:DB8:0::7", "2001:db8::7")]
)
def test_an_address_is_canonical(monkeypatch, value, address):
    monkeypatch.setenv("X", value)
    assert env.ip_address("X") == address


@pytest.mark.parametrize("value", ["203.0.113", "203.0.113.7:80", "203.0.113.0/24", "desk.example"])
def test_what_is_no_address_is_refused(monkeypatch, value):
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured, match="X="):
        env.ip_address("X")


@pytest.mark.parametrize(("value", "number"), [("", 0.5), ("0.05", 0.05), ("0.95", 0.95)])
def test_a_number_between_limits_may_be_either(monkeypatch: pytest.MonkeyPatch, value: str, number: float) -> None:
    monkeypatch.setenv("X", value)
    assert env.number_between("X", 0.5, 0.05, 0.95) == number


def test_a_choice_ignores_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "debug")
    assert env.choice("X", "INFO", LEVELS) == "DEBUG"


def test_an_unreadable_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path, expected in ((tmp_path / "none", "No such file"), (tmp_path / "binary", "it is not UTF-8 text")):
        monkeypatch.setenv("X_FILE", str(path))
        with pytest.raises(ImproperlyConfigured, match=f"X_FILE names .*{path.name}.*{expected}"):
            env.text("X")


@pytest.mark.parametrize(
    "url",
    [
        "hush-hush",
        "mysql://a:hush@h/d",
        "postgresql://a:hush@h:port/d",
        "postgresql://a:hush@h:99999999/d",
        "postgresql://a:hush/word@h/d",
    ],
)
def test_an_invalid_database_address_is_refused_without_any_part_of_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="postgresql://user:password@host:5432/database") as error:
        env.database(url)
    assert "hush" not in f"{error.value}{error.value.__cause__}"


@pytest.mark.parametrize("value", ["hush", "http://u:hush@h", "redis://u:hush/word@h:1/0", "redis://:hush#@h:hush"])
def test_an_invalid_cache_or_mail_address_is_refused_without_any_part_of_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("X", value)
    for read in (env.cache_address, env.mail_server):
        with pytest.raises(ImproperlyConfigured, match="X is not an address like") as error:
            read("X")
        assert "hush" not in f"{error.value}{error.value.__cause__}"


def test_addresses_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("redis://:p%40ss@h:6379/0", "unix:///var/run/valkey.sock?db=0", "rediss://h", ""):
        monkeypatch.setenv("X", value)
        assert env.cache_address("X") == value
    monkeypatch.setenv("X", "smtp+tls://user:p%2Fw@host:587")
    assert env.mail_server("X")["EMAIL_HOST_PASSWORD"] == "p/w"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        # a healthy cluster would be killed
        ("CLUSTER_STUCK_SECONDS", "44", "CLUSTER_STUCK_SECONDS=44 is below 45."),
        # a share would leave a list that it is good enough for
        ("PICKS_KEEP_RANK", "49", "PICKS_KEEP_RANK=49 is below 50."),
    ],
)
def test_a_limit_that_does_harm_stops_the_start(name: str, value: str, sentence: str) -> None:
    command = [sys.executable, "-c", "import tradingsite.settings"]
    environment = os.environ | {name: value}
    start = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert start.returncode == 1
    assert sentence in start.stderr
