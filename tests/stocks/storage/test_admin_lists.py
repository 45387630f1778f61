"""Lists of big tables: ordered by their keys, bounded in pages, their days found without reading all rows."""

from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from market_data.models import DailyBar
from stocks.models import Stock
from stocks.storage.admin_lists import MAX_PAGES, EstimatingPaginator, ProbedDays

pytestmark = pytest.mark.django_db
LIST = "admin:market_data_dailybar_changelist"
DAYS = [date(2024, 12, 30) + timedelta(days=number) for number in (0, 1, 2, 33, 34, 400, 500)]


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


@pytest.fixture
def bars():
    for symbol in ("AAA", "BBB"):
        Stock.objects.create(symbol=symbol)
        DailyBar.objects.bulk_create(
            DailyBar(symbol_id=symbol, date=day, series="EQ", open=1, high=1, low=1, close=1, volume=1, source="t")
            for day in DAYS
        )


@pytest.mark.parametrize("kind", ["year", "month", "day"])
def test_probed_days_are_those_that_django_lists(bars, kind):
    probed = ProbedDays(DailyBar)
    plain: QuerySet[DailyBar] = QuerySet(DailyBar)
    for filters in ({}, {"symbol": "AAA"}, {"date__gte": "2025-01-01", "date__lt": "2026-02-01"}, {"symbol": "CCC"}):
        assert probed.filter(**filters).dates("date", kind) == list(plain.filter(**filters).dates("date", kind))
    assert probed.dates("date", kind, order="DESC") == list(plain.dates("date", kind, order="DESC"))


def test_the_date_hierarchy_needs_no_distinct(operator, bars):
    for filters in ({}, {"date__year": 2025}, {"date__year": 2025, "date__month": 2}):
        with CaptureQueriesContext(connection) as queries:
            page = operator.get(reverse(LIST), filters)
        assert page.status_code == 200
        assert not any("DISTINCT" in query["sql"] for query in queries.captured_queries)
    assert "February 2025" in operator.get(reverse(LIST), {"date__year": 2025}).content.decode()
    assert page.context["cl"].result_count == 4


@pytest.mark.parametrize(
    ("parameters", "order"),
    [
        ({}, ["-date", "symbol_id"]),
        ({"o": "1"}, ["date", "symbol_id"]),
        ({"o": "-0"}, ["-symbol_id", "-date"]),
        ({"o": "0"}, ["symbol_id", "-date"]),
        ({"o": "6"}, ["-date", "symbol_id"]),
    ],
)
def test_rows_are_ordered_by_the_keys_only(operator, bars, parameters, order):
    page = operator.get(reverse(LIST), parameters)
    assert list(page.context["cl"].queryset.query.order_by) == order


def test_the_number_of_pages_is_bounded(operator, bars):
    class Large(EstimatingPaginator):
        count = 1_500_000

    assert Large(DailyBar.objects.order_by("id"), 50).num_pages == MAX_PAGES
    with connection.cursor() as cursor:  # the estimate of other tests' rows outlives them
        cursor.execute("UPDATE pg_class SET reltuples = -1 WHERE oid = %s::regclass", [DailyBar._meta.db_table])
    assert EstimatingPaginator(DailyBar.objects.order_by("id"), 5).num_pages == 3
