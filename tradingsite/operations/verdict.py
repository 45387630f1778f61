"""The verdict on a session: can its data be trusted, and will its picks be published, with exclusions, or not at all.

After a publication it states what was published; before, what the selection would do now, from the same findings and
the same model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from market_data import quality
from market_data.models import PipelineRun
from market_data.storage.queries import is_loaded
from ml.evening_facts import exclusions_by_check, lists_in_force
from ml.sagas import MODEL_AGE_LIMIT_SESSIONS, model_in_force
from tradingsite.operations.recent_runs import PastRun, RunHistory

PUBLISH, EXCLUSIONS, ABSTAIN, UNDECIDED = "publish", "exclusions", "abstain", "undecided"
_NAMED_CHECKS: Final = 3


@dataclass(frozen=True)
class Verdict:
    """The outcome in a few words, its reason as a sentence, and the key of the runbook entry that helps, or empty."""

    kind: str
    head: str
    why: str
    session: date | None
    runbook: str = ""


@dataclass(frozen=True)
class Evidence:
    """The facts that decide the verdict.

    `lists` counts the published picks of each strategy (empty before a publication), and `reason` says why they have
    none; `loaded` means the session's bars, `refusal` says why the day's data cannot be trusted (empty when they can),
    `has_model` whether an accepted model is recent enough; `exclusions` counts the excluded shares by check.
    """

    session: date
    lists: Mapping[str, int]
    reason: str
    loaded: bool
    refusal: str
    has_model: bool
    exclusions: Mapping[str, int]
    pipeline: PastRun | None
    training: PastRun | None


def verdict_on(evidence: Evidence) -> Verdict:
    day = evidence.session
    if evidence.lists:
        return _verdict_after_publication(evidence)
    if not evidence.loaded:
        return _verdict_without_bars(evidence)
    if evidence.refusal:
        return Verdict(ABSTAIN, "Will abstain", evidence.refusal, day, runbook="check-failed")
    if not evidence.has_model:
        why = f"No accepted model is at most {MODEL_AGE_LIMIT_SESSIONS} sessions old on {day}"
        if evidence.training is not None and evidence.training.status == PipelineRun.Status.FAILED:
            return Verdict(ABSTAIN, "Will abstain", f"{why}, and tonight's training failed.", day, "training-failed")
        return Verdict(UNDECIDED, "Not decided yet", f"{why}; tonight's training has to produce one.", day)
    if evidence.exclusions:
        return Verdict(EXCLUSIONS, "Will publish with exclusions", _exclusions(evidence.exclusions), day)
    why = f"No finding blocks the data of {day}, and a recent model is accepted."
    return Verdict(PUBLISH, "Will publish", why, day)


def _verdict_after_publication(evidence: Evidence) -> Verdict:
    total = sum(evidence.lists.values())
    if not total:
        return Verdict(ABSTAIN, "Abstained", evidence.reason or "No share passed the conditions.", evidence.session)
    lists = f"{total} picks in {len(evidence.lists)} list{'' if len(evidence.lists) == 1 else 's'}"
    if evidence.refusal:
        why = f"{lists} are published, but since then: {evidence.refusal} Run the selection again: it will abstain."
        return Verdict(ABSTAIN, "Published, no longer trusted", why, evidence.session, runbook="check-failed")
    if evidence.exclusions:
        why = f"{lists}. {_exclusions(evidence.exclusions)}"
        return Verdict(EXCLUSIONS, "Published with exclusions", why, evidence.session)
    return Verdict(PUBLISH, "Published", f"{lists}; no finding excludes a share.", evidence.session)


def _verdict_without_bars(evidence: Evidence) -> Verdict:
    run, day = evidence.pipeline, evidence.session
    if run is None:
        return Verdict(UNDECIDED, "Not decided yet", f"The bars of {day} have not been collected yet.", day)
    if run.status in PipelineRun.ACTIVE:
        return Verdict(UNDECIDED, "Not decided yet", f"The pipeline is collecting the bars of {day} ({run.id}).", day)
    why = f"There are no bars of {day}: {run.id} is {run.status}. {run.reason}".strip()
    return Verdict(ABSTAIN, "Will abstain", why, day)


def _exclusions(exclusions: Mapping[str, int]) -> str:
    count = sum(exclusions.values())
    largest = sorted(exclusions.items(), key=lambda entry: -entry[1])
    details = ", ".join(f"{check.replace('_', ' ')} {shares}" for check, shares in largest[:_NAMED_CHECKS])
    more = f" and {len(largest) - _NAMED_CHECKS} more checks" if len(largest) > _NAMED_CHECKS else ""
    return f"{count} share{' is' if count == 1 else 's are'} excluded ({details}{more})."


def session_verdict(session: date | None, history: RunHistory) -> Verdict:
    """The verdict on a session; without a session, what to do first."""
    if session is None:
        why = "The calendar knows no session. Run ./run.sh manage run_all, or import market days."
        return Verdict(UNDECIDED, "No session yet", why, None)
    return verdict_on(_evidence(session, history))


def _evidence(session: date, history: RunHistory) -> Evidence:
    lists = list(lists_in_force(session))
    loaded = is_loaded(session)
    return Evidence(
        session=session,
        lists={publication.strategy: publication.count for publication in lists},
        reason=next((publication.reason for publication in lists if publication.reason), ""),
        loaded=loaded,
        refusal=quality.day_refusal(session) if loaded else "",
        has_model=bool(lists) or (loaded and model_in_force(session) is not None),
        exclusions=exclusions_by_check(session) if loaded else {},
        pipeline=history.of_session("pipeline", session),
        training=history.of_session("training", session),
    )
