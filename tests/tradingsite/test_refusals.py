"""Commands that the outside stops end with a sentence; errors of the program keep their traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, ProgrammingError

from tests.architecture.sources import ROOT
from tradingsite import refusals
from tradingsite.embedded.files import EmbeddedServerError
from tradingsite.refusals import refusal


@pytest.mark.parametrize(
    ("error", "beginning"),
    [
        (ImproperlyConfigured("PORT='abc' is not a whole number."), "PORT='abc'"),
        (OperationalError("connection failed: Connection refused\n\tIs the server running?"), "The database does not"),
        (psycopg.OperationalError("consuming input failed: server closed the connection"), "The database does not"),
        (EmbeddedServerError("PostgreSQL: pg_ctl failed.\nFATAL: No space left on device"), "The disk is full."),
        (EmbeddedServerError("Valkey did not start"), "Valkey did not start"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/stocks.csv"), "The disk is full (/data/stocks.csv)."),
        (OSError(errno.EROFS, "Read-only file system", "/data/var"), "/data/var cannot be used"),
        (psycopg.errors.DiskFull("could not extend file: wrote only 4096 of 8192 bytes"), "The disk is full."),
    ],
)
def test_what_comes_from_outside_is_a_sentence_with_a_remedy(error: Exception, beginning: str):
    sentence = refusal(error)
    assert sentence is not None
    assert sentence.startswith(beginning)
    assert "\n" not in sentence


def _of_no_table(kind: type[Exception]) -> ProgrammingError:
    error = ProgrammingError('relation "trading_accounts" does not exist')
    error.__cause__ = kind("relation")
    return error


@pytest.mark.parametrize("kind", [psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn])
def test_a_database_that_waits_for_migrations_is_a_sentence(kind: type[Exception], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refusals, "_waits_for_migrations", lambda: True)
    sentence = refusal(_of_no_table(kind))
    assert sentence is not None
    assert "run the command migrate" in sentence


@pytest.mark.django_db(transaction=True)
def test_a_wrong_statement_on_a_migrated_database_keeps_its_traceback():
    assert refusal(_of_no_table(psycopg.errors.UndefinedTable)) is None


@pytest.mark.parametrize("error", [ValueError("x"), IntegrityError("duplicate"), FileNotFoundError(2, "none", "f")])
def test_an_error_of_the_program_keeps_its_traceback(error: Exception):
    assert refusal(error) is None


def test_a_command_without_its_database_ends_in_one_line(tmp_path: Path):
    address = "postgresql://u:hidden@127.0.0.1:1/x"
    environment = os.environ | {"DATABASE_URL": address, "IGNORE_DOTENV": "1", "VAR_DIR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "system_status"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("The database does not answer: connection failed")
    assert result.stderr.count("\n") == 1
    assert "hidden" not in result.stderr
