"""Every list and every form of the admin in a browser: nobody is shut out, nothing comes from elsewhere."""

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from tests.browser.test_console import log_in
from tests.tables import fill_every_table

pytestmark = pytest.mark.long


def addresses() -> list[str]:
    """Each table's list, its form for a new row, and that of a row."""
    violations = []
    for model in admin.site._registry:
        name, row = f"admin:{model._meta.app_label}_{model._meta.model_name}", model._default_manager.first()
        assert row is not None, f"fill_every_table leaves {model._meta.db_table} empty"
        for place, arguments in (("changelist", []), ("add", []), ("change", [row.pk])):
            try:
                violations.append(reverse(f"{name}_{place}", args=arguments))
            except NoReverseMatch:
                continue
    return [*violations, "/admin/password_change/"]


def test_no_page_of_the_admin_shuts_anybody_out(opened):
    fill_every_table()
    watched = opened()
    log_in(watched.page, watched.host + "/admin/")
    faults: list[str] = []
    page_count = 0
    for address in addresses():
        answer = watched.page.goto(watched.host + address)
        if answer.status == 403:  # rows that only a writer makes
            watched.faults.clear()
            continue
        page_count += 1
        faults += [f"{address} answers {answer.status}"] if answer.status != 200 else watched.serious_faults()
    assert faults == []
    assert page_count > 80
