"""Log files rotate while several processes write, and no line is lost or torn."""

import json
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT
from tradingsite.logs import logging_settings

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
