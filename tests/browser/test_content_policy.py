"""The policies in a browser: no page needs what they forbid, and what they forbid does not run."""

import pytest

from tests.browser.test_console import log_in

pytestmark = pytest.mark.long


def test_documentation_and_browsable_api_need_nothing_that_is_forbidden(opened):
    watched = opened()
    page = log_in(watched.page, watched.host + "/admin/")
    for path in (
        "/api/docs/",
        "/api/suggested-stocks/?format=api",
        "/api/accounts/",
        "/admin/system/status?format=api",
    ):
        watched.open(path)
    watched.open("/api/docs/")
    page.wait_for_selector(".opblock-tag-section, .opblock")
    assert watched.foreign == []


@pytest.mark.parametrize("path", ["/picks/", "/admin/", "/api/kill-switch/"])
def test_an_inline_script_does_not_run(opened, path):
    watched = opened()
    log_in(watched.page, watched.host + "/admin/")
    page = watched.open(path)
    page.evaluate(
        "() => { const made = document.createElement('script'); made.textContent = 'window.ran = true';"
        " document.body.append(made); }"
    )
    assert page.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in fault for fault in watched.faults)
    watched.faults.clear()
