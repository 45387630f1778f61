"""The lists of findings say in words what each does."""

import pytest
from django.contrib import admin

from market_data.models import Finding

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("facts", "effect"),
    [
        ({"blocks": True, "symbol": "AAA"}, "keeps the share out of the picks"),
        ({"blocks": True}, "blocks the picks of the day"),
        ({"blocks": False, "symbol": "AAA"}, "for information"),
    ],
)
def test_a_finding_says_what_it_does(admin_client, facts, effect):
    Finding.objects.create(run_id="r", session="2026-04-30", check_name="price_jump", severity="info", **facts)
    page = admin_client.get("/admin/market_data/finding/").content.decode()
    assert effect in page
    assert "Price jump" in page
    assert admin.site.get_model_admin(Finding).list_display.count("blocks") == 0
