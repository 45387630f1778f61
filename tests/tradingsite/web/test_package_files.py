"""The pages' files from Python packages are served, and nothing else of the packages."""

import sys

import pytest
from django.contrib.staticfiles import finders

from tradingsite.web.package_files import PACKAGES, PackageFileFinder


@pytest.mark.parametrize("name", [f"{files.prefix}/{name}" for files in PACKAGES for name in files.names])
def test_each_file_is_found_and_served(client, name):
    assert finders.find(name)
    response = client.get(f"/static/{name}")
    assert response.status_code == 200
    # Reading to the end closes the file.
    assert len(response.getvalue()) > 10_000


def test_nothing_else_of_the_packages_is_served(client):
    for name in ("lightweight-charts/index.html", "bootstrap/bootstrap.css", "bootstrap/../LICENSE", "bootstrap/"):
        assert PackageFileFinder().find(name) == []
        assert client.get(f"/static/{name}").status_code == 404


def test_they_are_listed_for_collecting():
    listed = {f"{getattr(storage, 'prefix', '')}/{name}": storage for name, storage in PackageFileFinder().list(None)}
    assert set(listed) == {f"{files.prefix}/{name}" for files in PACKAGES for name in files.names}
    assert all(storage.exists(name.partition("/")[2]) for name, storage in listed.items())
    assert list(PackageFileFinder().list(["*"])) == []


def test_the_desktop_half_is_not_imported():
    assert "lightweight_charts" not in sys.modules


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr("tradingsite.web.package_files.find_spec", lambda name: None)
    (error,) = PackageFileFinder().check()
    assert "bootstrap/bootstrap.min.css" in error.msg
    assert "./run.sh install" in error.msg
