"""The containers: the contract's names, ports and volumes, and no way to start them carelessly."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.architecture.sources import ROOT

NAMES = {
    "database": "trading_system_db_dev",
    "dragonfly": "trading_system_redis",
    "trading_system": "trading_system_app_dev",
    "data_scheduler": "trading_system_data_scheduler",
    "ml_scheduler": "trading_system_ml_scheduler",
}
PORTS = {
    "database": ["127.0.0.1:5432:5432"],
    "dragonfly": ["127.0.0.1:6379:6379"],
    "trading_system": ["127.0.0.1:5001:5001"],
}
CLUSTERS = {"data_scheduler": "data", "ml_scheduler": "ml"}
BESIDE = ("prepare", "order_sender")
OURS = (*BESIDE, "trading_system", *CLUSTERS)
# Every setting that names a place on the host, but the one inside the sources.
FOLDERS = set(re.findall(r'env\.folder\("(\w+)"\)', (ROOT / "tradingsite" / "settings.py").read_text()))
FOLDERS -= {"STOCK_FILTERS_FILE"}

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def span(text: str) -> timedelta:
    """`1m30s`, `125m` as a time."""
    units = {"h": "hours", "m": "minutes", "s": "seconds"}
    parts = re.findall(r"(\d+)([hms])", text)
    assert parts
    assert "".join(map("".join, parts)) == text
    return timedelta(**{units[unit]: int(number) for number, unit in parts})


def conforms(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=60, check=False)


def test_the_file_conforms_to_the_compose_specification(tmp_path: Path):
    problems = conforms(ROOT / "docker-compose.yml")
    assert problems.returncode == 0, problems.stdout
    wrong = COMPOSE | {"services": SERVICES | {"database": {"restrat": "always"}}}
    (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong))
    assert conforms(tmp_path / "wrong.yml").returncode != 0


def test_services_names_and_ports_are_the_contracts():
    assert set(SERVICES) - set(BESIDE) == set(NAMES)
    assert {name: SERVICES[name]["container_name"] for name in NAMES} == NAMES
    assert {name: one["ports"] for name, one in SERVICES.items() if "ports" in one} == PORTS


def test_what_must_last_lies_in_volumes():
    assert SERVICES["database"]["volumes"] == ["postgres_data:/var/lib/postgresql/data"]
    assert SERVICES["dragonfly"]["volumes"] == ["dragonfly_data:/data"]
    for name in OURS:
        places = {volume.rpartition(":")[2] for volume in SERVICES[name]["volumes"]}
        assert places >= {"/app/exports", "/app/logs", "/app/var", "/app/backups"}
    named = {
        re.sub(r"\$\{\w+:-(\w+)\}", r"\1", volume).split(":")[0]
        for one in SERVICES.values()
        for volume in one["volumes"]
    }
    assert named == set(COMPOSE["volumes"])


def test_all_that_stays_is_looked_after():
    for name in (*NAMES, "order_sender"):
        service = SERVICES[name]
        assert service["healthcheck"]["test"], name
        assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
        assert service["init"] is True
        assert service["restart"] == "unless-stopped"
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert service["logging"]["options"].keys() >= {"max-size", "max-file"}
    assert "/readyz?only=database,cache" in SERVICES["trading_system"]["healthcheck"]["test"][-1]
    for name, cluster in CLUSTERS.items():
        assert SERVICES[name]["healthcheck"]["test"][1:5] == ["python", "-m", "tradingsite.clusters.health", cluster]


def test_nothing_starts_before_what_it_needs():
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}
    assert SERVICES["prepare"]["depends_on"] == {"database": healthy, "dragonfly": healthy}
    for name in ("trading_system", "order_sender", *CLUSTERS):
        assert SERVICES[name]["depends_on"] == {"database": healthy, "dragonfly": healthy, "prepare": done}
    assert SERVICES["prepare"]["restart"] == "no"


def test_stopping_waits_for_the_longest_step():
    for name, cluster in CLUSTERS.items():
        limit = timedelta(seconds=settings.Q_CLUSTER["ALT_CLUSTERS"][cluster]["timeout"])
        assert span(SERVICES[name]["stop_grace_period"]) > limit
        assert SERVICES[name]["environment"]["Q_CLUSTER_NAME"] == cluster
        # The shell hands its process over: SIGTERM must reach the cluster itself.
        assert "exec python manage.py qcluster" in SERVICES[name]["command"][-1]


def test_there_is_no_default_password():
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        uses = re.findall(rf"\$\{{{name}[^}}]*\}}", text)
        assert uses, name
        assert all(re.fullmatch(rf"\$\{{{name}:\?put {name} into \.env.*\}}", use) for use in uses), uses
    assert not re.search(r"trader_password", text)
    secret = re.compile(r"PASSWORD|SECRET|requirepass|AUTH")
    for name, service in SERVICES.items():
        plain = {key: value for key, value in service.get("environment", {}).items() if secret.search(key)}
        assert all(str(value).startswith("${") for value in plain.values()), (name, plain)


def test_our_containers_can_write_only_where_they_must():
    for name in OURS:
        service = SERVICES[name]
        assert service["user"] == "1000:1000"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
    assert re.search(r"^USER (?!root)\w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_hosts_settings_do_not_lead_astray_inside():
    # All of .env reaches the containers: a folder or an address of the host must have another value there.
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert SERVICES[name]["env_file"] == ".env"
        assert environment.keys() >= FOLDERS
        assert environment["APP_ENV"] == "production"
        assert (environment["DATABASE_URL"], environment["POSTGRES_HOST"]) == ("", "database")
        assert (environment["REDIS_URL"], environment["REDIS_HOST"]) == ("", "dragonfly")
    inside = {place.rpartition(":")[2] for place in SERVICES["trading_system"]["volumes"]}
    passing = {"STATIC_DIR", "PROMETHEUS_MULTIPROC_DIR"}  # made anew with each container
    folders = [str(SERVICES["trading_system"]["environment"][name]) for name in sorted(FOLDERS - passing)]
    assert len(folders) > 5
    assert all(any(place in folder for place in inside) for folder in folders)


def test_the_image_leaves_out_secrets_data_and_what_only_development_needs():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env*", ".git*", ".venv", "var", "logs", "exports", "tests"} <= set(ignored)
    recipe = (ROOT / "Dockerfile").read_text()
    assert "--constraint requirements.txt --requirement pyproject.toml" in recipe
    assert re.findall(r"--extra (\S+)", recipe) == ["distributed", "brokers"]
    assert "--all-extras" not in recipe


@pytest.mark.parametrize("name", ["data_scheduler", "ml_scheduler"])
def test_the_health_check_ends_the_process_that_the_command_names(name: str):
    written = re.search(r"> (\S+)", SERVICES[name]["command"][-1])
    assert written
    assert SERVICES[name]["healthcheck"]["test"][-2:] == ["--end", written[1]]
    assert any(json.dumps(mount).startswith('"/tmp:') for mount in SERVICES[name]["tmpfs"])
