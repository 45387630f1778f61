"""Every page over three years of the real market: few statements, no big table read from end to end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from market_data.models import PipelineRun
from tests.end_to_end import evenings
from tests.market_data.real_market import LAST_SESSION
from tests.pages import addresses, big_tables, open_page, publish_largest, scanned_tables

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=False), pytest.mark.timeout(1500)]
STATEMENTS = 66
ROWS = 100_000
"""Of one big table: the start page needs the bars of twenty sessions for new highs and lows."""


@pytest.fixture(scope="module")
def filled(
    sample_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """All sessions of the sample through the pipeline, and lists of its largest shares."""
    with django_db_blocker.unblock():
        with (
            evenings.reading_archive(sample_dir / "nse", tmp_path_factory.mktemp("real")),
            override_settings(FUNDAMENTALS_DIR=sample_dir / "fundamentals"),
        ):
            call_command("import_fundamentals", verbosity=0)
            done = evenings.run("pipeline", LAST_SESSION.date())
            assert done.status == "completed", done.reason
            publish_largest(LAST_SESSION.date())
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(evenings.EVERYTHING)} CASCADE")


def test_no_page_reads_a_big_table_from_end_to_end(filled: None, client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("operator"))
    pages = addresses("RELIANCE", LAST_SESSION.date(), PipelineRun.objects.get(job="pipeline"))
    big = big_tables()
    assert {"historical_data", "technical_indicators"} <= set(big)
    faults = []
    for name, address in pages.items():
        before = scanned_tables()
        with CaptureQueriesContext(connection) as queries:
            open_page(client, name, address)
        after = scanned_tables()
        if len(queries) > STATEMENTS:
            faults.append(f"{name}: {len(queries)} statements")
        for table in big:
            scans, rows = (now - then for now, then in zip(after[table], before[table], strict=True))
            if scans or rows > ROWS:
                faults.append(f"{name}: {table} read {scans} times from end to end, {rows} of its rows")
    assert faults == []
