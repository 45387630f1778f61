"""`.env` means the same to docker compose, the settings and run.sh; what could mean two things stops the start."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.architecture.sources import ROOT
from tradingsite import env
from tradingsite.dotenv import DotenvError, Variable, variables

ACCEPTED = {
    "A=b": "b",
    "A = s3cret-value!": "s3cret-value!",
    "  export  A=b": "b",
    "A: b": "b",
    "A=": "",
    "A= ": "",
    "A=''": "",
    'A=""': "",
    "A=b # comment": "b",
    "A=b# no comment": "b# no comment",
    "A=b#c": "b#c",
    "A='b # c' # comment": "b # c",
    'A="b # c"#comment': "b # c",
    "A='$b ${c} \\n'": "$b ${c} \\n",
    "A='it\\'s'": "it's",
    r'A="say \"b\" \\ \n\t\$c"': 'say "b" \\ \n\t$c',
    r'A="\0101\x"': r"A\x",
    r"A=b\tc": r"b\tc",
    "A=it's": "it's",
    'A=b"c"': 'b"c"',
    "A=b=c==": "b=c==",
    "A=p@ss,w:rd%;(&)<|>*?!~`": "p@ss,w:rd%;(&)<|>*?!~`",
    "A=$$b": "$b",
    "A=b\r\nB=c\r": "b",
    "\ufeffA=b": "b",
    "A='two\nlines'": "two\nlines",
    "A='# no\n# comments' # one": "# no\n# comments",
    "# comment\n\n\t# another\nA=b": "b",
    "A=c\nA=b": "b",
    'A={"text": 1}': '{"text": 1}',
    "A=₹ é": "₹ é",
}
REFUSED = {
    b"A=1\nhunter2\n": "line 2, is not NAME=value",
    b"hunter2 is=the secret": "line 1, is not NAME=value",
    b"postgresql://u:hunter2@h/d": "line 1, is not NAME=value",
    b"1A=hunter2": "line 1, is not NAME=value",
    b"=hunter2": "line 1, is not NAME=value",
    b"\n\nA='hunter2\n\nB=c\n": "line 3: A begins with ' and does not end",
    b'A="hunter2\\"': 'line 1: A begins with " and does not end',
    b"A='x' hunter2": "line 1: A goes on after its closing '",
    b'A="x"hunter2"': 'line 1: A goes on after its closing "',
    b"A=hunter2$x": "line 1: A has a $",
    b"A=${hunter2}": "line 1: A has a $",
    b'A="hunter2$"': "line 1: A has a $",
    b"A=#hunter2": "line 1: A has a # that may be",
    b"A= # comment": "line 1: A has a # that may be",
    b"A=hunter2\t# comment": "line 1: A has a # that may be",
    b"A=x\nB=hunter\xe92\n": "line 2, is not UTF-8",
    "A=hunter2".encode("utf-16"): "line 1, is not UTF-8",
    b"A=hunter2\0": "line 1: A holds a control character",
    b"A=x\rB=hunter2": "line 1: A holds a control character",
    b"A='hunter2\0'": "line 1: A holds a NUL",
    b'A="hunter2\\0"': "line 1: A holds a NUL",
    b"\0\0\0\0hunter2": "line 1, is not NAME=value",
}
SCRIPT = [sys.executable, "-I", str(ROOT / "tradingsite" / "dotenv.py")]


@pytest.mark.parametrize("content", ACCEPTED)
def test_what_compose_accepts_is_read_alike(content: str) -> None:
    values = {variable.name: variable.value for variable in variables(content.encode())}
    assert values["A"] == ACCEPTED[content]


@pytest.mark.parametrize("content", REFUSED)
def test_the_rest_is_refused_with_line_and_name_but_no_value(content: bytes) -> None:
    with pytest.raises(DotenvError) as error:
        variables(content, "/srv/.env")
    assert f"/srv/.env, {REFUSED[content]}" in str(error.value)
    assert "hunter" not in f"{error.value}{error.value.__cause__}"


def test_lines_are_counted_over_values_of_several_lines() -> None:
    assert variables(b"A='1\n2\n3' # x\n\nB=4") == [Variable("A", "1\n2\n3", 1), Variable("B", "4", 5)]
    with pytest.raises(DotenvError, match="line 7, is not"):
        variables(b"A='1\n2\n3'\nB=\"\n\n\"\nC")


def test_ten_thousand_lines_are_read() -> None:
    content = "".join(f"export NAME_{number} = 'value \\'{number}' # x\r\n" for number in range(10_000))
    read = variables(content.encode())
    assert (len(read), read[-1]) == (10_000, Variable("NAME_9999", "value '9999", 10_000))


def test_the_scripts_output_is_the_value_and_its_refusal_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text('A = \'first\'\nA = "sec\\"ond" # c\n')
    for name, expected in (("A", 'sec"ond'), ("B", "")):
        assert subprocess.check_output([*SCRIPT, path, name], text=True) == expected
    path.write_bytes(b"A='hunter2")
    refusal = subprocess.run([*SCRIPT, path, "A"], capture_output=True, text=True, check=False)
    assert (refusal.returncode, refusal.stdout) == (1, "")
    assert refusal.stderr.strip() == f"{path}, line 1: A begins with ' and does not end with it."
    missing = subprocess.run([*SCRIPT, tmp_path / "none", "A"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr


def test_a_misspelt_name_is_reported_with_the_right_one_and_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRT_KEY", "secret_key", "METRICS_TOKEN_FILE", "HTTPS_PROXY_OF_OURS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(os, "environ", dict(os.environ))
    shutil.copy(ROOT / ".env.example", tmp_path)
    path = tmp_path / ".env"
    path.write_text("SECRT_KEY=hunter2\nMETRICS_TOKEN_FILE=x\nHTTPS_PROXY_OF_OURS=y\nPORT=7\n")
    with pytest.warns(UserWarning, match="is not a setting") as warned:
        env.load(path)
    assert [str(warning.message) for warning in warned] == [
        f"{path}, line 1: SECRT_KEY is not a setting; SECRET_KEY is."
    ]
    assert (os.environ["SECRT_KEY"], os.environ["PORT"]) == ("hunter2", "7")


def test_the_environment_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"A": "mine", "B": ""})
    (tmp_path / ".env").write_text("A=x\nB=x\nC=1\nC=2")
    env.load(tmp_path / ".env")
    assert [os.environ[name] for name in "ABC"] == ["mine", "", "2"]


def test_an_unreadable_file_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("A=é".encode("latin-1"))
    with pytest.raises(ImproperlyConfigured, match="line 1, is not UTF-8"):
        env.load(tmp_path / ".env")
    with pytest.raises(ImproperlyConfigured, match="cannot be read: Is a directory"):
        env.load(tmp_path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `./run.sh prod` needs, with a docker that only says that it was called."""
    (tmp_path / "tradingsite").mkdir()
    for name in ("run.sh", ".env.example", "tradingsite/dotenv.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho started "$@"\n')
    docker.chmod(0o755)
    return tmp_path


def start(checkout: Path, content: str) -> subprocess.CompletedProcess[str]:
    (checkout / ".env").write_text(content)
    environment = {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    command = [str(checkout / "run.sh"), "prod"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_run_sh_sees_what_compose_sees(checkout: Path) -> None:
    key = "0123456789" * 4
    spelt = f'export SECRET_KEY = {key} # ours\nPOSTGRES_PASSWORD: "a#\\"b"\nREDIS_PASSWORD = \'x # y\' # z\n'
    started = start(checkout, spelt)
    assert started.stdout.splitlines()[-1] == "started compose up --build"
    assert "POSTGRES_HOST=127.0.0.1" in started.stderr
    assert "embedded database" not in start(checkout, f"{spelt}export POSTGRES_HOST = '127.0.0.1'\n").stderr
    short = start(checkout, f"SECRET_KEY = short # {key}\nPOSTGRES_PASSWORD = 'changeme'\nREDIS_PASSWORD='' # none\n")
    assert short.returncode == 1
    for sentence in (
        "SECRET_KEY has fewer than 32",
        "POSTGRES_PASSWORD is an example",
        "REDIS_PASSWORD is not set",
    ):
        assert sentence in short.stderr
    broken = start(checkout, f"{spelt}POSTGRES_HOST='hunter2\n")
    assert broken.returncode == 1
    assert broken.stderr.strip() == ".env, line 4: POSTGRES_HOST begins with ' and does not end with it."
