"""A repeated list of corporate actions changes nothing and leaves the evidence about an event."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from market_data.models import CorporateAction
from market_data.prices.events import official_events, typed_events
from market_data.storage import writer as market_writer

pytestmark = pytest.mark.django_db
LIST = pd.DataFrame(
    {
        "symbol": ["AAA", "BBB"],
        "series": ["EQ", "EQ"],
        "purpose": ["Bonus 1:1", "Demerger"],
        "ex_date": pd.to_datetime(["2025-03-03", "2025-03-04"]),
        "source": ["list", "list"],
    }
)
EVIDENCE: Any = pd.Series([{"agrees": True}, None], dtype=object)


def test_a_list_read_again_leaves_the_evidence_and_no_pending_work() -> None:
    events = official_events(LIST)
    assert market_writer.record_official_events(events, "run_1").inserted == 2
    checked = typed_events(events.assign(evidence=EVIDENCE))
    market_writer.record_corporate_actions(checked, "run_1")
    assert market_writer.record_official_events(events, "run_2").total == 0
    assert CorporateAction.objects.get(symbol="AAA").evidence == {"agrees": True}
    assert market_writer.first_dates_of_events("run_2") == {}


def test_a_corrected_factor_replaces_the_old_one_and_its_evidence() -> None:
    events = official_events(LIST)
    market_writer.record_official_events(events, "run_1")
    market_writer.record_corporate_actions(typed_events(events.assign(evidence=EVIDENCE)), "run_1")
    corrected = events.assign(factor=events["factor"].where(events["kind"] != "bonus", 0.25))
    assert market_writer.record_official_events(corrected, "run_2").updated == 1
    stored = CorporateAction.objects.get(symbol="AAA")
    assert (stored.factor, stored.evidence) == (0.25, None)


def test_an_action_worded_anew_replaces_itself() -> None:
    """The report pack announces it in capitals; the list of the ex-date has it in its own words."""
    announced = official_events(LIST.assign(purpose=["BONUS 1:1", "DEMERGER"]))
    market_writer.record_official_events(announced, "run_1")
    assert market_writer.record_official_events(official_events(LIST), "run_2").total > 0
    assert list(CorporateAction.objects.filter(kind="bonus").values_list("purpose", "factor")) == [("Bonus 1:1", 0.5)]
    assert market_writer.first_dates_of_events("run_2")["AAA"] == date(2025, 3, 3)


def test_a_text_read_anew_leaves_nothing_of_its_old_reading() -> None:
    shares = LIST.assign(purpose=["Bonus 1:10 (Dvr)", "Demerger"])
    mistaken = official_events(shares)
    mistaken = typed_events(mistaken.replace({"kind": {"other": "bonus"}}).fillna({"factor": 0.9}))
    market_writer.record_official_events(mistaken, "run_1")
    market_writer.record_official_events(official_events(shares), "run_2")
    assert list(CorporateAction.objects.filter(symbol="AAA").values_list("kind", "factor")) == [("other", None)]
