"""The table of units: rounding in Python and in SQL, and figures for people."""

import math
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import connection, models
from hypothesis import given
from hypothesis import strategies as st

from stocks.units import COUNT, CRORES, MINUS, PERCENT, RUPEES, SCORE, figure_text, rounded, rounded_sql, unit_of
from tests.architecture.sources import APPS

FLOATS = st.floats(min_value=1e-9, max_value=1e12) | st.floats(min_value=-1e12, max_value=-1e-9)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (10.220000009374903, RUPEES, 10.22),
        (1777.927346636, CRORES, 1777.93),
        (0.9693583273251623, SCORE, 0.9694),
        (0.001234, PERCENT, 0.001234),
        (0.00123456, PERCENT, 0.001235),
        (8.1534, RUPEES, 8.153),
        (-0.6415774, PERCENT, -0.6416),
        (2.675, RUPEES, 2.675),
        (12.675, RUPEES, 12.68),
        (0.0, RUPEES, 0.0),
    ],
)
def test_rounding_keeps_the_units_decimals_and_four_digits(value, unit, expected):
    assert rounded(value, unit) == expected


@given(FLOATS)
def test_rounding_twice_changes_nothing_and_four_digits_stay(value):
    once = rounded(value, PERCENT)
    assert rounded(once, PERCENT) == once
    assert math.isclose(once, value, rel_tol=5.01e-4)


def test_what_is_no_number_stays():
    assert math.isnan(rounded(math.nan, RUPEES))
    assert rounded(-math.inf, RUPEES) == -math.inf


@pytest.mark.django_db
@pytest.mark.parametrize("unit", [RUPEES, SCORE])
def test_the_database_rounds_alike(unit):
    values = [
        sign * digits * 10.0**power
        for sign in (1, -1)
        for digits in (1.23456789, 9.99996, 2.675)
        for power in range(-8, 9)
    ]
    values += [0.0, 10.220000009374903, 0.125, 1e300, math.inf]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {rounded_sql('v', unit)} FROM unnest(%s::float8[]) WITH ORDINALITY AS t(v, n) ORDER BY n", [values]
        )
        assert [row[0] for row in cursor.fetchall()] == [rounded(value, unit) for value in values]
        cursor.execute(f"SELECT {rounded_sql('v', unit)} FROM (VALUES (NULL::float8), ('NaN')) t(v)")
        missing, nan = (row[0] for row in cursor.fetchall())
    assert missing is None
    assert math.isnan(nan)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (11618852, COUNT, "1,16,18,852"),
        (0, COUNT, "0"),
        (7, COUNT, "7"),
        (1658000.0, CRORES, "16,58,000.00"),
        (157.6, RUPEES, "157.60"),
        (-0.5, PERCENT, f"{MINUS}0.50"),
        (0.001234, PERCENT, "0.001234"),
        (Decimal("1234567.5"), RUPEES, "12,34,567.50"),
        (0.9693583, SCORE, "0.9694"),
    ],
)
def test_figures_for_people(value, unit, text):
    assert figure_text(value, unit) == text


def test_every_float_of_a_table_has_a_unit_of_the_table():
    without = [
        f"{model._meta.label}.{field.name}: {field.help_text!r}"
        for model in apps.get_models()
        if model._meta.app_label in APPS
        for field in model._meta.concrete_fields
        if isinstance(field, models.FloatField) and unit_of(field.name, str(field.help_text)) is None
    ]
    assert without == []
