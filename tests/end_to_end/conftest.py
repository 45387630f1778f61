"""The base market on disk, and a database that was brought up to its last session.

Our modules are imported inside the fixtures: this file is read before Django has its settings.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def base_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exchange's files of the base market."""
    from market_data.providers.simulator import write_archive
    from tests.end_to_end import evenings

    folder = tmp_path_factory.mktemp("exchange")
    write_archive(evenings.simulator(), folder, evenings.SESSIONS[: evenings.BASE])
    return folder


@pytest.fixture(scope="module")
def base_database(
    base_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """The database after the evening of the base market's last session; emptied when the module is done."""
    from django.db import connection

    from tests.end_to_end import evenings

    with django_db_blocker.unblock():
        with evenings.reading_archive(base_archive, tmp_path_factory.mktemp("base")):
            evenings.evening(evenings.SESSIONS[evenings.BASE - 1])
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(evenings.EVERYTHING)} CASCADE")


@pytest.fixture
def archive(base_database: None, base_archive: Path, tmp_path: Path, db: None) -> Iterator[Path]:
    """A private copy of the base market's files, in use, beside the database that has read them."""
    from tests.end_to_end import evenings

    folder = evenings.linked(base_archive, tmp_path / "exchange")
    with evenings.reading_archive(folder, tmp_path):
        yield folder
