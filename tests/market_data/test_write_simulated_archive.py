"""The command that writes a simulated market as the exchange's files."""

import json
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from market_data.providers.nse.archive import NseArchive
from market_data.providers.simulator import Simulator, chosen_kinds
from tradingsite import settings as project_settings

UNTIL = date(2022, 3, 30)
SMALL = {"symbols": 30, "sessions": 20, "seed": 2, "until": UNTIL}


def test_the_archive_reads_back_and_its_answer_key_lists_the_incidents(tmp_path: Path):
    call_command("write_simulated_archive", to=tmp_path / "nse", incidents="usual,late,missing", **SMALL)
    market = Simulator(30, 20, 2, own_incidents=chosen_kinds(["usual", "late", "missing"]))
    archive = NseArchive(tmp_path / "nse")
    sessions = market.sessions(None, UNTIL)
    assert archive.sessions(None, UNTIL) == sessions
    read, expected = archive.bars(UNTIL).frame.set_index("symbol"), market.bars(UNTIL).frame.set_index("symbol")
    assert read["close"].sort_index().equals(expected["close"].sort_index())
    answers = json.loads((tmp_path / "nse" / "incidents.json").read_text())
    assert [answer["kind"] for answer in answers] == [
        incident.kind for incident in market.incidents(sessions[0], UNTIL)
    ]
    assert {answer["symbol"] for answer in answers if answer["kind"] in ("late", "missing")} <= {None}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"incidents": "usual,flood"}, "'flood' is no kind of incident; choose among"),
        ({"until": date(2021, 1, 1)}, "no session up to 2021-01-01; it begins on 2022-01-03"),
        ({"symbols": 0}, "1 to"),
    ],
)
def test_invalid_options_are_refused_and_leave_no_folder(tmp_path: Path, change: dict[str, object], sentence: str):
    with pytest.raises(CommandError, match=sentence):
        call_command("write_simulated_archive", to=tmp_path / "nse", **(SMALL | change))
    assert not (tmp_path / "nse").exists()


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "mine.csv").write_text("x")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("write_simulated_archive", to=tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_a_market_that_reads_written_files_is_a_simulated_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(project_settings, "MARKET_DATA_PROVIDER", "nse_archive")
    monkeypatch.setattr(project_settings, "NSE_ARCHIVE_DIR", tmp_path / "nse")
    assert project_settings._provider_kind() == "real"
    call_command("write_simulated_archive", to=tmp_path / "nse", **SMALL)
    assert project_settings._provider_kind() == "simulated"
