"""Every answer has a Content Security Policy, errors and redirects too; none lets an inline script run."""

from typing import Any

import pytest
from django.test import Client

from tests.tradingsite.test_who_may import ROUTES, concrete

pytestmark = pytest.mark.django_db
SHARED = ("default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'self'", "object-src 'none'")
LOOSER = {
    "/admin/": {"script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'"},
    "/api/": {"script-src 'self'", "style-src 'self' 'unsafe-inline'"},
    "/": {"script-src 'self'", "style-src 'self'"},
}


def faults_of(answer: Any, path: str) -> list[str]:
    directives = set(answer.get("Content-Security-Policy", "").split("; "))
    own = next(own for prefix, own in LOOSER.items() if path.startswith(prefix))
    return [f"{answer.status_code} {path} lacks {each}" for each in {*SHARED, *own} - directives]


@pytest.mark.parametrize("method", ["get", "put"])
def test_every_route_has_its_policy(method: str) -> None:
    client = Client(raise_request_exception=False)
    paths = [concrete(route) for route in ROUTES]
    assert len(paths) > 150
    assert [fault for path in paths for fault in faults_of(getattr(client, method)(path), path)] == []


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/",
        "/admin/nothing/",
        "/api/nothing/",
        "/picks/?strategy=a%00b",
        "/healthz",
        "/static/portfolio/icon.svg",
    ],
)
def test_so_have_errors_health_and_files(path: str) -> None:
    answer = Client().get(path)
    assert faults_of(answer, path) == []
    answer.close()  # of a file


@pytest.mark.parametrize("path", ["/picks/", "/api/suggested-stocks/", "/api/docs/"])
def test_so_has_what_breaks_or_is_redirected(path: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    settings.SECURE_SSL_REDIRECT = True
    redirected = Client().get(path)
    settings.SECURE_SSL_REDIRECT = False
    monkeypatch.setattr("rest_framework.views.APIView.initial", broken)
    monkeypatch.setattr("portfolio.pages.views.picks", broken, raising=False)
    monkeypatch.setattr("stocks.picks.queries.pick_list", broken)
    answer = Client(raise_request_exception=False).get(path)
    assert (redirected.status_code, faults_of(redirected, path) + faults_of(answer, path)) == (301, [])


def test_a_superusers_pages_run_no_inline_script(admin_client: Client) -> None:
    """What a policy forbids would only be seen in a browser's console."""
    for path in (
        "/admin/",
        "/admin/stocks/stock/",
        "/admin/portfolio/apitoken/add/",
        "/api/docs/",
        "/api/kill-switch/",
    ):
        html = admin_client.get(path, headers={"accept": "text/html"}).text
        scripts = [tag for tag in html.split("<script")[1:] if "src=" not in tag.split(">")[0]]
        assert [tag[:80] for tag in scripts if 'type="application/json"' not in tag] == [], path
