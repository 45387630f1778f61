"""One line: can the session's data be trusted, and what becomes of its picks: publish, with exclusions, abstain.

What is published counts; before that, what the selection would do now: it asks the same findings and the same model.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.core.cache import cache
from django.db.models import Max

from market_data import quality
from market_data.models import Finding, PipelineRun, SourceFile
from ml.sagas import MODEL_AGE_LIMIT_SESSIONS, model_in_force
from stocks.models import Publication
from tradingsite.operations.evening import History, PastRun

PUBLISH, EXCLUSIONS, ABSTAIN, UNDECIDED = "publish", "exclusions", "abstain", "undecided"
_KEPT_SECONDS: Final = 300
_NAMED_CHECKS: Final = 3


@dataclass(frozen=True)
class Verdict:
    """The line.

    Attributes
    ----------
    kind : str
        ``publish``, ``exclusions``, ``abstain`` or ``undecided``.
    head : str
        In two or three words.
    why : str
        The reason, a sentence.
    """

    kind: str
    head: str
    why: str
    session: date | None


@dataclass(frozen=True)
class Evidence:
    """What the verdict follows from.

    Attributes
    ----------
    lists : mapping of str to int
        Published picks of each strategy; empty before a publication.
    reason : str
        Why the lists are empty, where they are.
    loaded : bool
        Whether the session's bars are there.
    refusal : str
        Why the day's data cannot be trusted; empty where they can.
    has_model : bool
        Whether an accepted model is young enough.
    kept_out : mapping of str to int
        Shares that findings keep out, by check.
    pipeline, training : PastRun or None
        Where these jobs stand.
    """

    session: date
    lists: Mapping[str, int]
    reason: str
    loaded: bool
    refusal: str
    has_model: bool
    kept_out: Mapping[str, int]
    pipeline: PastRun | None
    training: PastRun | None


def judged(seen: Evidence) -> Verdict:
    """Return the verdict that follows from the evidence."""
    day = seen.session
    if seen.lists:
        return _of_published(seen)
    if not seen.loaded:
        return _without_bars(seen)
    if seen.refusal:
        return Verdict(ABSTAIN, "Will abstain", seen.refusal, day)
    if not seen.has_model:
        why = f"No accepted model is at most {MODEL_AGE_LIMIT_SESSIONS} sessions old on {day}"
        if seen.training is not None and seen.training.status == PipelineRun.Status.FAILED:
            return Verdict(ABSTAIN, "Will abstain", f"{why}, and tonight's training failed.", day)
        return Verdict(UNDECIDED, "Not decided yet", f"{why}; tonight's training has to bring one.", day)
    if seen.kept_out:
        return Verdict(EXCLUSIONS, "Will publish with exclusions", _exclusions(seen.kept_out), day)
    return Verdict(PUBLISH, "Will publish", f"No finding blocks the data of {day}, and a model is in force.", day)


def _of_published(seen: Evidence) -> Verdict:
    total = sum(seen.lists.values())
    if not total:
        return Verdict(ABSTAIN, "Abstained", seen.reason or "No share passed the conditions.", seen.session)
    said = f"{total} picks in {len(seen.lists)} lists"
    if seen.refusal:
        why = f"{said} stand, but since then: {seen.refusal} Run the selection again: it will abstain."
        return Verdict(ABSTAIN, "Published, no longer trusted", why, seen.session)
    if seen.kept_out:
        why = f"{said}. {_exclusions(seen.kept_out)}"
        return Verdict(EXCLUSIONS, "Published with exclusions", why, seen.session)
    return Verdict(PUBLISH, "Published", f"{said}; no finding keeps a share out.", seen.session)


def _without_bars(seen: Evidence) -> Verdict:
    run, day = seen.pipeline, seen.session
    if run is None:
        return Verdict(UNDECIDED, "Not decided yet", f"The bars of {day} have not been collected yet.", day)
    if run.status in PipelineRun.ACTIVE:
        return Verdict(UNDECIDED, "Not decided yet", f"The pipeline collects the bars of {day} ({run.id}).", day)
    why = f"There are no bars of {day}: {run.id} is {run.status}. {run.reason}".strip()
    return Verdict(ABSTAIN, "Will abstain", why, day)


def _exclusions(kept_out: Mapping[str, int]) -> str:
    count = sum(kept_out.values())
    largest = sorted(kept_out.items(), key=lambda one: -one[1])
    named = ", ".join(f"{check.replace('_', ' ')} {number}" for check, number in largest[:_NAMED_CHECKS])
    more = f" and {len(largest) - _NAMED_CHECKS} more checks" if len(largest) > _NAMED_CHECKS else ""
    return f"{count} share{' is' if count == 1 else 's are'} kept out ({named}{more})."


def verdict(session: date | None, history: History) -> Verdict:
    """Return the verdict on a session; without a session, what to do first."""
    if session is None:
        why = "The calendar knows no session. Run ./run.sh manage run_all, or import market days."
        return Verdict(UNDECIDED, "Nothing to judge", why, None)
    return judged(_evidence(session, history))


def _evidence(session: date, history: History) -> Evidence:
    lists = Publication.objects.filter(date=session, superseded_at=None).values_list("strategy", "count", "reason")
    published = {strategy: count for strategy, count, _ in lists}
    loaded = SourceFile.objects.filter(session=session).exists()
    return Evidence(
        session=session,
        lists=published,
        reason=next((reason for _, _, reason in lists if reason), ""),
        loaded=loaded,
        refusal=quality.day_refusal(session) if loaded else "",
        has_model=bool(published) or (loaded and model_in_force(session) is not None),
        kept_out=kept_out_by_check(session, history) if loaded else {},
        pipeline=history.standing("pipeline", session),
        training=history.standing("training", session),
    )


def kept_out_by_check(session: date, history: History) -> dict[str, int]:
    """Return how many shares each check keeps out; kept until findings or runs change, because it reads all jumps."""
    newest = Finding.objects.aggregate(newest=Max("id"))["newest"]
    latest = next((f"{run.id} {run.status}" for run in history.runs if run.ended_at), "")
    key = f"operations kept out {session} {newest} {latest}".replace(" ", "-")
    counted: dict[str, int] | None = cache.get(key)
    if counted is None:
        counted = dict(Counter(quality.kept_out(session).values()))
        cache.set(key, counted, _KEPT_SECONDS)
    return counted
