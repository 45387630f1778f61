"""The one line: publish, publish with exclusions, abstain, or not decided yet, each with its reason."""

from dataclasses import replace
from datetime import date

import pytest
from django.core.cache import cache

from market_data.evenings.recent_runs import PastRun, RunHistory
from market_data.models import Finding, SourceFile
from tests.published import SESSION, pick, publish
from tests.runs import make_run
from tradingsite.operations.verdict import Evidence, session_verdict, verdict_on

BARE = Evidence(SESSION, {}, "", False, "", False, {}, None, None)
READY = replace(BARE, loaded=True, has_model=True)


def run(status: str, reason: str = "") -> PastRun:
    return PastRun("pipeline_1", "pipeline", SESSION, status, [], reason, None, None, None, False)


@pytest.mark.parametrize(
    ("evidence", "kind", "words"),
    [
        (BARE, "undecided", "have not been collected"),
        (replace(BARE, pipeline=run("running")), "undecided", "collecting the bars"),
        (replace(BARE, pipeline=run("waiting")), "undecided", "collecting the bars"),
        (replace(BARE, pipeline=run("failed", "The disk is full.")), "abstain", "The disk is full."),
        (replace(READY, refusal="The data failed a check: half the bars are missing."), "abstain", "half the bars"),
        (replace(READY, has_model=False), "undecided", "training has to produce one"),
        (replace(READY, has_model=False, training=run("failed")), "abstain", "training failed"),
        (READY, "publish", "No finding blocks"),
        (
            replace(READY, exclusions={"price_jump": 3, "unit_error": 1}, new_exclusions=1),
            "exclusions",
            "4 shares are kept out (price jump 3, unit error 1), 1 of them new.",
        ),
        (
            replace(READY, exclusions={"price_jump": 1}),
            "publish",
            "1 share is kept out (price jump 1), none of them new.",
        ),
        (replace(READY, lists={"growth": 50, "value": 12}), "publish", "62 picks in 2 lists"),
        (
            replace(READY, lists={"growth": 50}, exclusions={"price_jump": 2}, new_exclusions=2),
            "exclusions",
            "50 picks in 1 list. 2 shares are kept out (price jump 2), 2 of them new.",
        ),
        (replace(READY, lists={"growth": 0}, reason="No model."), "abstain", "No model."),
        (replace(READY, lists={"growth": 50}, refusal="The file is old."), "distrust", "since then: The file is old."),
    ],
)
def test_the_verdict_follows_from_the_evidence(evidence, kind, words):
    result = verdict_on(evidence)
    assert result.kind == kind
    assert words in f"{result.why} {result.exclusions}"


@pytest.mark.django_db
def test_the_evidence_comes_from_the_database(weekdays):
    assert session_verdict(None, RunHistory()).kind == "undecided"
    assert session_verdict(SESSION, RunHistory()).why.endswith("have not been collected yet.")
    make_run(status="failed", step_status="failed", reason="The file is truncated.")
    assert session_verdict(SESSION, RunHistory()).kind == "abstain"
    SourceFile.objects.create(session=SESSION, name="a", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0)
    assert "training has to produce one" in session_verdict(SESSION, RunHistory()).why
    publish("growth", [pick("AAA"), pick("BBB")])
    assert session_verdict(SESSION, RunHistory()).kind == "publish"
    facts = {"run_id": "r", "session": SESSION, "blocks": True, "severity": "error", "message": "m"}
    finding = Finding.objects.create(check_name="unit_error", symbol="AAA", **facts)
    news = session_verdict(SESSION, RunHistory())
    assert (news.why, news.kind) == ("2 picks in 1 list.", "exclusions")
    assert news.exclusions == "1 share is kept out (unit error 1), 1 of them new."
    Finding.objects.filter(pk=finding.pk).update(session=date(2026, 4, 29))
    cache.clear()
    assert session_verdict(SESSION, RunHistory()).kind == "publish", "what was kept out before is no news"
    finding.delete()
    Finding.objects.create(check_name="bar_count", **facts | {"message": "Half the bars are missing."})
    result = session_verdict(SESSION, RunHistory())
    assert (result.kind, "Half the bars are missing" in result.why) == ("distrust", True)
    assert session_verdict(date(2026, 4, 29), RunHistory()).kind == "undecided"
