"""The four CSV files: contents, all or nothing, no formulas, and the purge of old ones."""

import csv
import hashlib
import json
import os
import resource
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from market_data.exports.files import (
    ExportError,
    ExportFolderError,
    export_csv,
    prepare_export,
    purge_exports,
    put_in_place,
)
from market_data.exports.queries import BAR_COLUMNS, INDICATOR_COLUMNS, PICK_COLUMNS, STOCK_COLUMNS
from market_data.models import DailyBar, TechnicalIndicator
from stocks.models import Stock, StockMetrics, SuggestedStock
from stocks.units import rounded, unit_of
from tests.published import SESSION, pick, publish, supersede

pytestmark = pytest.mark.django_db
NAMES = ["stocks", "historical_30d", "technical_indicators", "suggested_stocks"]


def sessions(count: int) -> list[date]:
    """Weekdays ending with SESSION, a Thursday."""
    days = [SESSION - timedelta(days=back) for back in range(count * 2)]
    return sorted([day for day in days if day.weekday() < 5][:count])


@pytest.fixture
def market():
    """Two symbols with forty sessions each, and two published lists."""
    Stock.objects.bulk_create(
        [
            Stock(
                symbol="AAA",
                stock_name="=cmd()",
                sector="Realty",
                current_price=100.25,
                market_cap=None,
                first_seen=SESSION,
            ),
            Stock(symbol="M&M", stock_name='Mahindra, "M" & M', current_price=0.1 + 0.2, first_seen=SESSION),
        ]
    )
    DailyBar.objects.bulk_create(
        DailyBar(
            symbol_id=symbol,
            date=day,
            series="EQ",
            open=10,
            high=11,
            low=9,
            close=10,
            adj_close=10,
            volume=5,
            source="t",
        )
        for symbol in ("M&M", "AAA")
        for day in sessions(40)
    )
    TechnicalIndicator.objects.bulk_create(
        TechnicalIndicator(symbol_id="AAA", date=day, rsi_14=55.5, sma_200=None) for day in sessions(40)
    )
    publish("growth", [pick("AAA", reason="+1 for momentum"), pick("M&M")])
    publish("value", [], reason="No share passed.")


def rows(folder: Path, name: str, session: date = SESSION) -> list[dict[str, str]]:
    with (folder / f"{name}_{session}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def manifest(folder: Path, session: date = SESSION) -> dict:
    facts: dict = json.loads((folder / f"manifest_{session}.json").read_text())
    return facts


def export(folder: Path, session: date = SESSION, report=lambda done, total: None):
    return export_csv(session, folder, "csv_export_20260430_220000", report)


def test_every_figure_is_rounded_by_its_unit(market, tmp_path):
    figures = {field.name: 12.345678901234 for field in TechnicalIndicator._meta.concrete_fields if is_figure(field)}
    TechnicalIndicator.objects.update(**figures)
    shares = {field.name: 12.345678901234 for field in Stock._meta.concrete_fields if is_figure(field)}
    Stock.objects.update(**shares)
    Stock.objects.filter(symbol="M&M").update(peg_ratio=0.00123456, roe=-0.5)
    prices = ("close", "adj_close", "prev_close", "last_price", "vwap", "turnover_lakh")
    DailyBar.objects.update(high=13, **dict.fromkeys(prices, 12.345678901234))
    export(tmp_path)
    tables = zip(NAMES, (Stock, DailyBar, TechnicalIndicator, SuggestedStock), strict=True)
    for name, model in tables:
        units = {field.name: unit_of(field.name, str(field.help_text)) for field in model._meta.concrete_fields}
        columns = [field.name for field in model._meta.concrete_fields if is_figure(field)]
        for row in rows(tmp_path, name):
            for column in columns:
                unit, text = units[column], row[column]
                assert unit
                assert not text or text == repr(rounded(float(text), unit)).removesuffix(".0"), (name, column, text)
    [_, mahindra] = rows(tmp_path, "stocks")
    assert (mahindra["peg_ratio"], mahindra["roe"], mahindra["beta"]) == ("0.001235", "-0.5", "12.3457")


def is_figure(field) -> bool:
    return isinstance(field, models.FloatField)


def test_the_set_is_complete_and_its_manifest_correct(market, tmp_path):
    progress = []
    files = export(tmp_path / "made" / "here", report=lambda done, total: progress.append((done, total)))
    folder = tmp_path / "made" / "here"
    assert [file.name for file in files] == [f"{name}_2026-04-30.csv" for name in NAMES]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(file.name for file in files), "manifest_2026-04-30.json"]
    )
    facts = manifest(folder)
    assert facts["session"] == "2026-04-30"
    assert facts["run_id"] == "csv_export_20260430_220000"
    assert datetime.fromisoformat(facts["created_at"]).utcoffset() == timedelta(hours=5.5)
    assert {entry["strategy"]: entry["count"] for entry in facts["publications"]} == {"growth": 2, "value": 0}
    for entry in facts["files"]:
        content = (folder / entry["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"]
        read = list(csv.reader(content.decode().splitlines()))
        assert read[0] == entry["columns"]
        assert len(read) - 1 == entry["rows"]
    assert progress[-1] == (5, 5)
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)


