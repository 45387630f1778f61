"""Every table as a streamed CSV: with the list's filters, without formulas and secrets."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from market_data.models import DailyBar, RejectedRow
from stocks.admin import StreamedExport
from stocks.models import Stock
from stocks.storage.export import SECRET_COLUMNS, csv_blocks
from tests.published import SESSION
from tests.tables import SECRET, fill_every_table

pytestmark = pytest.mark.django_db
STREAMED = [model for model, page in admin.site._registry.items() if isinstance(page, StreamedExport)]


def rows(blocks) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(blocks).decode())))


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


@pytest.mark.parametrize("model", STREAMED, ids=lambda model: model.__name__)
def test_every_table_can_be_exported(operator, model):
    fill_every_table()
    changelist = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export")
    assert f'href="{address}' in operator.get(changelist).content.decode()
    assert operator.get(address).status_code == 200
    exported = rows(csv_blocks(model._default_manager.all()))
    assert len(exported) == model._default_manager.count() > 0
    assert not set(exported[0]) & SECRET_COLUMNS
    assert SECRET not in str(exported)


def test_the_filters_of_the_list_apply(operator):
    fill_every_table()
    for back in (1, 2):
        DailyBar.objects.create(
            symbol_id="AAA", date=SESSION - timedelta(days=back), series="EQ", open=10, high=11, low=9, close=10,
            volume=5, source="100%", status="provisional",
        )  # fmt: skip
    address = reverse("admin:market_data_dailybar_export")
    whole, some, none = (
        rows(operator.get(address, filters).streaming_content)
        for filters in ({}, {"q": "AAA 2026-04-29"}, {"status__exact": "provisional", "q": "BBB"})
    )
    assert [len(exported) for exported in (whole, some, none)] == [3, 1, 0]
    assert (some[0]["date"], some[0]["source"], some[0]["close"]) == ("2026-04-29", "100%", "10")
    assert whole[0]["created_at"].endswith("+05:30")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_acts_as_a_formula_and_numbers_stay_numbers(start):
    Stock.objects.create(symbol="AAA", stock_name=f"{start}HYPERLINK(1)", earnings_growth=-12.5)
    [row] = rows(csv_blocks(Stock.objects.all()))
    assert row["stock_name"] == f"'{start}HYPERLINK(1)"
    assert row["earnings_growth"] == "-12.5"


def test_a_large_table_comes_in_blocks():
    RejectedRow.objects.bulk_create(RejectedRow(run_id="r", source="s", reason="x", raw="y" * 500) for _ in range(500))
    blocks = list(csv_blocks(RejectedRow.objects.all()))
    assert len(blocks) > 3
    assert max(map(len, blocks)) < 100_000
    assert len(rows(blocks)) == 500


def test_a_table_is_exported_only_to_those_who_may_view_it(client):
    watcher = get_user_model().objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_stock"))
    client.force_login(watcher)
    assert client.get(reverse("admin:market_data_dailybar_export")).status_code == 403
    assert b"Import CSV" not in client.get(reverse("admin:stocks_stock_changelist")).content
