"""Every table as a streamed CSV: with the list's filters, without formulas and secrets."""

import csv
import io
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import models
from django.test.utils import isolate_apps
from django.urls import reverse

from market_data.models import DailyBar, RejectedRow
from stocks.admin import StreamedExport
from stocks.models import Stock
from stocks.storage.export import csv_blocks, is_exported
from stocks.storage.resources import SafeResource
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
    assert SECRET not in str(exported)
    results_of_tasks = {"result"} if model._meta.app_label == "django_q" else set()
    # What is stored as JSON under that name are facts.
    whole_files = {f.column for f in model._meta.concrete_fields if not isinstance(f, models.JSONField)} & {"content"}
    assert not ({"password", "session_data", "payload"} | whole_files | results_of_tasks) & set(exported[0])


# Types that hold secrets, pickles or whole files. A type that is neither here nor exported somewhere fails the test.
LEFT_OUT = {"SealedField", "PickledObjectField", "BinaryField"}
TABLES_LEFT_OUT = {"portfolio.ApiToken", "sessions.Session"}


def test_every_column_is_exported_or_left_out_by_its_type():
    models_exported = [model for model in apps.get_models() if model._meta.label not in TABLES_LEFT_OUT]
    fields = [field for model in models_exported for field in model._meta.concrete_fields]
    exported = {type(field).__name__ for field in fields if is_exported(field)}
    assert {type(field).__name__ for field in fields} - exported == LEFT_OUT
    assert {type(field).__name__ for field in fields if not is_exported(field)} - LEFT_OUT <= {
        *("CharField", "TextField", "JSONField", "DateTimeField", "OneToOneField"),
    }


def test_tables_of_keys_are_left_out_whole():
    whole = {
        model._meta.label
        for model in apps.get_models()
        if not any(is_exported(field) for field in model._meta.concrete_fields)
    }
    assert whole == TABLES_LEFT_OUT


def test_the_columns_of_people_are_a_list():
    columns = {field.column for field in get_user_model()._meta.concrete_fields if is_exported(field)}
    assert columns == {
        *("id", "username", "first_name", "last_name", "email"),
        *("is_active", "is_staff", "is_superuser", "date_joined", "last_login"),
    }


@pytest.mark.parametrize(
    "name", ["refresh_token", "pin_secret", "totp_secret", "new_password", "api_key", "credentials"]
)
@isolate_apps("stocks")
def test_the_next_secret_is_not_exported(name):
    """Plain, or of a type derived from one that is exported."""

    class Sealed(models.TextField):
        pass

    class Account(models.Model):  # noqa: DJ008  # a table of this test alone
        harmless = models.CharField(max_length=9)
        sealed = Sealed()
        token_expires_at = models.DateTimeField()

        class Meta:
            app_label = "stocks"

    models.CharField(max_length=99).contribute_to_class(Account, name)
    exported = {field.name for field in Account._meta.concrete_fields if is_exported(field)}
    assert exported == {"id", "harmless", "token_expires_at"}


@pytest.mark.parametrize("resource", SafeResource.__subclasses__(), ids=lambda resource: resource.__name__)
def test_an_export_with_chosen_columns_holds_no_more(resource):
    columns = {field.attname: field for field in resource._meta.model._meta.concrete_fields}
    fields = [field.attribute for field in resource().get_export_fields()]
    assert fields
    assert [name for name in fields if not is_exported(columns[name])] == []


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
