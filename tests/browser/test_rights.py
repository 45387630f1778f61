"""A member of staff with one right, in a real browser: what the pages and forms offer."""

from django.contrib.auth.models import Permission

from portfolio.models import User

PASSWORD = "long-enough-for-tests"


def test_a_right_over_people_offers_no_rights(opened):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("view_user", "change_user")))
    asha, root = User.objects.create_user("asha"), User.objects.create_superuser("root")
    watched = opened()
    page, host = watched.page, watched.host
    page.goto(host + "/admin/")
    page.fill("input[name=username]", "clerk")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()
    assert page.locator("text=Runbook").count() == 0
    page.goto(f"{host}/admin/portfolio/user/{asha.pk}/change/")
    assert page.locator("input[name=is_superuser], input[name=is_staff], input[name=username]").count() == 0
    assert page.locator("a[href*='/delete/'], a[href*='/password/']").count() == 0
    page.fill("input[name=email]", "asha@example.org")
    page.click("button[name=_save]")
    page.wait_for_url("**/admin/portfolio/user/")
    assert User.objects.get(pk=asha.pk).email == "asha@example.org"
    page.goto(f"{host}/admin/portfolio/user/{root.pk}/change/")
    assert page.locator("button[name=_save]").count() == 0
