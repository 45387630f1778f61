"""Log files rotate while several processes write, no line is lost or torn, and none holds a secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tradingsite.logs import logging_settings
from tradingsite.web.access_log import access_log_format

WRITER = """
import logging, os, sys
from pathlib import Path
from tradingsite.logs import configure, logging_settings

configure(logging_settings("INFO", Path(sys.argv[1]), cluster="", to_console=False, megabytes=0.02, files_kept=500))
child = os.fork()  # as a cluster does, with the handler open or not
name = f"{sys.argv[2]}{'a' if child else 'b'}"
for number in range(150):
    logging.getLogger("x").info("line", extra={"writer": name, "number": number, "password": "hush"})
if child:
    sys.exit(os.waitpid(child, 0)[1])
os._exit(0)
"""


def test_several_processes_rotate_one_file_and_lose_nothing(tmp_path: Path):
    target = tmp_path / "logs" / "app.log"
    command = [sys.executable, "-c", WRITER, str(target)]
    writers = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(3)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    files = [path for path in target.parent.iterdir() if path.name.startswith("app.log")]
    assert len(files) > 2
    assert all(path.stat().st_size <= 21_000 for path in files)
    text = "".join(path.read_text() for path in files)
    lines = [json.loads(line) for line in text.splitlines()]
    assert len({(line["writer"], line["number"]) for line in lines}) == len(lines) == 3 * 2 * 150
    assert "hush" not in text


def test_each_kind_of_process_has_its_file():
    def name(cluster: str) -> str:
        configured = logging_settings("INFO", Path("logs/app.log"), cluster=cluster, to_console=False)
        return str(configured["handlers"]["file"]["filename"])

    assert [name(""), name("data"), name("ml")] == ["logs/app.log", "logs/data_scheduler.log", "logs/scheduler.log"]


SPEAKER = """
import logging, sys
from pathlib import Path
from brokers.redaction import register_secrets
from tradingsite.logs import configure, logging_settings

configure(logging_settings("INFO", Path(sys.argv[1]), cluster="", to_console=True))
secret = sys.argv[2]
register_secrets(secret)

class Client:
    def __repr__(self):
        return f"<Client {secret}>"

log = logging.getLogger("x")
log.info("value %s", secret, extra={"deep": {"list": [1, {"why": f"it was {secret}"}]}, "object": Client()})
log.info("fields", extra={"deep": {"api_secret": "short", "rows": 7}})
try:
    raise ValueError(f"refused {secret!r}")
except ValueError:
    log.exception("broke")
raise RuntimeError(f"at the end {secret}")
"""


@pytest.mark.parametrize("secret", ["Un1que-s3cret", 'q"uote\\d s3cret', "₹ s3cret/with?all&of=it", "line\ns3cret"])
def test_a_registered_secret_is_in_no_line_traceback_or_end(tmp_path: Path, secret: str):
    target = tmp_path / "app.log"
    command = [sys.executable, "-c", SPEAKER, str(target), secret]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["value ***", "fields", "broke"]
    assert lines[0]["deep"] == {"list": [1, {"why": "it was ***"}]}
    assert lines[1]["deep"] == {"api_secret": "***", "rows": 7}
    assert "ValueError: refused" in lines[2]["exception"]
    assert ended.returncode == 1
    assert "RuntimeError: at the end ***" in ended.stderr
    everything = target.read_text() + ended.stderr + ended.stdout
    assert "s3cret" not in everything


SERVER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tradingsite.settings"
import django, logging
django.setup()
from django.conf import settings
assert settings.DEBUG
line = '"%s" %s %s'
address = "GET /brokers/callback/?request_token=abc&auth_code=def123&state=x HTTP/1.1"
logging.getLogger("django.server").info(line, address, "302", "0")
"""


@pytest.mark.long
def test_the_development_server_writes_no_code_of_a_broker_down(tmp_path: Path):
    file = tmp_path / "app.log"
    environment = os.environ | {"LOG_FILE": str(file), "VAR_DIR": str(tmp_path), "DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SERVER], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    written = f"{done.stdout}{done.stderr}{file.read_text()}"
    assert "/brokers/callback/" in written
    assert "=abc" not in written
    assert "def123" not in written


def test_an_access_log_that_somebody_asks_for_has_no_query():
    written = [f"%({part})s" in access_log_format for part in "rqfU"]
    assert written == [False, False, False, True]
