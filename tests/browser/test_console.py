"""The operations console as an operator uses it: start, watch, read why it failed, retry, see it complete.

A thread of this test stands in for the queue's worker; the engine, the pages and their live refresh are the real ones.
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from playwright.sync_api import Page, expect

from market_data import tasks
from market_data.evenings.current_evening import Evening, current_evening
from market_data.models import (
    CorporateAction,
    Finding,
    Heartbeat,
    MarketDay,
    PipelineRun,
    SourceFile,
    StepAttempt,
    TableTotal,
)
from market_data.runs.saga import Step, StepContext, StepFailed, saga_of
from stocks.models import Stock
from tests.browser.conftest import DESKTOP, PHONE
from tests.published import pick, publish
from tests.runs import make_run, registered
from tradingsite.operations.views import run_url
from tradingsite.schedule import evening_jobs

PATIENCE = 20_000
REASON = "The file of the session is truncated: 40 of 60 rows were rejected. Download it again, then retry."


class ScriptedWorker:
    """Works on the queue in a thread; its long step waits for `go_on`, its last step fails once."""

    def __init__(self) -> None:
        self.go_on, self.over = threading.Event(), threading.Event()
        self.is_broken = True
        self.thread = threading.Thread(target=self._work, daemon=True)

    def long(self, context: StepContext) -> None:
        context.log("bars read", sessions=150, of=300)
        context.report(1, 2)
        self.go_on.wait(60)

    def fragile(self, context: StepContext) -> None:
        if self.is_broken:
            raise StepFailed(REASON, runbook="file-refused")

    def _work(self) -> None:
        try:
            while not self.over.wait(0.1):
                task = OrmQ.objects.order_by("id").first()
                if task:
                    run_id = task.task["args"][0]
                    task.delete()
                    tasks.advance_run(run_id)
        finally:
            connection.close()


@pytest.fixture
def worker(transactional_db) -> Iterator[ScriptedWorker]:
    worker = ScriptedWorker()
    pipeline = saga_of("pipeline")

    def nothing(context: StepContext) -> None:
        return None

    def record(context: StepContext, _: None) -> int:
        return 2259

    steps = (
        Step("SYMBOL_MASTER", nothing, record),
        Step("HISTORICAL_DATA", worker.long, record),
        Step("PIPELINE_VALIDATION", worker.fragile, record),
    )
    with registered(replace(pipeline, steps=steps)):
        worker.thread.start()
        yield worker
        worker.go_on.set()
        worker.over.set()
        worker.thread.join(30)


@pytest.fixture
def calendar(transactional_db) -> None:
    today = timezone.localdate()
    days = [today + timedelta(days=number) for number in range(-60, 30)]
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, close="15:30", source="test")
        for day in days
        if day.weekday() < 5
    )
    for cluster in ("data", "ml"):
        Heartbeat.objects.create(cluster=cluster, finished_at=timezone.now() + timedelta(minutes=10))


def log_in(page: Page, address: str) -> Page:
    get_user_model().objects.create_superuser("operator", password="long-enough-for-tests")
    page.goto(address)
    page.fill("input[name=username]", "operator")
    page.fill("input[name=password]", "long-enough-for-tests")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()
    return page


def test_a_run_is_started_watched_repaired_and_completed(opened, worker, calendar):
    watched = opened()
    page = log_in(watched.page, watched.host + "/admin/")
    page.locator("#do-pipeline").click()
    expect(page.get_by_text(re.compile(r"pipeline started as pipeline_\d+"))).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#do-pipeline")).to_be_disabled(timeout=PATIENCE)
    line = page.locator(".line", has_text="Data pipeline")
    expect(line.locator(".chip.running")).to_be_visible(timeout=PATIENCE)
    watched.picture("console-home-running-desktop", full=True)

    line.get_by_role("link", name="Data pipeline").click()
    step = page.locator(".step", has_text="Historical data")
    expect(step.locator(".chip")).to_have_text("Running 50%", timeout=PATIENCE)
    expect(step.get_by_text("bars read sessions=150 of=300")).to_be_attached(timeout=PATIENCE)
    watched.picture("console-run-running-desktop", full=True)

    address = page.url
    worker.go_on.set()
    expect(page.locator(".step.failed")).to_contain_text("Pipeline validation", timeout=PATIENCE)
    expect(page.get_by_text(REASON).first).to_be_visible()
    expect(page.get_by_role("link", name="Runbook: The file cannot be trusted")).to_be_visible()
    watched.picture("console-run-failed-desktop", full=True)

    worker.is_broken = False
    page.get_by_role("button", name="Retry Pipeline validation").click()
    expect(page.locator(".runhead .chip")).to_have_text("Completed", timeout=PATIENCE)
    assert page.url == address
    expect(page.get_by_text("Retried PIPELINE_VALIDATION.")).to_be_visible()
    page.locator("#attempts-PIPELINE_VALIDATION summary").click()
    attempts = page.locator("#attempts-PIPELINE_VALIDATION .attempt")
    expect(attempts.first).to_contain_text(f"Failed: {REASON}")
    expect(attempts.last).to_contain_text("Completed")
    assert PipelineRun.objects.get().status == "completed"
    assert watched.overflow() <= 0


@pytest.mark.long
def test_a_run_is_cancelled_and_resumed_from_its_page(opened, worker, calendar):
    worker.is_broken = False
    watched = opened(viewport=PHONE, color_scheme="dark")
    page = log_in(watched.page, watched.host + "/admin/")
    page.locator("#do-pipeline").click()
    expect(page.locator("#do-pipeline")).to_be_disabled(timeout=PATIENCE)
    run = PipelineRun.objects.get()
    watched.open(run_url(run.id))
    expect(page.locator(".step.running")).to_be_visible(timeout=PATIENCE)
    page.locator("#do-cancel").click()
    expect(page.locator(".runhead .chip")).to_have_text("Cancelled", timeout=PATIENCE)
    worker.go_on.set()
    page.locator("#do-resume").click()
    expect(page.locator(".runhead .chip")).to_have_text("Completed", timeout=PATIENCE)
    watched.picture("console-run-resumed-phone-dark", full=True)
    assert watched.overflow() <= 0


@pytest.mark.long
def test_a_live_page_keeps_the_focus_and_what_was_opened(opened, calendar, transactional_db):
    make_run(session=None)
    watched = opened()
    page = log_in(watched.page, watched.host + "/admin/")
    page.locator("#others summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#do-cleanup")).to_be_visible()
    page.locator("#do-cleanup").focus()
    make_run("fill_data_1", job="fill_data", status="failed", step_status="failed", names=("A",), session=None)
    PipelineRun.objects.filter(job="pipeline").update(status="failed", reason="The moon is full.")
    make_run("backup_1", job="backup", names=("BACKUP",), session=None)
    expect(page.locator("#do-backup")).to_be_disabled(timeout=PATIENCE)
    expect(page.locator("#do-cleanup")).to_be_focused()
    expect(page.locator("#do-cleanup")).to_be_visible()


def night(evening: Evening, back: int, day: date) -> None:
    """The jobs and the file of one night, so many nights before the evening."""
    for number, saga in enumerate(evening_jobs()[: 5 if back else 3]):
        begun = evening.planned(saga) - timedelta(days=(evening.session - day).days)
        failed = back in (7, 19) and number == 0
        took = timedelta(minutes=3 + (back * 7) % 4 + number, seconds=11 * number)
        make_run(
            f"{saga.job}_{back}",
            job=saga.job,
            status="failed" if failed else "completed",
            done=1,
            names=("ONLY",),
            session=day,
            started_at=begun,
            ended_at=begun + took,
        )
    size = 410_000 + 900 * (back % 7)
    SourceFile.objects.create(
        session=day,
        name=f"{day}.csv",
        size=size,
        mtime_ns=1,
        sha256="0" * 64,
        rows=2259 - back % 5 - (400 if back == 2 else 0),
        rejected=back % 3,
    )


def filled_market() -> None:
    """Nights, files, findings and lists, so that every part of the home page has something to show."""
    evening = current_evening(timezone.now())
    assert evening is not None
    assert evening.following is not None
    days = list(MarketDay.objects.filter(date__lte=evening.session).order_by("-date").values_list("date", flat=True))
    for back, day in enumerate(days[:30]):
        night(evening, back, day)
    for symbol, purpose in (("RELIANCE", "Bonus 1:1"), ("TCS", "Interim Dividend - Rs 10 Per Share")):
        CorporateAction.objects.create(
            symbol=symbol, ex_date=evening.following, kind="bonus", known_on=days[3], status="official", purpose=purpose
        )
    for severity, check, count in (("error", "price_jump", 3), ("warning", "thin_fundamentals", 5)):
        Finding.objects.bulk_create(
            Finding(
                run_id="r",
                session=days[0],
                check_name=check,
                severity=severity,
                symbol=f"S{number}",
                message="m",
                blocks=severity == "error",
            )
            for number in range(count)
        )
    Stock.objects.bulk_create(
        Stock(symbol=f"S{n}", kind="share", current_price=9, last_seen=days[0]) for n in range(99)
    )
    for table in ("historical_data", "technical_indicators"):
        TableTotal.objects.create(table_name=table, rows=1_532_877, symbols=2259, latest_date=days[0])
    for strategy in ("balanced", "growth"):
        publish(strategy, [pick(f"S{n}") for n in range(20)], session=days[0], valid_for=evening.following)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param("desktop", "light", marks=pytest.mark.long),
        pytest.param("phone", "dark", marks=pytest.mark.long),
    ],
)
def test_the_home_page_is_readable_everywhere(opened, calendar, transactional_db, scheme, width):
    filled_market()
    watched = opened(viewport={"desktop": DESKTOP, "phone": PHONE}[width], color_scheme=scheme)
    page = log_in(watched.page, watched.host + "/admin/")
    expect(page.get_by_text("Published with exclusions")).to_be_visible()
    expect(page.get_by_text("3 shares are kept out", exact=False)).to_be_visible()
    expect(page.locator(".tile")).to_have_count(5)
    expect(page.locator("figure.bars")).to_have_count(3)
    expect(page.get_by_text("Bonus 1:1")).to_be_visible()
    watched.picture(f"console-home-{width}-{scheme}", full=True)
    assert watched.overflow() <= 0
    run = make_run("cleanup_1", job="cleanup", status="failed", step_status="errored", names=("CLEANUP",), done=0)
    for number, outcome in enumerate(("lost", "errored"), start=1):
        facts = {"worker": "host:1", "outcome": outcome, "ended_at": timezone.now(), "log_lines": ["begun"]}
        StepAttempt.objects.create(step=run.steps.get(), number=number, fence=number, reason="It broke.", **facts)
    faults = watched.serious_faults()
    for path in (
        run_url(run.id),
        f"/admin/operations/run/{run.id}/roll-back/",
        "/admin/operations/runbook/",
        "/admin/ml/championchange/put-back/",
    ):
        watched.open(path)
        faults += watched.serious_faults()
        faults += [f"{path} is too wide"] if watched.overflow() > 0 else []
    assert faults == []
