"""Every page that people look at, for those who ask what a page costs."""

from datetime import date

from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from market_data.models import PipelineRun
from stocks.models import Stock
from stocks.picks.screening import STRATEGIES
from tests.published import pick, publish
from tradingsite.operations.views import run_url

BIG_ROWS = 50_000
"""From so many rows on a table is big: reading all of it is felt."""


def addresses(symbol: str, day: date, run: PipelineRun) -> dict[str, str]:
    """Return the pages by name.

    Parameters
    ----------
    symbol
        A share with bars on that day.
    day
        A session with published lists.
    run
        A run of any job.
    """
    bars, figures = (
        reverse("admin:market_data_dailybar_changelist"),
        reverse("admin:market_data_technicalindicator_changelist"),
    )
    lists = {
        f"admin, {model._meta.verbose_name_plural}": reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
        for model in admin.site._registry
    }
    return {
        "dashboard": "/",
        "picks": "/picks/",
        "picks, searched": "/picks/?strategy=growth&search=a",
        "stocks": "/stocks/",
        "stocks, searched": "/stocks/?q=bank",
        "stock": f"/stocks/{symbol}/",
        "stock, bars": f"/stocks/{symbol}/bars.json",
        "sectors": "/sectors/",
        "sectors, 3 months": "/sectors/?span=3m",
        "history": "/history/",
        "past list": f"/history/{day}/balanced/",
        "models": "/models/",
        "strategies": "/strategies/",
        "status": "/status/",
        "state": "/state/",
        "API, picks": "/api/suggested-stocks/?strategy=balanced",
        "API, searched": "/api/suggested-stocks/?strategy=balanced&search=a&limit=7",
        "readiness": "/readyz",
        "metrics": "/metrics",
        "console": "/admin/",
        "console, live piece": "/admin/operations/state/",
        "console, JSON": "/admin/system/status",
        "run": run_url(run.pk),
        "stock's row": reverse("admin:stocks_stock_change", args=[Stock.objects.get(symbol=symbol).pk]),
        **lists,
        "bars of a month": f"{bars}?date__year={day.year}&date__month={day.month}",
        "bars of a share": f"{bars}?q={symbol}",
        "bars, page 50": f"{bars}?p=50",
        "indicators of a share": f"{figures}?q={symbol}",
    }


def publish_largest(session: date) -> str:
    """Publish the fifty largest shares of the stored market in every strategy; return the first symbol."""
    shares = Stock.objects.filter(last_seen=session, kind="share")
    symbols = list(shares.order_by(F("market_cap").desc(nulls_last=True)).values_list("symbol", flat=True)[:50])
    for strategy in STRATEGIES:
        publish(strategy, [pick(symbol) for symbol in symbols], session=session)
    return symbols[0]


def open_page(client: Client, name: str, address: str) -> None:
    """Ask for a page and read it to its end, without anything kept.

    Raises
    ------
    AssertionError
        It was not answered; a system without clusters says that it is not ready.
    """
    cache.clear()
    answer = client.get(address)
    b"".join(answer) if answer.streaming else answer.content
    assert answer.status_code in ((200, 503) if name == "readiness" else (200,)), f"{address}: {answer.status_code}"


def big_tables() -> dict[str, int]:
    """Return the tables that are big now, with their estimated rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= %s",
            [BIG_ROWS],
        )
        return dict(cursor.fetchall())


def scanned_tables() -> dict[str, tuple[int, int]]:
    """Return how often each table was read from end to end so far, and how many of its rows were read.

    The server counts, so it sees a statement whatever way it went there; what the open transaction did is added.
    """
    counted = "seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            f"SELECT relname, sum(seq_scan)::bigint, sum(read)::bigint FROM ("
            f" SELECT relname, {counted} FROM pg_stat_user_tables"
            f" UNION ALL SELECT relname, {counted} FROM pg_stat_xact_user_tables) AS counters GROUP BY 1"
        )
        return {name: (scans, rows) for name, scans, rows in cursor.fetchall()}
