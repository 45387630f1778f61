"""The validation's rows: written once, replaced by the next run, rolled back, and bounded; what they keep out."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from market_data import quality
from market_data.models import Finding, MarketDay, PipelineRun, SourceFile
from market_data.quality import system
from market_data.runs import engine, lifecycle, rollback
from market_data.storage import writer as market_writer
from stocks.models import SymbolChange
from tests.market_data.quality.stored_market import (
    DAYS,
    LATER,
    ONE,
    OTHER,
    SYMBOLS,
    TODAY,
    YESTERDAY,
    bars_are,
)

pytestmark = pytest.mark.django_db
RIGHT, WRONG = "turnover_lakh = turnover_lakh / 100", "turnover_lakh = turnover_lakh * 100"


def validate(session: Any = TODAY) -> PipelineRun:
    run = lifecycle.create_run("validation", session, triggered_by="test")
    done = engine.advance(run.id, wait=True)
    assert done.status == "completed", done.reason
    return done


def rows(**which: Any) -> list[tuple[str, str, bool]]:
    kept = Finding.objects.filter(**which).exclude(check_name__in=("late_session", "backup_age")).order_by("id")
    return list(kept.values_list("check_name", "symbol", "blocks"))


def test_a_run_replaces_the_findings_of_the_run_before_and_a_roll_back_brings_them_back() -> None:
    bars_are(WRONG, [ONE])
    first = validate()
    assert first.summary["newly_blocked"] == [ONE]
    assert rows(blocks=True) == [("unit_error", ONE, True)]
    same = Finding.objects.get(check_name="unit_error")
    validate()
    assert Finding.objects.get(check_name="unit_error") == same, "the same finding stays as it is"
    bars_are(RIGHT, [ONE])
    bars_are(WRONG, [OTHER])
    third = validate()
    assert rows(blocks=True) == [("unit_error", OTHER, True)]
    rollback.roll_back(third.id, "test")
    assert rows(blocks=True) == [("unit_error", ONE, True)]


def test_a_replay_of_an_older_session_only_tells() -> None:
    bars_are(WRONG, [ONE], YESTERDAY)
    done = validate(YESTERDAY)
    assert done.is_replay
    assert done.summary["newly_blocked"] == [ONE]
    assert not Finding.objects.exists()


def test_a_broken_day_writes_few_rows() -> None:
    bars_are(WRONG + ", delivered_quantity = volume * 2, prev_close = prev_close * 3")
    done = validate()
    assert {symbol for _, symbol, _ in rows()} == {""}
    assert len(rows()) <= len(quality.CHECKS) / 4
    assert len(done.summary["day_blocked"]) == 3


def store_finding(check: str, symbol: str, session: Any, *, blocks: bool = True) -> None:
    fields = {"severity": "error", "message": f"{symbol} is wrong"}
    Finding.objects.create(run_id="r", session=session, check_name=check, symbol=symbol, blocks=blocks, **fields)


def test_a_symbol_is_kept_out_for_as_long_as_its_check_holds_it() -> None:
    store_finding("unit_error", "A", DAYS[-20])
    store_finding("unit_error", "B", DAYS[-21])
    store_finding("ratio_contradiction", "C", TODAY)
    store_finding("ratio_contradiction", "D", YESTERDAY)
    store_finding("price_outlier", "E", TODAY, blocks=False)
    store_finding("price_jump", "F", DAYS[0])
    store_finding("unit_error", "G", LATER[0])
    store_finding("bar_count", "", TODAY)
    assert quality.excluded_symbols(TODAY) == {"A": "unit_error", "C": "ratio_contradiction", "F": "price_jump"}


def test_a_renamed_symbol_stays_kept_out() -> None:
    store_finding("unit_error", "OLD", DAYS[-3])
    SymbolChange.objects.create(from_symbol="OLD", to_symbol=ONE, date=YESTERDAY, proof="isin")
    assert quality.excluded_symbols(TODAY) == {ONE: "unit_error"}


def test_a_day_is_refused_with_its_reasons() -> None:
    assert quality.day_refusal(TODAY) == ""
    store_finding("unit_error", ONE, TODAY)
    store_finding("bar_count", "", YESTERDAY)
    store_finding("market_move", "", TODAY, blocks=False)
    assert quality.day_refusal(TODAY) == ""
    Finding.objects.create(
        run_id="r", session=TODAY, check_name="bar_count", severity="error", blocks=True, message="3 bars"
    )
    assert quality.day_refusal(TODAY) == f"The data of {TODAY} failed a check: 3 bars."


def test_many_jumps_of_a_day_are_one_finding_and_every_one_of_them_counts() -> None:
    import pandas as pd

    from market_data.steps.factors import jump_findings
    from market_data.storage import queries

    count = 30
    jumps = pd.DataFrame({"symbol": SYMBOLS[:count], "date": pd.Timestamp(TODAY), "ratio": 0.01, "reason": "no_event"})
    findings = jump_findings(jumps.assign(near_factor=float("nan")), limit=count - 1)
    assert [(row["symbol"], row["blocks"], row["sample"]["count"]) for row in findings] == [("", True, count)]
    market_writer.record_findings("r", TODAY, findings)
    assert queries.jumps_frame(TODAY)["symbol"].tolist() == sorted(SYMBOLS[:count])
    assert set(quality.excluded_symbols(TODAY)) == set(SYMBOLS[:count])
    assert len(jump_findings(jumps.assign(near_factor=0.01), limit=count)) == count


def test_findings_that_others_contribute_are_stored_never_block_and_go_when_they_are_over(monkeypatch: Any) -> None:
    full = [{"severity": "warning", "message": "the disk is full", "remedy": "Empty it.", "blocks": True}]
    nothing: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(system, "_checks", {})
    quality.register_system_check("disk", lambda now: full)
    quality.register_system_check("broken", lambda now: [nothing[str(now)]])
    validate()
    kept = list(Finding.objects.order_by("check_name").values_list("check_name", "severity", "blocks", "symbol"))
    assert kept == [("broken", "warning", False, ""), ("disk", "warning", False, "")]
    assert "KeyError" in Finding.objects.get(check_name="broken").message
    full.clear()
    validate()
    assert [name for name, *_ in rows()] == ["broken"]


def test_a_session_that_is_over_and_not_loaded() -> None:
    over = datetime.combine(LATER[2], datetime.min.time(), UTC) + timedelta(hours=11)
    (late,) = system.late_session(over)
    assert late["sample"] == {"sessions": [str(LATER[0]), str(LATER[1])]}
    assert system.late_session(over - timedelta(days=2, hours=12)) == []
    MarketDay.objects.filter(date__gt=TODAY).delete()
    assert system.late_session(over)[0]["severity"] == "error"


def report_of(*arguments: str) -> str:
    out = io.StringIO()
    call_command("validate_data", *arguments, stdout=out)
    return out.getvalue()


def test_the_report_over_history_tells_by_session_and_writes_nothing() -> None:
    bars_are(WRONG, [ONE], DAYS[-4])
    bars_are(WRONG, day=DAYS[-2])
    store_finding("unit_error", OTHER, TODAY)
    report = json.loads(report_of(f"--from={DAYS[-8]}", f"--to={YESTERDAY}", "--json"))
    assert report["sessions_checked"] == 7
    by_check = {row["check"]: row for row in report["checks"]}
    assert set(by_check) == {check.name for check in quality.CHECKS}
    row = by_check["unit_error"]
    assert (row["findings"], row["days_blocked"], row["symbol_days_blocked"]) == (2, 1, 1)
    assert {day["session"] for day in report["sessions"]} >= {str(DAYS[-4]), str(DAYS[-2])}
    text = report_of(f"--from={DAYS[-8]}")
    assert f"{DAYS[-4]} {ONE}" in text
    assert f"{DAYS[-2]} DAY" in text
    assert f"Days blocked by month: {DAYS[-2]:%Y-%m} 1" in text
    assert rows() == [("unit_error", OTHER, True)]
    assert not PipelineRun.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from=2020-01-01", "--to=2020-02-01"], f"they go from {DAYS[0]} to {TODAY}"),
        (["--to=2020-02-01"], "--to needs --from"),
        (["--from=yesterday"], "'yesterday' is not a date"),
        (["--from=2026-01-05", "--date=2026-01-05"], "pass only one of them"),
    ],
)
def test_a_range_that_says_nothing_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        report_of(*arguments)


def test_a_range_of_an_empty_database_is_refused() -> None:
    SourceFile.objects.all().delete()
    with pytest.raises(CommandError, match="there are none"):
        report_of("--from=2026-01-05")


def test_findings_of_the_provider_replace_those_of_the_run_before() -> None:
    said_before = [{"check_name": "source_files", "severity": "warning", "message": "m", "remedy": "r"}]
    for run in ("a", "b"):
        market_writer.replace_findings(run, TODAY, ("source_files",), said_before)
    assert rows() == [("source_files", "", False)]
    market_writer.replace_findings("c", TODAY, ("source_files",), [])
    assert rows() == []
    market_writer.replace_findings("d", None, ("source_files",), said_before)
    market_writer.replace_findings("e", None, ("source_files",), said_before)
    assert Finding.objects.filter(session=None).count() == 1