def test_everybody_may_read_the_files_whatever_the_umask(market, tmp_path):
    before = os.umask(0o077)
    try:
        export(tmp_path / "new" / "exports")
    finally:
        os.umask(before)
    for folder in (tmp_path / "new", tmp_path / "new" / "exports"):
        assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "exports").iterdir()} == {0o644}


def test_the_contracts_columns_come_first_in_their_order(market, tmp_path):
    for file, first in zip(
        export(tmp_path), (STOCK_COLUMNS, BAR_COLUMNS, INDICATOR_COLUMNS, PICK_COLUMNS), strict=True
    ):
        assert file.columns[: len(first)] == first


def test_each_file_holds_its_rows_in_order(market, tmp_path):
    export(tmp_path)
    assert [row["symbol"] for row in rows(tmp_path, "stocks")] == ["AAA", "M&M"]
    history = rows(tmp_path, "historical_30d")
    assert sorted({row["date"] for row in history}) == [day.isoformat() for day in sessions(30)]
    assert len(history) == 60
    assert [(row["symbol"], row["date"]) for row in rows(tmp_path, "technical_indicators")] == [("AAA", "2026-04-30")]
    assert [(row["symbol"], row["rank"]) for row in rows(tmp_path, "suggested_stocks")] == [("AAA", "1"), ("M&M", "2")]


def test_cells_are_rounded_and_none_is_a_formula(market, tmp_path):
    export(tmp_path)
    first, second = rows(tmp_path, "stocks")
    assert first["stock_name"] == "'=cmd()"
    assert second["stock_name"] == 'Mahindra, "M" & M'
    assert float(second["current_price"]) == 0.3
    assert first["market_cap"] == ""
    assert datetime.fromisoformat(first["created_at"]).utcoffset() == timedelta(hours=5.5)
    assert rows(tmp_path, "suggested_stocks")[0]["reason"] == "'+1 for momentum"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_every_start_of_a_formula_is_escaped(start, tmp_path):
    Stock.objects.create(symbol="AAA", industry=f"{start}1+1")
    export(tmp_path)
    assert rows(tmp_path, "stocks")[0]["industry"] == f"'{start}1+1"


def test_an_empty_database_gives_headings(tmp_path):
    assert [file.rows for file in export(tmp_path)] == [0, 0, 0, 0]
    assert manifest(tmp_path)["publications"] == []
    assert (tmp_path / "stocks_2026-04-30.csv").read_text().startswith("id,symbol,stock_name,")


def test_only_the_latest_lists_in_force_are_written(market, tmp_path):
    publish("momentum", [pick("OLD")], session=date(2026, 4, 29))
    publish("balanced", [pick("LATER")], session=date(2026, 5, 4))
    first = publish("momentum", [pick("FIRST")])
    supersede(first)
    publish("momentum", [pick("SECOND")], version=2)
    export(tmp_path)
    symbols = {row["symbol"] for row in rows(tmp_path, "suggested_stocks")}
    assert symbols == {"AAA", "M&M", "SECOND"}
    assert {entry["strategy"]: entry["version"] for entry in manifest(tmp_path)["publications"]}["momentum"] == 2


def test_standings_are_among_the_added_columns_and_what_left_is_in_the_manifest(tmp_path):
    left = [{"symbol": "GONE", "last_rank": 3, "place": 151, "reason": "fell to place 151"}]
    kept = pick("AAA", standing="kept", listed_since=date(2026, 4, 21), place=77)
    publish("growth", [kept, pick("BBB")], departures=left)
    export(tmp_path)
    first, second = rows(tmp_path, "suggested_stocks")
    assert (first["standing"], first["listed_since"], first["place"]) == ("kept", "2026-04-21", "77")
    assert (second["standing"], second["listed_since"], second["place"]) == ("new", "2026-04-30", "2")
    assert [name for name in first if name in ("created_at", "place", "standing", "listed_since")] == [
        *("created_at", "place", "standing", "listed_since"),
    ]
    [entry] = manifest(tmp_path)["publications"]
    assert entry["departures"] == left


def test_an_abstention_writes_no_older_picks(market, tmp_path):
    publish("growth", [], session=date(2026, 5, 4), reason="Stale data.")
    export(tmp_path, date(2026, 5, 4))
    assert rows(tmp_path, "suggested_stocks", date(2026, 5, 4)) == []
    assert manifest(tmp_path, date(2026, 5, 4))["publications"][0]["reason"] == "Stale data."


