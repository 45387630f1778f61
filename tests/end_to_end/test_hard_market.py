"""A market with everything wrong in it: evening after evening equals one load, and nothing that happened is missed.

The market draws its own incidents by its seed, of every kind that there is: shares that split, vanish, are suspended or
frozen, and files that are late, missing, or put right later.
"""

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from django.db import connection, transaction
from django.test import override_settings

from market_data.models import SourceFile
from market_data.providers.simulator import EPOCH, EVERY, Simulator, simulated_sessions
from tests.end_to_end import evenings

SYMBOLS, SEED, BASE, LAST = 64, 561, 101, 109
"""Chosen so that a late file, a corrected file and a frozen share meet in eight evenings."""

SESSIONS = simulated_sessions(EPOCH, date(2023, 12, 31))
WANTED = {"correction", "late", "frozen"}


pytestmark = [pytest.mark.long, pytest.mark.django_db]


class Outcome(NamedTuple):
    by_evenings: dict[str, pd.DataFrame]
    at_once: dict[str, pd.DataFrame]
    left_out: list[date]
    sources: dict[date, str]


def market() -> Simulator:
    return Simulator(SYMBOLS, len(SESSIONS), SEED, own_incidents=EVERY)


@pytest.fixture(scope="module")
def outcome(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Any:
    out: Path = tmp_path_factory.mktemp("hard")
    chosen = override_settings(
        MARKET_DATA_PROVIDER="simulator",
        PROVIDER_KIND="simulated",
        SIMULATOR_SYMBOLS=SYMBOLS,
        SIMULATOR_SESSIONS=len(SESSIONS),
        SIMULATOR_SEED=SEED,
        SIMULATOR_INCIDENTS=["every"],
        EXPORT_DIR=out / "exports",
        MODELS_DIR=out / "models",
    )
    with django_db_blocker.unblock(), chosen, transaction.atomic():
        evenings.evening(SESSIONS[BASE])
        left_out = []
        for session in SESSIONS[BASE + 1 : LAST + 1]:
            if session in market().sessions(None, session):
                evenings.evening(session)
            else:
                left_out.append(session)
        by_evenings = evenings.of_session(SESSIONS[LAST])
        sources = {file.session: file.sha256 for file in SourceFile.objects.all()}
        at_once = evenings.full_load(SESSIONS[LAST])
        transaction.set_rollback(True)
    yield Outcome(by_evenings, at_once, left_out, sources)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(evenings.EVERYTHING)} CASCADE")


@pytest.mark.parametrize("table", [table for table in evenings.KEYS if table != "symbol_changes"])
def test_evening_after_evening_equals_one_full_load(outcome: Outcome, table: str) -> None:
    actual, wanted = outcome.by_evenings[table], outcome.at_once[table]
    if table == "stocks":
        # Of a share that was silent on the last day a full load knows no figures; evenings keep its last ones.
        actual, wanted = (
            frame.loc[outcome.at_once["stock_metrics"].index.get_level_values("symbol")] for frame in (actual, wanted)
        )
    evenings.assert_same({table: actual}, {table: wanted})


def test_everything_that_was_planned_has_happened(outcome: Outcome) -> None:
    incidents = market().incidents(SESSIONS[BASE + 1], SESSIONS[LAST])
    assert {one.kind for one in incidents} >= WANTED
    late, corrected = (next(one.session for one in incidents if one.kind == kind) for kind in ("late", "correction"))
    assert outcome.left_out == [late]
    assert late in outcome.sources, "a late file is loaded by a later evening"
    first = market()
    first.sessions(EPOCH, corrected)
    assert outcome.sources[corrected] != first.fingerprint(corrected).sha256, "the first edition was replaced"
