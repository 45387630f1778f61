"""A headless Chromium for the tests of the pages; without one they are skipped with a reason."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "no Chromium on this machine: these pages were not tried in a browser (Debian: apt-get install chromium)"
FINISH_TRANSITIONS = "document.getAnimations().filter(one => one instanceof CSSTransition).forEach(one => one.finish())"
DESKTOP = {"width": 1360, "height": 900}
TABLET = {"width": 820, "height": 1100}
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        for item in items:
            if "tests/browser/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright's event loop runs in this thread, where Django would refuse synchronous database access.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
        # Inside Playwright's loop this thread has its own database connections: close those before it ends.
        connections.close_all()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Watched:
    """A page that records console errors and requests to other hosts."""

    def __init__(self, context: BrowserContext, host: str, *, takes_pictures: bool) -> None:
        self.takes_pictures = takes_pictures
        self.page: Page = context.new_page()
        self.host = host
        self.faults: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", self._record_console_error)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._record_foreign(request.url))

    def _record_console_error(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"{message.text} {message.location}")

    def _record_foreign(self, url: str) -> None:
        if not url.startswith((self.host, "data:", "blob:")):
            self.foreign.append(url)

    def open(self, path: str) -> Page:
        """Open a path and wait until it is loaded."""
        self.page.goto(self.host + path, wait_until="load")
        return self.page

    def picture(self, name: str, *, full: bool = False) -> None:
        """Save a screenshot for people to look at, if they asked for it."""
        if not self.takes_pictures:
            return
        folder = Path(settings.BASE_DIR) / "var" / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=full)

    def overflow(self) -> int:
        """Number of pixels by which the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return width

    def serious_faults(self) -> list[str]:
        """Serious and critical violations that axe-core finds with all details opened and no colour on its way."""
        self.page.evaluate("document.querySelectorAll('.console details').forEach(one => one.open = true)")
        self.page.evaluate(FINISH_TRANSITIONS)
        return [
            f"{self.page.url} {fault['id']}: {node['html'][:200]} {node['failureSummary']}"
            for fault in Axe().run(self.page).response["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    def spilled(self) -> list[str]:
        """Table rows that are wider than their panel."""
        rows: list[str] = self.page.evaluate(
            "() => [...document.querySelectorAll('.panel tr, .card tr')]"
            ".filter(row => !row.closest('.scroll') && row.getBoundingClientRect().right >"
            " row.closest('.panel, .card').getBoundingClientRect().right + 0.5).map(row => row.innerText)"
        )
        return rows


@pytest.fixture
def opened(browser, live_server, transactional_db, pytestconfig):
    """A function that opens a page in a fresh context; afterwards no page may have had a fault."""
    cache.clear()
    contexts, pages = [], []

    def make(**options) -> Watched:
        context = browser.new_context(viewport=options.pop("viewport", DESKTOP), **options)
        contexts.append(context)
        pages.append(Watched(context, live_server.url, takes_pictures=pytestconfig.getoption("pictures")))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [fault for page in pages for fault in page.faults] == []
    assert [url for page in pages for url in page.foreign] == []
