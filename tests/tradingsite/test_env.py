"""Values of the environment that cannot be: refused at start, with the name, the value and what to write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tradingsite import env

LEVELS = ("DEBUG", "INFO")
HUGE = "9" * 400


@pytest.mark.parametrize(
    ("value", "read", "said"),
    [
        ("many", lambda: env.whole("X", 1), "X='many' is not a whole number"),
        ("1.5", lambda: env.whole("X", 1), "X='1.5' is not a whole number"),
        ("", lambda: env.whole("X", 1), "X='' is not a whole number"),
        ("9" * 5000, lambda: env.whole("X", 1), "is not a whole number"),
        (HUGE, lambda: env.whole("X", 1), "is above 2147483647"),
        ("0", lambda: env.whole("X", 1, minimum=1), "X=0 is below 1"),
        ("70000", lambda: env.whole("X", 1, maximum=65535), "X=70000 is above 65535"),
        ("cheap", lambda: env.decimal("X"), "X='cheap' is not a number"),
        ("nan", lambda: env.decimal("X"), "X='nan' is not a finite number"),
        ("inf", lambda: env.decimal("X"), "X='inf' is not a finite number"),
        ("1e999", lambda: env.decimal("X"), "X='1e999' is not a finite number"),
        ("maybe", lambda: env.flag("X"), "X='maybe' is neither yes nor no; write 1 or 0"),
        ("loud", lambda: env.choice("X", "INFO", LEVELS), "X='loud' is not one of DEBUG, INFO"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, read: Callable[[], Any], said: str
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as error:
        read()
    assert said in str(error.value)
    assert len(str(error.value)) < 600


def test_a_choice_is_taken_in_any_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "debug")
    assert env.choice("X", "INFO", LEVELS) == "DEBUG"


def test_a_file_of_a_secret_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path / "binary", "it is not UTF-8 text")):
        monkeypatch.setenv("X_FILE", str(path))
        with pytest.raises(ImproperlyConfigured, match=f"X_FILE names .*{path.name}.*{said}"):
            env.text("X")


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://a:hush@h/d", "postgresql://a:hush@h:port/d", "postgresql://a:hush@h:99999999/d"]
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="postgresql://user:password@host:5432/database") as error:
        env.database(url)
    assert "hush" not in str(error.value)
