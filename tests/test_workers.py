"""The workers of a parallel run share a PostgreSQL and a Valkey, and meet on neither."""

import os
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def test_a_worker_caches_in_a_numbered_database_of_its_own() -> None:
    client: Any = cache
    kept_in = client.client.get_client().connection_pool.connection_kwargs["db"]
    assert kept_in == (int(WORKER.removeprefix("gw")) + 1 if WORKER else 0)


@pytest.mark.django_db
def test_a_worker_stores_in_a_database_of_its_own() -> None:
    assert connection.settings_dict["NAME"] == "_".join(["test_trading_system", *filter(None, [WORKER])])
