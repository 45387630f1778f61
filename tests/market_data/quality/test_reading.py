"""The evidence of a session: the same alone, among many, and with the future cut off or garbled."""

from datetime import timedelta

import pandas as pd
import pytest
from django.db import connection

from market_data import quality
from market_data.models import CorporateAction, Finding
from market_data.quality import reading
from market_data.quality.checks.evidence import LOOKBACK_SESSIONS, bars_with_past, factors_on
from tests.market_data.quality.stored_market import (
    DAYS,
    ONE,
    OTHER,
    SYMBOLS,
    TODAY,
    YESTERDAY,
    bars_are,
    copied,
    stored_metrics,
    vanished,
)

pytestmark = pytest.mark.django_db
CUT = DAYS[-5]


def with_faults() -> None:
    """Faults before the cut, on it and after it."""
    bars_are("turnover_lakh = turnover_lakh * 100", [ONE], DAYS[-7])
    copied([OTHER], CUT, DAYS[-6])
    vanished(SYMBOLS[20:22], DAYS[-6])
    bars_are("volume = volume * 1000", [SYMBOLS[12]], CUT)
    copied(day=DAYS[-3], source=DAYS[-4])
    bars_are("high = high * 10", SYMBOLS[3:9], TODAY)
    stored_metrics()


def without_the_future() -> None:
    with connection.cursor() as cursor:
        for table, column in (
            ("technical_indicators", "date"),
            ("historical_data", "date"),
            ("stock_metrics", "date"),
            ("source_files", "session"),
        ):
            cursor.execute(f"DELETE FROM {table} WHERE {column} > %s", [CUT])
        cursor.execute("UPDATE stocks SET last_seen = %s", [CUT])


def test_many_sessions_find_what_each_alone_does() -> None:
    with_faults()
    together = dict(quality.findings_between(DAYS))
    assert list(together) == DAYS
    for session in (DAYS[0], DAYS[-7], CUT, DAYS[-3], TODAY):
        assert together[session] == quality.findings_of(session)
    assert {one["check_name"] for one in together[CUT]} >= {"unit_error", "frozen_price"}


def test_what_comes_later_changes_nothing() -> None:
    with_faults()
    before = quality.findings_of(CUT)
    assert before
    later = {"symbol": ONE, "kind": "split", "factor": 0.1, "status": "official", "source": "l"}
    CorporateAction.objects.create(ex_date=CUT, known_on=YESTERDAY, purpose="known too late", **later)
    CorporateAction.objects.create(ex_date=TODAY, known_on=TODAY, purpose="of a later day", **later)
    jump = {"check_name": "price_jump", "severity": "warning", "blocks": True, "message": "m", "run_id": "r"}
    Finding.objects.create(session=TODAY, symbol=SYMBOLS[12], **jump)
    assert quality.findings_of(CUT) == before
    CorporateAction.objects.filter(symbol=ONE).delete()
    without_the_future()
    assert quality.findings_of(CUT) == before


def test_only_the_sessions_looked_back_at_count() -> None:
    whole = next(iter(reading.evidence_between([TODAY]))).bars
    assert whole["usual_volume"].notna().all()
    assert (whole["age"] == 1).all()
    assert len(DAYS) > LOOKBACK_SESSIONS


def bars(rows: list[tuple[str, int, float, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "day", "close", "volume"])
    frame["date"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["day"], unit="D")
    for column in ("open", "high", "low", "adj_close", "turnover_lakh"):
        frame[column] = frame["close"]
    return frame.assign(trades=pd.Series(10, index=frame.index, dtype="Int64"))


def with_past(rows: list[tuple[str, int, float, int]]) -> pd.DataFrame:
    sessions = [(pd.Timestamp("2026-01-01") + timedelta(days=day)).date() for day in range(60)]
    return bars_with_past(bars(rows), sessions)


def test_a_bar_knows_the_bars_before_of_its_own_symbol_alone() -> None:
    bars = with_past([("A", 0, 5.0, 1), ("A", 1, 5.0, 1), ("A", 4, 5.0, 1), ("B", 5, 5.0, 1), ("B", 35, 6.0, 2)])
    assert bars["last_close"].fillna(0).tolist() == [0, 5, 5, 0, 0], "B's bar before is too long ago"
    assert bars["age"].fillna(0).tolist() == [0, 1, 3, 0, 0]
    assert bars["identical"].tolist() == [0, 1, 0, 0, 0]
    assert bars["repeats"].tolist() == [0, 1, 3, 0, 0], "the nearest of the sessions it repeats"


def test_ten_bars_before_make_the_usual_volume() -> None:
    bars = with_past([("A", day, 5.0, 10 + day) for day in range(12)] + [("B", 3 * day, 5.0, 10) for day in range(12)])
    assert bars["usual_volume"].iloc[:10].isna().all()
    assert bars["usual_volume"].iloc[10:12].tolist() == [14.5, 15.5]
    assert bars["usual_volume"].iloc[12:].isna().all(), "ten bars that reach too far back say nothing"


def test_factors_are_those_of_the_day() -> None:
    day, before = pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-04")
    events = pd.DataFrame({"symbol": ["A", "A", "B"], "ex_date": [day, before, before], "factor": [0.5, 0.1, 0.2]})
    today = pd.DataFrame({"symbol": ["A", "B", "C"], "date": day}, index=[7, 8, 9])
    assert factors_on(today, events).to_dict() == {7: 0.5, 8: 1.0, 9: 1.0}
