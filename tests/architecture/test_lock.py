"""What is installed: exactly the files that the lock names, by versions and images that do not move."""

import re

import yaml
from packaging.requirements import Requirement

from tests.architecture.sources import ROOT

LOCK = (ROOT / "requirements.txt").read_text()
PACKAGES = re.findall(r"^(?![ #]).+(?:\n    --hash=.+)*", LOCK, re.MULTILINE)


def test_every_package_has_one_version_and_hashes():
    assert len(PACKAGES) > 150
    for package in PACKAGES:
        first, *hashes = package.replace(" \\", "").splitlines()
        assert re.fullmatch(r"==[^*,]+", str(Requirement(first).specifier)), first
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes), first


def test_the_lock_names_no_index():
    assert not re.search(r"https?://|^-", LOCK, re.MULTILINE)


def test_whatever_installs_demands_the_hashes():
    for name in ("run.sh", "Dockerfile"):
        commands = re.findall(r"pip install [^&|;]*", re.sub(r"\\\n\s*", "", (ROOT / name).read_text()))
        assert len(commands) >= 2
        assert [command for command in commands if "--require-hashes" not in command] == []


def test_images_have_exact_versions():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    images = [service["image"] for service in services if "build" not in service]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(images) == 4
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$", image)] == []
