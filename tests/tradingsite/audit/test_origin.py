"""What a process is for the audit, by its command line."""

import pytest

from tradingsite.audit import origin


@pytest.mark.parametrize(
    ("argv", "channel", "path"),
    [
        (["./manage.py", "rollback_run", "pipeline_1"], "command", "manage.py rollback_run"),
        (["/opt/nse/manage.py"], "command", "manage.py"),
        (["manage.py", "shell"], "shell", "manage.py shell"),
        (["manage.py", "psql", "--", "-c", "secret"], "shell", "manage.py psql"),
        (["/home/asha/repair.py"], "shell", "repair.py"),
        ([""], "shell", "python"),
    ],
)
def test_commands_and_shells_name_the_account(monkeypatch, argv, channel, path):
    monkeypatch.setattr(origin, "_declared", [])
    assert origin.process_origin(argv) == {"channel": channel, "path": path, "account": origin.machine_account()}


def test_services_are_the_system(monkeypatch):
    monkeypatch.setattr(origin, "_declared", [])
    origin.declare_service()
    assert origin.process_origin(["pytest"]) == {"channel": "system"}
    origin._declared.clear()
    for command in ("qcluster", "runserver"):
        assert origin.process_origin(["manage.py", command]) == {"channel": "system"}


def test_blanks_in_a_name_survive(monkeypatch):
    monkeypatch.setattr(origin, "_declared", [])
    monkeypatch.setattr(origin, "machine_account", lambda: r"a b\c@host")
    assert r"-c audit.account=a\ b\\c@host" in origin.session_options(["manage.py", "cleanup"])
