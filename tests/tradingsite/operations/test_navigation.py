"""The admin's menu: every table once, under what people do, and one entry lit."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from tradingsite.operations.navigation import TABLES, groups

pytestmark = pytest.mark.django_db
APPS = ("Axes", "Auth Token", "Django Q", "Tradingsite", "Market_Data", "Market_data", "All applications", "Ml")


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


def menu(page):
    """Title → address of the sidebar's links, and the titles that are lit."""
    sidebar = page[page.index('id="nav-sidebar-apps"') : page.index('id="main"')]
    links = re.findall(r'<a href="([^"]+)" class="([^"]*)">\s*<span>([^<]*)</span>', sidebar)
    return {title: address for address, _, title in links}, [
        title for _, css, title in links if "active" in css.split()
    ]


def test_every_table_stands_in_one_group():
    listed = [label for names in TABLES.values() for label in names]
    assert sorted(listed) == sorted(model._meta.label for model in admin.site._registry)


def test_the_groups_are_what_people_do_and_name_no_app(operator):
    page = operator.get("/admin/").content.decode()
    sidebar = page[page.index('id="nav-sidebar-apps"') : page.index('id="main"')]
    headings = re.findall(r"<h2[^>]*>\s*(\w+)", sidebar)
    assert headings == ["Operations", "Market", "Picks", "Portfolio", "People", "System"]
    assert [name for name in APPS if name in page] == []
    titles, _ = menu(page)
    assert titles["Import"] == "/admin/market_data/importedfile/add/"


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("/admin/", "Home"),
        ("/admin/market_data/pipelinerun/", "Runs"),
        ("/admin/market_data/pipelinerun/?unresolved=yes", "Failed runs"),
        ("/admin/market_data/importedfile/", "Imported files"),
        ("/admin/market_data/importedfile/add/", "Import"),
        ("/admin/django_q/schedule/", "Schedules"),
        ("/admin/django_q/failure/", "Queue: failed tasks"),
        ("/admin/stocks/stock/", "Stocks"),
        ("/admin/stocks/stockmetrics/", "Metrics of a session"),
        ("/admin/portfolio/order/", "Orders"),
    ],
)
def test_one_entry_is_lit(operator, address, title):
    assert menu(operator.get(address).content.decode())[1] == [title]


def test_a_menu_shows_only_what_its_reader_may_open(rf):
    person = get_user_model().objects.create_user("asha", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_stock"))
    request = rf.get("/admin/")
    request.user = person
    shown = [(group["title"], [item["title"] for item in group["items"]]) for group in groups(request)]
    assert shown == [("Operations", ["Home"]), ("Market", ["Stocks"])]
