"""The writer of statements and snapshots, and the command that imports them."""

import json
from datetime import date
from io import StringIO

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from market_data.models import RejectedRow
from market_data.runs.rollback import roll_back
from stocks.fundamentals import writer as fundamentals_writer
from stocks.models import FinancialStatement, FundamentalSnapshot
from stocks.storage import bulk
from tests.stocks.fundamentals_folder import income, write_balance, write_income, write_snapshots

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    write_income(
        tmp_path, income("ACME", "Dec-24", 200, 150, 55, 30, 28, 2.8), income("ACME", "Sep-24", 0, 0, 0, 0, 0, 0)
    )
    write_balance(tmp_path, "ACME,Mar-24,350.5,-0.1,46,189.5,236,0,257,332,589.8,142,468,3.53,100,2024-03-01")
    write_snapshots(tmp_path, {}, {"symbol": "ODD", "debt_to_equity": -2.0})
    return tmp_path


def run(folder, **options):
    out = StringIO()
    call_command("import_fundamentals", dir=folder, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def test_the_command_prints_its_counts(folder):
    report = run(folder)
    assert report["statements"] == {"read": 2, "inserted": 2, "updated": 0}
    assert report["snapshots"] == {"read": 2, "inserted": 2, "updated": 0}
    assert report["empty_rows"] == 1
    assert sum(report["rejected"].values()) == 2
    assert RejectedRow.objects.filter(symbol="ODD", session=date(2026, 4, 30)).count() == 2


def test_importing_again_changes_nothing(folder):
    run(folder)
    tables = FinancialStatement, FundamentalSnapshot, RejectedRow
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    again = run(folder)
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before
    assert again["statements"]["inserted"] + again["snapshots"]["updated"] == 0


def test_a_restated_figure_replaces_the_stored_one_and_can_be_undone(folder):
    run(folder)
    before = list(FinancialStatement.objects.order_by("pk").values())
    write_income(folder, income("ACME", "Dec-24", 210, 150, 65, 30, 28, 2.8))
    report = run(folder)
    assert report["statements"]["updated"] == 1
    assert FinancialStatement.objects.get(kind="quarter").revenue == 210
    roll_back(report["run_id"], "test")
    assert list(FinancialStatement.objects.order_by("pk").values()) == before


def test_a_dry_run_writes_nothing(folder):
    report = run(folder, dry_run=True)
    assert report["statements"] == {"read": 2, "inserted": 0, "updated": 0}
    assert not FinancialStatement.objects.exists()
    assert not RejectedRow.objects.exists()


def test_the_text_output_states_counts_and_reasons(folder):
    out = StringIO()
    call_command("import_fundamentals", dir=folder, stdout=out)
    assert "2 read, 2 inserted, 0 changed" in out.getvalue()
    assert "1 roe: return on an equity that is negative or next to nothing" in out.getvalue()


def test_a_missing_folder_is_one_sentence(settings):
    settings.FUNDAMENTALS_DIR = None
    with pytest.raises(CommandError, match="set FUNDAMENTALS_DIR, or pass --dir"):
        call_command("import_fundamentals")


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(CommandError, match="holds no statements_"):
        call_command("import_fundamentals", dir=tmp_path)


def test_a_damaged_file_leaves_nothing_written(folder):
    (folder / "fundamentals_2026-04-30.csv").write_text("symbol\nA\n")
    with pytest.raises(CommandError, match="lacks the columns"):
        run(folder)
    assert not FinancialStatement.objects.exists()


def test_readers_return_only_what_was_published(folder):
    run(folder)
    assert fundamentals_writer.statements_frame(date(2025, 2, 28))["kind"].tolist() == ["year"]
    frame = fundamentals_writer.statements_frame(date(2025, 3, 1))
    assert frame["kind"].tolist() == ["year", "quarter"]
    assert frame["equity"].iloc[0] == 350.5
    assert frame["shares"].tolist() == [pd.NA, pd.NA]
    assert fundamentals_writer.snapshots_frame(date(2026, 4, 30)).empty, "an evening counts from the session after it"
    assert fundamentals_writer.snapshots_frame(date(2026, 5, 4))["symbol"].tolist() == ["ACME", "ODD"]


def test_readers_give_a_renamed_share_its_new_symbol(folder):
    run(folder)
    change = pd.DataFrame(
        {
            "from_symbol": ["ACME"],
            "to_symbol": ["APEX"],
            "date": pd.Timestamp("2026-03-02"),
            "proof": "isin",
            "evidence": "{}",
        }
    )
    bulk.upsert("symbol_changes", change, ("from_symbol", "date"), "run_2")
    assert set(fundamentals_writer.statements_frame(date(2026, 3, 1))["symbol"]) == {"ACME"}
    assert set(fundamentals_writer.statements_frame(date(2026, 3, 2))["symbol"]) == {"APEX"}
    assert fundamentals_writer.snapshots_frame(date(2026, 5, 4))["symbol"].tolist() == ["APEX", "ODD"]


def test_a_providers_statements_are_stored_unchanged():
    frame = pd.DataFrame(
        {
            "symbol": ["S1"],
            "period_end": [pd.Timestamp("2025-03-31")],
            "kind": ["quarter"],
            "published_on": [pd.Timestamp("2025-05-10")],
            "published_assumed": [False],
            "revenue": [10.0],
            "shares": [1000],
            "source": ["simulator"],
        }
    )
    assert fundamentals_writer.record_statements(frame, "run_1") == (1, 0)
    stored = FinancialStatement.objects.get()
    assert (stored.published_on, stored.shares, stored.debt) == (date(2025, 5, 10), 1000, None)
