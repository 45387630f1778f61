"""Uploaded CSV files: one reader per kind that can be imported."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from market_data.imports.kinds import KINDS, Kind
from market_data.imports.parsing import ParsedFile, duplicate_errors, parsed_file, without_lines
from market_data.models import MarketDay
from market_data.trading_calendar import CalendarError
from stocks.storage.file_contents import FileUnreadable

NOW = datetime(2027, 1, 1, tzinfo=UTC)
VALID = {
    "historical_bars": (
        "symbol,date,series,open,high,low,close,volume,prev_close,turnover_lakh,trades,isin\n"
        "AAA,2024-03-07,EQ,10,11.5,9,10.5,1000,,1.5,20,INE002A01018\nM&M,2024-03-07,,1,1,1,1,0,1,,,\n"
    ),
    "fundamentals": (
        "symbol,snapshot,stock_name,sector,market_cap,pe_ratio,debt_to_equity,roe,results_date\n"
        "AAA,2026-04-29,A Limited,Power,1200.5,18.2,0,12,2026-02-01\nBBB,2026-04-29,,,,-3.5,,,\n"
    ),
    "financial_statements": (
        "symbol,period_end,kind,published_on,revenue,net_income,shares\n"
        "AAA,2025-12-31,quarter,2026-02-10,100,-5,1000000\nAAA,2025-03-31,year,,400.5,20,\n"
    ),
    "index_members": "symbol,index,stock_name,industry,series,isin\nAAA,NIFTY 50,A Limited,Power,EQ,INE002A01018\n",
    "market_days": "date,kind,is_session,open,close\n2027-01-26,holiday,no,,\n2027-10-29,muhurat,yes,18:00,19:00\n",
    "trading_phases": (
        "phase,shares,first,last,opens,closes,order_types\n"
        "post_close,all,2026-08-03,2026-12-31,15:50,16:00,\npost_close,all,2027-01-01,,15:45,16:00,market limit\n"
    ),
}
ERRORS = (FileUnreadable, CalendarError)


def reading(kind: Kind) -> Callable[[Path], ParsedFile]:

    def read(folder: Path) -> ParsedFile:
        file = parsed_file((folder / "rows.csv").read_bytes(), "rows.csv", kind.columns)
        rows = without_lines(file.rows, file.bad_lines)
        return file._replace(errors=[*file.errors, *duplicate_errors(rows, kind.key)])

    return read


def holding(kind: Kind) -> Callable[[Any], None]:
    """Return a check that the good rows have their columns' types."""

    def check(file: ParsedFile) -> None:
        good = without_lines(file.rows, file.bad_lines)
        assert not good.duplicated(list(kind.key)).any()
        for column in kind.columns:
            values = good[column.name]
            assert str(values.dtype) == column.dtype
            assert not (column.needed and values.isna().any()), column.name
            if column.dtype == "float64":
                assert not np.isinf(values).any(), column.name
        assert all(error.reason and "\0" not in error.value for error in file.errors)

    return check


def storing(kind: Kind) -> Callable[[Any], None]:
    """Return a writer of the good rows, as `import_csv` does it."""

    def store(file: ParsedFile) -> None:
        for day in (date(2024, 3, 7), date(2027, 12, 31)):
            MarketDay.objects.create(date=day, kind="normal", is_session=True, source="fuzz")
        good = without_lines(file.rows, file.bad_lines)
        errors = kind.check(good, NOW) if len(good) else []
        rows = without_lines(good, {error.line for error in errors})
        if len(rows):
            assert kind.record(rows, "rows.csv", "fuzz").total == len(rows)

    return store


def upload_readers(reader: Callable[..., Any]) -> list[Any]:
    assert set(VALID) == set(KINDS)
    return [
        reader(
            f"uploaded_{name}",
            "rows.csv",
            VALID[name].encode(),
            reading(kind),
            holding(kind),
            storing(kind),
            ERRORS,
        )
        for name, kind in KINDS.items()
    ]
