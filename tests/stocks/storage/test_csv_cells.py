"""Escaping of formulas: the same texts in Python and in the database, and never a number."""

import pytest
from django.db import connection

from stocks.storage.csv_cells import escaped, escaped_sql, is_formula, unescaped


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_formula_gets_an_apostrophe_in_front(start: str) -> None:
    assert is_formula(f"{start}1")
    assert escaped(f"{start}1") == f"'{start}1"


@pytest.mark.parametrize("value", ["", "plain", "a=b", "'tis", -12.5, 3, None])
def test_anything_else_stays_as_it_is(value: object) -> None:
    assert escaped(value) == value


@pytest.mark.parametrize("text", ["=1", "'=1", "''-1", "'tis", "plain", ""])
def test_each_text_is_read_back_as_it_was(text: str) -> None:
    assert unescaped(str(escaped(text))) == text


@pytest.mark.django_db
def test_the_database_escapes_the_same_texts() -> None:
    texts = ["", *(chr(code) + rest for code in range(1, 256) for rest in ("", "x\n=y")), "'=1", "''=1"]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {escaped_sql('t')} FROM unnest(%s::text[]) WITH ORDINALITY u(t, n) ORDER BY n", [texts])
        assert [row[0] for row in cursor.fetchall()] == [escaped(text) for text in texts]
