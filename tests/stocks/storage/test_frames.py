"""Query results as frames: exact values, missing ones, reads of any length, and failing reads."""

import gc
import time

import numpy as np
import pandas as pd
import psycopg
import pytest
from django.db import connection, transaction

from stocks.storage.frames import query_frame

pytestmark = pytest.mark.django_db


def test_values_and_types_are_exact() -> None:
    frame = query_frame(
        "SELECT symbol, day::date, value FROM"
        " (VALUES ('A', '2025-03-31', 0.1::float8 + 0.2::float8), ('B', '2025-03-31', NULL), ('C', NULL, 1))"
        " AS t(symbol, day, value) WHERE symbol = ANY(%s) ORDER BY symbol",
        [["A", "B"]],
        dates=("day",),
    )
    assert frame["value"].iloc[0] == 0.1 + 0.2
    assert np.isnan(frame["value"].iloc[1])
    assert frame["day"].dtype == "datetime64[ns]"


def test_a_long_read_is_whole_and_an_empty_one_empty() -> None:
    numbers = "SELECT n, n * 0.1::float8 AS tenth, 'text ' || n AS word FROM generate_series(1, %s) n ORDER BY n"
    frame = query_frame(numbers, [20_000])
    assert frame["n"].tolist() == list(range(1, 20_001))
    assert frame["tenth"].tolist() == [n * 0.1 for n in range(1, 20_001)]
    assert frame["word"].iloc[-1] == "text 20000"
    assert list(query_frame(numbers, [0]).columns) == ["n", "tenth", "word"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bad_row", [1, 15_000])
def test_a_failing_read_raises_and_leaves_the_connection_usable(bad_row: int) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        query_frame("SELECT 1 / (n - %s) AS x FROM generate_series(1, 20000) n", [bad_row])
    assert query_frame("SELECT 1 AS n")["n"].tolist() == [1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", [0, 3_000])
def test_large_frames_are_equal_over_a_connection_of_their_own(rows: int) -> None:
    query = (
        "SELECT CASE WHEN n %% 7 > 0 THEN 'it''s ' || n END AS word, '2025-01-01'::date + n::int AS day,"
        " CASE WHEN n %% 5 > 0 THEN sqrt(n) / 3 END AS figure, n AS volume, NULLIF(n, 2) AS trades, '' AS empty"
        " FROM generate_series(1, %s::bigint) n WHERE 'a' = ANY(%s) ORDER BY n"
    )
    before = sessions()
    kinds = {"word": "str", "empty": "str", "figure": "float64", "volume": "int64", "trades": "Int64"}
    ours, apart = (
        query_frame(query, [rows, ["a"]], dates=("day",), large=large).astype(kinds) for large in (False, True)
    )
    pd.testing.assert_frame_equal(ours, apart, check_exact=True)
    assert len(apart) == rows
    assert_no_session_since(before)


@pytest.mark.django_db(transaction=True)
def test_a_large_read_within_a_transaction_sees_what_the_transaction_wrote() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE written ON COMMIT DROP AS SELECT 1 AS n")
        assert query_frame("SELECT n FROM written", large=True)["n"].tolist() == [1]


@pytest.mark.django_db(transaction=True)
def test_a_failing_large_read_raises_the_same_error_and_leaves_no_session() -> None:
    before = sessions()
    with pytest.raises(psycopg.errors.DivisionByZero):
        query_frame("SELECT 1 / (n - 15000) AS x FROM generate_series(1, 20000) n", large=True)
    assert_no_session_since(before)


@pytest.mark.django_db(transaction=True)
def test_both_connections_have_the_same_time_zone() -> None:
    query = "SELECT current_setting('TimeZone') AS zone"
    assert query_frame(query, large=True)["zone"].tolist() == query_frame(query)["zone"].tolist()


def sessions() -> set[int]:
    """Process ids of this database's sessions; that of a thread that has ended closes when it is collected."""
    gc.collect()
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {pid for (pid,) in cursor.fetchall()}


def assert_no_session_since(before: set[int]) -> None:
    for _ in range(50):  # the server notices the end of a connection a moment later
        left = sessions() - before
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(left)} sessions are left")
