"""What is learnt from and predicted is what the picks may choose from, session by session."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from market_data import quality
from market_data.models import CorporateAction, DailyBar, Finding
from market_data.quality.checks.registry import JUMP_SESSIONS
from market_data.steps.metrics import session_frame
from ml import datasets
from ml.learning.estimators import ESTIMATORS
from stocks.models import Stock, SymbolChange
from tests.end_to_end.evenings import EVERYTHING
from tests.market_data.quality.stored_market import DAYS, SYMBOLS, TODAY, stored_market

ESTIMATOR = ESTIMATORS["lightgbm"]


@pytest.fixture(scope="module")
def stored(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        stored_market()
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(EVERYTHING)} CASCADE")


@pytest.fixture(autouse=True)
def market(stored: None, db: None) -> None:
    """Every test has the market and may change it."""


def jump(symbol: str, day: date, reason: str = "no_event") -> None:
    sample = {"symbol": symbol, "ratio": 0.5, "reason": reason, "near_factor": None}
    fields: dict[str, Any] = {"severity": "error", "message": symbol, "blocks": True, "sample": sample}
    Finding.objects.create(run_id="r", session=day, check_name="price_jump", symbol=symbol, **fields)


def event(symbol: str, ex_date: date, known_on: date, **more: Any) -> None:
    fields = {"kind": "split", "factor": 0.5, "status": "official", "purpose": "split", "source": "list"} | more
    CorporateAction.objects.create(symbol=symbol, ex_date=ex_date, known_on=known_on, **fields)


def plant_jumps() -> None:
    """Unsettled, settled late, settled at once, by an unconfirmed opening, by one confirmed or rejected later."""
    jump("S000", DAYS[12])
    jump("S001", DAYS[12], "near_simple_ratio")
    event("S001", DAYS[12], DAYS[20])
    jump("S002", DAYS[14])
    event("S002", DAYS[14], DAYS[14])
    opening = {"kind": "demerger", "source": "price_band", "status": "inferred"}
    jump("S003", DAYS[13], "unconfirmed_demerger")
    event("S003", DAYS[13], DAYS[13], **opening)
    jump("S004", DAYS[13], "unconfirmed_demerger")
    event("S004", DAYS[13], DAYS[13], **opening, evidence={"confirmed_on": DAYS[22].isoformat()})
    jump("S005", DAYS[13])
    event(
        "S005", DAYS[13], DAYS[13], **opening | {"source": "price", "status": "rejected"},
        evidence={"rejected_on": DAYS[18].isoformat()},
    )  # fmt: skip
    # The inferred event explains the jump until an official one of four days later replaces it.
    jump("S006", DAYS[15])
    event("S006", DAYS[15], DAYS[15], status="inferred", source="price")
    event("S006", DAYS[15] + timedelta(days=4), DAYS[21])
    jump("OLDNAME", DAYS[11])
    SymbolChange.objects.create(from_symbol="OLDNAME", to_symbol="S007", date=DAYS[16], proof="isin")
    jump("S008", DAYS[24])
    jump("S008", DAYS[11])


def test_jumps_block_the_same_shares_as_the_findings_do_each_session() -> None:
    plant_jumps()
    days = quality.days_blocked_by_jumps(DAYS[0], TODAY)
    sizes = []
    for session in DAYS:
        blocked = set(days.loc[days["date"] == pd.Timestamp(session), "symbol"])
        assert blocked == {
            symbol for symbol, check in quality.excluded_symbols(session).items() if check == "price_jump"
        }
        sizes.append(len(blocked))
    assert sizes[:11] == [0] * 11
    assert max(sizes) >= 6
    by_day = days.groupby("symbol")["date"].agg(["min", "max", "size"])
    assert by_day.loc["S000", "size"] == len(DAYS) - 12
    assert by_day.loc["S001", "max"] == pd.Timestamp(DAYS[19])
    assert "S002" not in by_day.index
    assert by_day.loc["S004", "max"] == pd.Timestamp(DAYS[21])
    assert by_day.loc["S005", "min"] == pd.Timestamp(DAYS[18])
    assert by_day.loc["S006", "min"] == pd.Timestamp(DAYS[21])
    assert by_day.loc["S007", "min"] == pd.Timestamp(DAYS[11])


def test_what_becomes_known_tomorrow_unblocks_nothing_today() -> None:
    plant_jumps()
    for last in (DAYS[19], DAYS[20], DAYS[21]):
        cut = quality.days_blocked_by_jumps(DAYS[0], last)
        whole = quality.days_blocked_by_jumps(DAYS[0], TODAY)
        pd.testing.assert_frame_equal(cut, whole.loc[whole["date"] <= pd.Timestamp(last)].reset_index(drop=True))


def test_samples_of_each_session_are_those_that_the_picks_may_choose_from() -> None:
    plant_jumps()
    DailyBar.objects.filter(symbol__symbol="S010", date__gte=DAYS[20]).update(series="BE")
    DailyBar.objects.filter(symbol__symbol="S011", date__gte=DAYS[20]).update(open=15, high=15, low=15, close=15)
    DailyBar.objects.filter(symbol__symbol="S012").update(turnover_lakh=40.0)
    DailyBar.objects.filter(symbol__symbol="S013", date=DAYS[25]).delete()
    Stock.objects.filter(symbol="S014").update(kind="fund")
    trained = datasets.training_samples(TODAY, ESTIMATOR).keys
    for session in (*DAYS[8:30:3], DAYS[25], TODAY):
        metrics = session_frame(session)
        tradable = sorted(metrics.loc[metrics["tradable"], "symbol"])
        tonight = datasets.session_samples(session, ESTIMATOR)
        assert tonight.keys["symbol"].tolist() == tradable
        assert trained.loc[trained["date"] == pd.Timestamp(session), "symbol"].tolist() == tradable
        if session >= DAYS[20]:
            assert not {"S000", "S010", "S011", "S012", "S014"} & set(tradable)
            assert len(tradable) > 20


def test_the_samples_of_a_night_are_those_that_are_learnt_from_later() -> None:
    jump("S000", DAYS[12])
    Stock.objects.filter(symbol__lte="S020").update(sector="Power", industry="Utilities")
    session = DAYS[18]
    tonight = datasets.session_samples(session, ESTIMATOR)
    later = datasets.training_samples(TODAY, ESTIMATOR)
    then = later.where((later.keys["date"] == pd.Timestamp(session)).to_numpy())
    np.testing.assert_allclose(tonight.values, then.values, atol=1e-6)
    outcomes = ["forward_return", "drawdown", "run_up", "entry_step", "exit_position"]
    assert tonight.keys[outcomes].isna().all(axis=None)
    assert then.keys["forward_return"].notna().sum() > 20
    known = ["symbol", "close", "median_turnover_lakh", "sector"]
    pd.testing.assert_frame_equal(tonight.keys[known], then.keys[known])
    assert set(tonight.keys["sector"].dropna()) == {"Power"}


def test_without_sectors_everything_works_as_before() -> None:
    data = datasets.session_samples(TODAY, ESTIMATOR)
    assert len(data) > 20
    assert data.keys["sector"].isna().all()
    at = data.features.index("sector_relative_5")
    assert np.isfinite(data.values[:, at]).all()


def test_a_jump_holds_its_share_for_a_year_of_sessions() -> None:
    from market_data.prices.jumps import blocked_days
    from market_data.storage import queries

    sessions = pd.bdate_range("2024-01-01", periods=400)
    jumps = pd.DataFrame({"symbol": ["A"], "date": sessions[[10]]})
    days = blocked_days(jumps, queries.events_frame(DAYS[0]), sessions, JUMP_SESSIONS)
    assert days["date"].tolist() == sessions[10 : 10 + JUMP_SESSIONS].tolist()
    assert SYMBOLS[0] == "S000"
