"""The verdict on a session: can its data be trusted, and will its picks be published, with exclusions, or not at all.

After a publication it states what was published; before, what the selection would do now, from the same findings and
the same model.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from django.conf import settings

from market_data import quality
from market_data.evenings.recent_runs import PastRun, RunHistory
from market_data.models import PipelineRun
from market_data.storage.queries import is_loaded, is_provisional
from ml.champions.queries import model_in_force
from ml.evening_facts import kept_out, lists_in_force
from tradingsite.operations.attention import Fact

PUBLISH, EXCLUSIONS, ABSTAIN, UNDECIDED, DISTRUST = "publish", "exclusions", "abstain", "undecided", "distrust"
"""`EXCLUSIONS` only when findings of the session itself keep shares out; earlier ones are no news."""

_NAMED_CHECKS: Final = 3


@dataclass(frozen=True)
class Verdict:
    """The outcome in a few words, its reason as a sentence, and the key of the runbook entry that helps, or empty.

    `kept_out` counts the shares kept out, `exclusions` says so and is empty when there are none; `facts` decide the
    colour.
    """

    kind: str
    head: str
    why: str
    session: date | None
    runbook: str = ""
    exclusions: str = ""
    kept_out: int = 0

    @property
    def facts(self) -> frozenset[Fact]:
        facts = {_FACTS[self.kind]}
        if self.exclusions and self.kind != EXCLUSIONS:
            facts.add(Fact.STANDING_EXCLUSIONS)
        return frozenset(facts)


_FACTS: Final = {
    PUBLISH: Fact.PICKS_IN_ORDER,
    EXCLUSIONS: Fact.NEW_EXCLUSIONS,
    ABSTAIN: Fact.NO_PICKS,
    DISTRUST: Fact.PICKS_NOT_TRUSTED,
    UNDECIDED: Fact.UNDECIDED,
}


@dataclass(frozen=True)
class Evidence:
    """The facts that decide the verdict.

    `lists` counts the published picks of each strategy (empty before a publication), and `reason` says why they have
    none; `loaded` means the session's bars, `refusal` says why the day's data cannot be trusted (empty when they can),
    `has_model` whether an accepted model is recent enough; `exclusions` counts the shares kept out by
    check, `new_exclusions` those that findings of this session keep out.
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
    new_exclusions: int = 0
    provisional: bool = False


def verdict_on(evidence: Evidence) -> Verdict:
    day = evidence.session
    if evidence.lists:
        return _verdict_after_publication(evidence)
    if not evidence.loaded:
        return _verdict_without_bars(evidence)
    if evidence.refusal:
        return Verdict(ABSTAIN, "Will abstain", evidence.refusal, day, runbook="check-failed")
    if not evidence.has_model:
        why = f"No accepted model is at most {settings.ABSTAIN_MODEL_AGE_SESSIONS} sessions old on {day}"
        if evidence.training is not None and evidence.training.status == PipelineRun.Status.FAILED:
            return Verdict(ABSTAIN, "Will abstain", f"{why}, and tonight's training failed.", day, "training-failed")
        return Verdict(UNDECIDED, "Not decided yet", f"{why}; tonight's training has to produce one.", day)
    why = f"No finding blocks the data of {day} as a whole, and a recent model is accepted."
    return _publishing(evidence, "Will publish", why)


def _verdict_after_publication(evidence: Evidence) -> Verdict:
    total = sum(evidence.lists.values())
    if not total:
        return Verdict(ABSTAIN, "Abstained", evidence.reason or "No share passed the conditions.", evidence.session)
    lists = f"{total} picks in {len(evidence.lists)} list{'' if len(evidence.lists) == 1 else 's'}"
    if evidence.refusal:
        why = f"{lists} are published, but since then: {evidence.refusal} Run the selection again: it will abstain."
        return Verdict(DISTRUST, "Published, no longer trusted", why, evidence.session, runbook="check-failed")
    return _publishing(evidence, "Published", f"{lists}.")


def _publishing(evidence: Evidence, head: str, why: str) -> Verdict:
    is_new = evidence.new_exclusions > 0
    if is_new:
        head = f"{head} with exclusions"
    return Verdict(EXCLUSIONS if is_new else PUBLISH, head, why, evidence.session, exclusions=_exclusions(evidence))


def _verdict_without_bars(evidence: Evidence) -> Verdict:
    run, day = evidence.pipeline, evidence.session
    if run is None:
        return Verdict(UNDECIDED, "Not decided yet", f"The bars of {day} have not been collected yet.", day)
    if run.status in PipelineRun.ACTIVE:
        return Verdict(UNDECIDED, "Not decided yet", f"The pipeline is collecting the bars of {day} ({run.id}).", day)
    if evidence.provisional:
        why = f"The bars of {day} are a broker's, provisional until the exchange's file is there."
        return Verdict(ABSTAIN, "Will abstain", why, day)
    why = f"There are no bars of {day}: {run.id} is {run.status}. {run.reason}".strip()
    return Verdict(ABSTAIN, "Will abstain", why, day)


def _exclusions(evidence: Evidence) -> str:
    exclusions = evidence.exclusions
    count, new = sum(exclusions.values()), evidence.new_exclusions
    if not count:
        return ""
    largest = sorted(exclusions.items(), key=lambda entry: -entry[1])
    details = ", ".join(f"{check.replace('_', ' ')} {shares}" for check, shares in largest[:_NAMED_CHECKS])
    rest = len(largest) - _NAMED_CHECKS
    more = f" and {rest} more check{'' if rest == 1 else 's'}" if rest > 0 else ""
    news = f"{new} of them new" if new else "none of them new"
    return f"{count} share{' is' if count == 1 else 's are'} kept out ({details}{more}), {news}."


def session_verdict(session: date | None, history: RunHistory) -> Verdict:
    """The verdict on a session; without a session, what to do first."""
    if session is None:
        why = "The calendar knows no session. Run ./run.sh manage run_all, or import market days."
        return Verdict(UNDECIDED, "No session yet", why, None)
    evidence = _evidence(session, history)
    return replace(verdict_on(evidence), kept_out=sum(evidence.exclusions.values()))


def _evidence(session: date, history: RunHistory) -> Evidence:
    lists = list(lists_in_force(session))
    loaded = is_loaded(session)
    excluded = kept_out(session) if loaded else []
    return Evidence(
        session=session,
        lists={publication.strategy: publication.count for publication in lists},
        reason=next((publication.reason for publication in lists if publication.reason), ""),
        loaded=loaded,
        refusal=quality.day_refusal(session) if loaded else "",
        has_model=bool(lists) or (loaded and model_in_force(session) is not None),
        exclusions=Counter(entry.check for entry in excluded),
        new_exclusions=sum(entry.is_new(session) for entry in excluded),
        pipeline=history.of_session("pipeline", session),
        training=history.of_session("training", session),
        provisional=is_provisional(session),
    )
