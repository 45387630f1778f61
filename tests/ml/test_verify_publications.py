"""`verify_publications` on lists that the selection published: silent when all is well, or it names the first break."""

import hashlib
import re
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from market_data.exports.queries import file_queries
from ml import selection
from stocks.models import Publication
from tests.ml.scoreboard.test_queries import store
from tests.ml.test_selection import NEXT, SESSION, picks, publish, undo

pytestmark = pytest.mark.django_db


def verify(**options: Any) -> str:
    output = StringIO()
    call_command("verify_publications", stdout=output, **options)
    return output.getvalue()


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount


def test_what_the_selection_publishes_verifies_also_after_a_rollback_and_a_purge() -> None:
    assert "No list has been published" in verify()
    odd = {"pe_ratio": np.nan, "market_cap": 1e16, "macd": -0.0, "standing": "new", "listed_since": SESSION}
    publish("r1", growth=picks("AAA", "BBB", **odd), value=picks())
    publish("r2", growth=picks("BBB", "CCC", beta=0.1 + 0.2))
    undo("r2", 2)
    publish("r3", growth=picks("CCC"))
    first, second, third = Publication.objects.filter(strategy="growth").order_by("pk")
    assert (first.previous_hash, second.previous_hash) == ("", first.head_hash)
    assert third.previous_hash == second.head_hash != third.head_hash
    assert "growth: 3 of 3 with a hash" in (report := verify())
    assert third.head_hash in report
    assert "as it was published" in report
    first.delete()
    assert "growth: 2 of 2" in verify()


def test_a_purge_takes_only_the_oldest_links() -> None:
    """A list published anew after a later session's was rolled back lies between links that stay."""
    publish("r1", growth=picks("AAA"))
    Publication.objects.update(date=NEXT)
    sql("DELETE FROM daily_suggested_stocks")
    publish("r2", growth=picks("AAA"))
    store(SESSION, "AAA", 1.0)
    assert selection.purge_picks(NEXT) == 1
    assert Publication.objects.count() == 2


def test_the_text_printed_has_the_published_hash() -> None:
    publish("r1", growth=picks("AAA", "BBB"))
    publish("r2", growth=picks("BBB"))
    newest = Publication.objects.get(version=2)
    assert hashlib.sha256(verify(text="growth").encode()).hexdigest() == newest.head_hash
    with pytest.raises(CommandError, match="no value list"):
        verify(text="value")


@pytest.mark.parametrize(
    ("rewrite", "version", "reason"),
    [
        ("UPDATE publications SET picks = jsonb_set(picks, '{0,target_price}', '3000') WHERE version = 1", 1, "head"),
        ("UPDATE publications SET model_id = 'better' WHERE version = 2", 2, "head"),
        ("UPDATE publications SET head_hash = '' WHERE version = 2", 2, "missing"),
        ("UPDATE daily_suggested_stocks SET target_price = 3000 WHERE symbol = 'BBB'", 2, "BBB in daily_suggested"),
        ("DELETE FROM daily_suggested_stocks WHERE symbol = 'CCC'", 2, "CCC in daily_suggested"),
    ],
)
def test_a_rewrite_is_named(rewrite: str, version: int, reason: str) -> None:
    publish("r1", growth=picks("AAA"))
    publish("r2", growth=picks("BBB", "CCC"))
    verify()
    sql(rewrite)
    with pytest.raises(CommandError, match=re.escape(f"version {version}, is the first break: ")) as refusal:
        verify()
    assert reason in str(refusal.value)


def test_api_page_and_csv_print_the_hash(client: Client) -> None:
    publish("r1", growth=picks("AAA"))
    publish("r2", growth=picks("BBB"))
    listed = Publication.objects.get(version=2)
    body = client.get("/api/suggested-stocks/", {"strategy": "growth"}).json()
    assert (body["head_hash"], body["previous_hash"]) == (listed.head_hash, listed.previous_hash)
    assert listed.head_hash in client.get("/picks/?strategy=growth").content.decode()
    query = file_queries(SESSION, [listed.pk])[-1]
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.parameters)
        [row] = cursor.fetchall()
    assert dict(zip(query.columns, row, strict=True))["head_hash"] == listed.head_hash
