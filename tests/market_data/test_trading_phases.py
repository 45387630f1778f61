"""Phases of the trading day: hours by hand, each minute in one phase at most, contradictions named."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.trading_phases import (
    AUCTION_SINCE,
    BUILT_IN,
    IST,
    Phase,
    PhaseError,
    PhaseRule,
    SessionDay,
    Shares,
    day_phases,
    faults_of,
    phase_at,
)

BEFORE, AFTER = date(2026, 7, 31), date(2026, 8, 3)


def phase(text: str, *, derivatives: bool, kind: str = "normal", is_session: bool = True) -> str | None:
    moment = datetime.fromisoformat(text).replace(tzinfo=IST)
    day = SessionDay(moment.date(), kind, is_session, time(18), time(19))
    rule = phase_at(moment, has_derivatives=derivatives, day=day)
    return rule.phase.value if rule else None


@pytest.mark.parametrize(
    ("at", "others", "derivatives"),
    [
        ("2026-07-31 08:59:59", None, None),
        ("2026-07-31 09:00", "pre_open", "pre_open"),
        ("2026-07-31 09:07:59", "pre_open", "pre_open"),
        ("2026-07-31 09:08", None, None),
        ("2026-07-31 09:14:59", None, None),
        ("2026-07-31 09:15", "continuous", "continuous"),
        ("2026-07-31 15:15", "continuous", "continuous"),
        ("2026-07-31 15:29:59", "continuous", "continuous"),
        ("2026-07-31 15:30", None, None),
        ("2026-07-31 15:40", "post_close", "post_close"),
        ("2026-07-31 16:00", None, None),
        ("2026-08-03 15:14:59", "continuous", "continuous"),
        ("2026-08-03 15:15", "continuous", "closing_auction"),
        ("2026-08-03 15:30", None, "closing_auction"),
        ("2026-08-03 15:35", None, None),
        ("2026-08-03 15:40", None, None),
        ("2026-08-03 15:49:59", None, None),
        ("2026-08-03 15:50", "post_close", "post_close"),
        ("2026-08-03 15:59:59", "post_close", "post_close"),
        ("2026-08-03 16:00", None, None),
    ],
)
def test_hours_by_date(at, others, derivatives):
    assert (phase(at, derivatives=False), phase(at, derivatives=True)) == (others, derivatives)


def test_the_auction_takes_limit_and_market_orders_alone():
    [auction] = [rule for rule in BUILT_IN if rule.phase is Phase.CLOSING_AUCTION]
    assert auction.order_types == ("market", "limit")


def test_a_moment_elsewhere_is_read_in_india():
    moment = datetime.fromisoformat("2026-08-03T03:45:00+00:00")
    rule = phase_at(moment, has_derivatives=False, day=SessionDay(AFTER, "normal", True))
    assert rule is not None
    assert rule.phase is Phase.CONTINUOUS


def test_a_muhurat_session_has_its_own_hours():
    assert phase("2026-11-08 18:00", derivatives=True, kind="muhurat") == "continuous"
    assert phase("2026-11-08 19:00", derivatives=True, kind="muhurat") is None
    assert phase("2026-11-08 09:15", derivatives=False, kind="muhurat") is None
    with pytest.raises(PhaseError, match="hours of the muhurat session of 2026-11-08 are not known"):
        day_phases(SessionDay(date(2026, 11, 8), "muhurat", True), Shares.OTHERS)


def test_no_phase_on_a_closed_day_and_none_guessed_before_the_rules():
    assert phase("2026-08-03 10:00", derivatives=False, is_session=False) is None
    with pytest.raises(PhaseError, match="No row of trading_phases speaks of 2015-12-31"):
        phase("2015-12-31 10:00", derivatives=False)


@given(
    day=st.dates(BEFORE - timedelta(days=40), AFTER + timedelta(days=40)),
    minute=st.integers(0, 24 * 60 - 1),
    shares=st.sampled_from([Shares.DERIVATIVES, Shares.OTHERS]),
)
def test_every_minute_has_one_phase_or_none(day, minute, shares):
    session = SessionDay(day, "normal", True)
    clock = time(minute // 60, minute % 60)
    holding = [rule for rule in day_phases(session, shares) if rule.opens <= clock < rule.closes]
    assert len(holding) <= 1
    moment = datetime.combine(day, clock, IST)
    rule = phase_at(moment, has_derivatives=shares is Shares.DERIVATIVES, day=session)
    assert rule == (holding[0] if holding else None)


def test_the_built_in_rows_stand_beside_each_other():
    assert faults_of(BUILT_IN) == []


POST = next(rule for rule in BUILT_IN if rule.phase is Phase.POST_CLOSE and rule.last is None)
TRADING = next(rule for rule in BUILT_IN if rule.phase is Phase.CONTINUOUS and rule.shares is Shares.OTHERS)
NEXT = date(2027, 1, 1)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([replace(POST, first=NEXT)], "overlaps the post close row of all from 2026-08-03, which holds without an end"),
        (
            [replace(POST, last=date(2026, 12, 30)), replace(POST, first=NEXT)],
            "leaves a gap: no post close row of derivatives speaks of 2026-12-31 to 2026-12-31",
        ),
        ([replace(POST, last=date(2026, 8, 1))], "its last day 2026-08-01 lies before its first, 2026-08-03"),
        ([replace(POST, opens=time(16))], "it closes at 16:00 and opens at 16:00"),
        ([replace(POST, order_types=("market", "iceberg"))], "'market iceberg' are not among market, limit, sl, sl-m"),
        (
            [replace(POST, opens=time(15, 30))],
            "its hours 15:30-16:00 overlap closing auction 15:15-15:35 on 2026-08-03",
        ),
        (
            [replace(TRADING, last=date(2026, 12, 31))],
            "leaves a gap: no continuous row of others speaks of the days after 2026-12-31",
        ),
    ],
)
def test_a_contradiction_is_named(rows: list[PhaseRule], sentence: str):
    table = {(rule.phase, rule.shares, rule.first): rule for rule in [*BUILT_IN, *rows]}
    assert any(sentence in reason for _, reason in faults_of(table.values()))


def test_hours_can_change_where_the_rows_follow_each_other():
    rows = [replace(POST, last=date(2026, 12, 31)), replace(POST, first=NEXT, opens=time(15, 45))]
    table = {(rule.phase, rule.shares, rule.first): rule for rule in [*BUILT_IN, *rows]}
    assert faults_of(table.values()) == []
    moment = datetime(2027, 1, 4, 15, 45, tzinfo=IST)
    day = SessionDay(moment.date(), "normal", True)
    rule = phase_at(moment, has_derivatives=True, day=day, rules=tuple(table.values()))
    assert rule is not None
    assert rule.phase is Phase.POST_CLOSE
    assert AUCTION_SINCE == AFTER
