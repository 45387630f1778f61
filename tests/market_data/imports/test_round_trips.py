"""What an export writes the import reads: every table that can be both keeps each column, and where it came from."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection

from market_data import phase_records, trading_calendar
from market_data.calendar_sources import weekday_sessions
from market_data.imports.kinds import KINDS
from market_data.models import DailyBar, MarketDay, SourceFile, TableTotal
from stocks.admin import ExportAdmin, StreamedExport
from stocks.models import FinancialStatement, FundamentalSnapshot, Stock
from stocks.storage.export import csv_blocks
from tests.market_data.imports.uploading import checked, imported, report
from tests.state_hash import contract_hash, differences

pytestmark = pytest.mark.django_db(transaction=True)

SESSION = date(2026, 4, 30)
AWKWARD = ("=cmd|'/c calc'!A0", "'=1", "''-x", "-10 %", "@home", 'A, "B" & Söhne', "'tis", "", None)
"""Texts that a spreadsheet would run, that look as if they were already escaped, with quotes, empty and unknown."""


def fill() -> None:
    """Store rows whose every column is hard to write and to read back."""
    phase_records.record_phases([])
    trading_calendar.record_market_days(weekday_sessions([2026]), None, "seed")
    days = {"date": [date(2026, 11, 8), date(2027, 1, 26)], "kind": ["muhurat", "holiday"], "is_session": [True, False]}
    frame = pd.DataFrame(days).assign(open=None, close=None)
    trading_calendar.record_imported_days(frame, "=circular.csv", covers=(2027,))
    trading_calendar.record_edited_day(MarketDay(date=date(2026, 5, 3), kind="special", is_session=True, open="09:15"))
    for number, name in enumerate(AWKWARD):
        symbol = f"S&{number}-A"
        Stock.objects.create(
            symbol=symbol,
            stock_name=name,
            sector=name,
            industry=name,
            kind=Stock.Kind.values[number % 3],
            kind_source="nse_archive:EQUITY_L.csv",
            series=("EQ", None)[number % 2],
            isin=("INE002A01018", None)[number % 2],
            provenance={"sector": {"source": "nse_archive:index list", "how": "measured"}},
            last_seen=SESSION,
        )
        _fill_facts(symbol, number, name)
    SourceFile.objects.create(session=SESSION, name="f", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0)
    TableTotal.objects.create(table_name="historical_data", rows=len(AWKWARD), latest_date=SESSION)


def _fill_facts(symbol: str, number: int, name: str | None) -> None:
    DailyBar.objects.create(
        symbol_id=symbol,
        date=SESSION,
        series=("EQ", "BE")[number % 2],
        open=0.1 + 0.2,
        high=1e6 / 3,
        low=0.05,
        close=1.1,
        adj_close=0.55,
        volume=10**11 + number,
        vwap=None if number % 2 else 1 / 3,
        trades=None if number % 2 else 1,
        source=("nse_archive:full", "import:old.csv")[number % 2],
        status=("final", "provisional")[number % 3 == 2],
        run_id="r",
    )
    FinancialStatement.objects.create(
        symbol=symbol,
        period_end=date(2025, 12, 31),
        kind=("quarter", "year")[number % 2],
        published_on=date(2026, 3, 1),
        published_assumed=number % 2 == 0,
        revenue=1 / 3,
        net_income=-1e-9,
        eps=0.0,
        shares=10**11,
        source="folder:statements_income_quarterly.csv.gz",
        run_id="r",
    )
    FundamentalSnapshot.objects.create(
        symbol=symbol,
        snapshot=SESSION,
        stock_name=name,
        sector=name,
        industry=name,
        market_cap=1 / 3,
        pe_ratio=18.2,
        roe=-3.5,
        debt_to_equity=0.0,
        results_date=date(2026, 2, 14) if number % 2 else None,
        source="folder:snapshots.parquet",
        run_id="r",
    )


def exported(kind: str) -> bytes:
    """The table of a kind as the admin that offers this import exports it."""
    [page] = [page for page in admin.site._registry.values() if getattr(page, "import_kind", "") == kind]
    if isinstance(page, ExportAdmin):
        return str(page.resource_classes[0]().export().csv).encode()
    assert isinstance(page, StreamedExport)
    return b"".join(csv_blocks(page.model.objects.all(), page.export_left_out))


def everything(table: str) -> list[Any]:
    """All rows with all columns, the run that wrote them included."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text")
        return [json.loads(row) for (row,) in cursor.fetchall()]


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_is_imported_without_a_change(kind: str) -> None:
    fill()
    table = KINDS[kind].table
    rows, before = everything(table), contract_hash()
    file = checked(kind, exported(kind), f"{table}.csv")
    result = report(file)
    assert (result["errors"], result.get("refused")) == ([], None)
    assert (result["rows"], result["new"], result["changed"]) == (len(rows), 0, 0)
    assert imported(file).status == "completed"
    assert everything(table) == rows
    assert differences(before, contract_hash()) == []


def test_the_command_takes_an_export_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill()
    rows = [everything(table) for table in ("market_days", "market_years")]
    path = tmp_path / "market_days.csv"
    path.write_bytes(exported("market_days"))
    call_command("import_market_days", str(path))
    assert "0 days added, 0 changed" in capsys.readouterr().out
    assert [everything(table) for table in ("market_days", "market_years")] == rows
    # What an older version exported, and a list whose year is stated.
    path.write_text(
        "date,kind,is_session,open,close,source,run_id\n2026-11-08,muhurat,t,18:00:00,19:00:00,import:c,r\n"
    )
    call_command("import_market_days", str(path))
    assert "0 days added, 1 changed" in capsys.readouterr().out
    path.write_text("date,kind,is_session\n2028-01-26,holiday,f\n")
    call_command("import_market_days", str(path), "--covers", "2028")
    assert "2028 counts as listed completely" in capsys.readouterr().out
    assert trading_calendar.is_session(date(2028, 1, 3))
    path.write_text(f"date,kind,is_session\n{SESSION},holiday,f\n")
    with pytest.raises(CommandError, match="line 2: is_session 'False' bars of this day are stored"):
        call_command("import_market_days", str(path))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("financial_statements", FinancialStatement),
        ("fundamentals", FundamentalSnapshot),
        ("historical_bars", DailyBar),
    ],
)
def test_an_export_brings_lost_rows_back(kind: str, model: Any) -> None:
    """With every column that a file may state; where the rows come from is now the file."""
    fill()
    states = {column.name for column in KINDS[kind].columns} - {"isin"}
    table = KINDS[kind].table

    def stated() -> list[Any]:
        return sorted(
            ({name: "" if row[name] is None else row[name] for name in states} for row in everything(table)), key=str
        )

    before, content = stated(), exported(kind)
    model.objects.all().delete()
    assert imported(checked(kind, content)).status == "completed"
    assert stated() == before
    assert {row["source"] for row in everything(table)} == {"import:rows.csv"}