def test_an_older_session_knows_nothing_of_later_ones(market, tmp_path):
    earlier = sessions(2)[0]
    Stock.objects.filter(symbol="AAA").update(first_seen=earlier)
    StockMetrics.objects.create(symbol_id="AAA", date=earlier, current_price=200.5, market_cap=7.0)
    StockMetrics.objects.create(symbol_id="AAA", date=SESSION, current_price=100.25)
    # A split on the later session halved every adjusted close before it.
    DailyBar.objects.filter(symbol__symbol="AAA", date__lte=earlier).update(adj_close=5)
    export(tmp_path, earlier)
    [stock] = rows(tmp_path, "stocks", earlier)
    assert (stock["symbol"], stock["current_price"], stock["market_cap"]) == ("AAA", "200.5", "7")
    assert stock["stock_name"] == "'=cmd()"
    history = rows(tmp_path, "historical_30d", earlier)
    assert max(row["date"] for row in history) == earlier.isoformat()
    assert {float(row["adj_close"]) for row in history} == {10.0}
    assert rows(tmp_path, "suggested_stocks", earlier) == []


def test_a_second_export_replaces_the_first_and_gives_the_same_bytes(market, tmp_path):
    first = export(tmp_path)
    (tmp_path / "stocks_2026-04-30.csv.writing").write_text("left by a killed process")
    assert export(tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_that_cannot_be_written_is_named(market, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportFolderError, match=str(tmp_path / "file" / "exports")):
        export(tmp_path / "file" / "exports")
    with pytest.raises(ExportFolderError, match="EXPORT_DIR"):
        export(Path("/proc/exports"))


def test_a_folder_in_the_place_of_a_file_leaves_the_earlier_set_untouched(market, tmp_path):
    export(tmp_path)
    obstacle = tmp_path / "technical_indicators_2026-04-30.csv"
    obstacle.unlink()
    obstacle.mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    Stock.objects.create(symbol="NEW")
    with pytest.raises(ExportFolderError, match=f"{obstacle.name} is a folder where the file should go"):
        export(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_full_disk_leaves_the_earlier_set_untouched(market, tmp_path):
    export(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    Stock.objects.create(symbol="NEW")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(ExportError, match="unchanged"):
            export(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failing_query_leaves_the_earlier_set_untouched(market, tmp_path):
    export(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE technical_indicators RENAME COLUMN rsi_14 TO gone")
    with pytest.raises(Exception, match="rsi_14"):
        export(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_picks_deleted_during_the_export_are_noticed(market, tmp_path):
    publication = publish("momentum", [pick("X")])
    publication.picks_in_force.all().delete()
    with pytest.raises(ExportError, match="3 picks, but 2"):
        export(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_it_reads_one_snapshot(market, tmp_path):
    def read_isolation(done: int, total: int) -> None:
        if done == 1:
            with connection.cursor() as cursor:
                cursor.execute("SHOW transaction_isolation")
                levels.append(cursor.fetchone()[0])

    levels: list[str] = []
    export(tmp_path, report=read_isolation)
    assert levels == ["repeatable read"]


def test_the_purge_deletes_only_exports_of_earlier_sessions(tmp_path):
    deleted = ["stocks_2026-03-30.csv", "historical_30d_2026-03-30.csv", "suggested_stocks_2026-03-30.csv"]
    deleted += ["technical_indicators_2026-03-30.csv", "manifest_2026-03-30.json"]
    kept = ["stocks_2026-03-31.csv", "manifest_2026-03-31.json", "stocks_2026-02-30.csv", "stocks_2026-03-30.csv.bak"]
    kept += ["mystocks_2026-03-30.csv", "stocks_2026-03-30.json", "notes.txt", "manifest_2026-03-30.csv"]
    for name in deleted + kept:
        (tmp_path / name).write_text("x")
    (tmp_path / "stocks_2020-01-01.csv").mkdir()
    (tmp_path / "stocks_2020-01-02.csv").symlink_to(tmp_path / "notes.txt")
    assert sorted(purge_exports(tmp_path, date(2026, 3, 31))) == sorted(deleted)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*kept, "stocks_2020-01-01.csv", "stocks_2020-01-02.csv"]
    )
    assert purge_exports(tmp_path / "absent", date(2026, 3, 31)) == []


def test_times_are_indian_in_any_time_zone_of_the_server(market, tmp_path):
    Stock.objects.filter(symbol="AAA").update(last_updated=datetime(2026, 4, 30, 20, 0, tzinfo=UTC))
    export(tmp_path)
    assert rows(tmp_path, "stocks")[0]["last_updated"] == "2026-05-01T01:30:00.000000+05:30"


def test_an_overtaken_export_replaces_nothing(market, tmp_path):
    overtaken = prepare_export(SESSION, tmp_path, "csv_export_1", lambda *_: None)
    export(tmp_path)
    newer = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ExportError, match="another export"):
        put_in_place(overtaken)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == newer


def test_it_works_while_queries_are_logged(market, tmp_path):
    with CaptureQueriesContext(connection):
        assert [file.rows for file in export(tmp_path)] == [2, 60, 1, 2]
