import pytest

from ml.evaluation.records import record_stored_report
from ml.model_card.queries import model_card
from tests.model_cards import report, store_champion, store_evaluation

pytestmark = pytest.mark.django_db


def test_the_card_shows_the_stored_predictions_report_and_keeps_the_walk_forward_beside_it():
    champion = store_champion()
    store_evaluation()
    evaluated = model_card()
    assert evaluated.report is not None
    assert evaluated.report.content.at("controls")
    newer = report()
    rows = {"ensemble": newer["rows"]["ensemble"] | {"net_excess_pct": {"mean": 3.25, "low_90": 1.0, "high_90": 5.0}}}
    content = {"as_of": "2026-05-04", "first_test": "2024-05-02", "last_test": "2024-09-04", "rows": rows, "lists": {}}
    record_stored_report(content, seconds=1.0)
    card = model_card()
    assert card.report is not None
    assert card.evaluation is not None
    assert rows["ensemble"]["recipe"] == champion.recipe
    assert card.report.row.figure("yearly", "net_excess_pct", "mean").value == 3.25
    assert card.evaluation.content.at("controls")
