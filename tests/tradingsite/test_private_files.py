"""Logs, `var/`, back-ups and `.env` are for the account of the site alone."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tradingsite import checks
from tradingsite.private_files import open_to_others, tighten


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def checkout(settings: Any, tmp_path: Path) -> Path:
    """A checkout as an older version left it under umask 022."""
    settings.BASE_DIR, settings.VAR_DIR = tmp_path, tmp_path / "var"
    settings.BACKUP_DIR, settings.MODELS_DIR = tmp_path / "var" / "backups", tmp_path / "var" / "models"
    settings.LOG_FILE, settings.EXPORT_DIR = tmp_path / "logs" / "app.log", tmp_path / "exports"
    for name in (
        *(".env", "var/secret_key", "var/web.out", "var/valkey.log", "var/backups/real_1.backup.zip"),
        *(
            "var/models/m",
            "logs/app.log",
            "logs/app.log.1",
            "logs/scheduler.log",
            "logs/of_others.txt",
            "exports/a.csv",
        ),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("x")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


def test_what_an_older_version_left_open_is_closed_and_exports_are_not(checkout: Path) -> None:
    tighten()
    for folder in ("var", "logs", "var/backups", "var/models"):
        assert mode(checkout / folder) == 0o711, folder
    for name in ("secret_key", "web.out", "valkey.log", "backups/real_1.backup.zip"):
        assert mode(checkout / "var" / name) == 0o600, name
    for name in ("app.log", "app.log.1", "scheduler.log"):
        assert mode(checkout / "logs" / name) == 0o600, name
    assert (mode(checkout), mode(checkout / "exports"), mode(checkout / "exports" / "a.csv")) == (0o755, 0o755, 0o644)
    assert mode(checkout / "logs" / "of_others.txt") == 0o644


def test_a_shared_folder_and_what_a_link_leads_to_stay_as_they_are(checkout: Path, settings: Any) -> None:
    settings.BASE_DIR = checkout / "project"
    (checkout / "logs" / "app.log").unlink()
    (checkout / "logs" / "app.log").symlink_to(checkout / "exports" / "a.csv")
    tighten()
    assert (mode(checkout / "logs"), mode(checkout / "var"), mode(checkout / "exports" / "a.csv")) == (
        0o755,
        0o755,
        0o644,
    )
    assert mode(checkout / "logs" / "scheduler.log") == 0o600


def test_the_check_names_what_others_can_read_and_how_to_close_it(checkout: Path, settings: Any) -> None:
    secrets = [checkout / name for name in (".env", "var", "var/secret_key", "var/backups/real_1.backup.zip")]
    assert open_to_others() == secrets
    assert {message.id for message in checks.private_files(None)} == {"site.W016"}
    settings.PRODUCTION = True
    messages = checks.private_files(None)
    assert {message.id for message in messages} == {"site.E016"}
    for message in messages:
        subprocess.run(message.msg.partition("holds secrets: ")[2], shell=True, check=True)
    assert checks.private_files(None) == []
    assert mode(checkout / ".env") == 0o600


@pytest.mark.long
def test_commands_write_for_their_account_alone_whatever_the_umask(tmp_path: Path) -> None:
    environment = os.environ | {
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_FILE": str(tmp_path / "logs" / "app.log"),
        "EXPORT_DIR": str(tmp_path / "exports"),
    }
    for command in (
        [sys.executable, "manage.py", "check"],
        [sys.executable, "-c", "import logging; import tradingsite.wsgi; logging.getLogger('x').warning('here')"],
    ):
        subprocess.run(["sh", "-c", 'umask 000; exec "$@"', "sh", *command], cwd=ROOT, env=environment, check=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_dir()]
    assert {"secret_key", "app.log"} <= {path.name for path in written}
    assert [path for path in written if mode(path) & 0o077] == []
