"""Query results as frames: exact values, missing ones, reads of any length and reads that break."""

import numpy as np
import psycopg
import pytest

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
def test_a_read_that_breaks_on_its_way_says_so_and_leaves_the_connection_fit(bad_row: int) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        query_frame("SELECT 1 / (n - %s) AS x FROM generate_series(1, 20000) n", [bad_row])
    assert query_frame("SELECT 1 AS one")["one"].tolist() == [1]
