"""The rules by which lists are withheld: each a figure of the session beside its limit; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from ml.learning.drift import Drift
from stocks.picks.public_state import Abstention


class Refusal(NamedTuple):
    """Why none may be picked: the kind, for readers, and the sentence, for operators."""

    abstention: Abstention
    sentence: str


@dataclass(frozen=True)
class Reading:
    """A trigger's figure of a session beside its limit.

    Attributes
    ----------
    value
        None where it is not known; such a trigger does not fire.
    limit
        None where the trigger is off.
    detail
        What the figure is of, in a few words.
    refusal
        None unless the trigger fires.
    """

    title: str
    value: float | None
    limit: float | None
    detail: str = ""
    refusal: Refusal | None = None

    def as_json(self) -> dict[str, Any]:
        facts = {"value": self.value, "limit": self.limit, "detail": self.detail}
        return facts | {"fires": self.refusal is not None}


def first_refusal(readings: Iterable[Reading]) -> Refusal | None:
    return next((reading.refusal for reading in readings if reading.refusal), None)


def drift_reading(drift: Drift | None, limit: float) -> Reading:
    """How far tonight's market lies outside of what the model learnt from (``learning.drift``)."""
    title = "Drift"
    if drift is None:
        return Reading(title, None, limit, "the model was fitted before this was measured")
    if not drift.distance:
        return Reading(title, 0.0, limit, "no feature lies outside of its range")
    detail = f"{drift.feature}, {drift.figure}: {drift.value:.3g}, {drift.low:.3g} to {drift.high:.3g} when it learnt"
    refusal = None
    if drift.distance > limit:
        sentence = (
            f"The session is unlike what the model learnt from: {detail}, {drift.distance:.1f} times that range away;"
            f" ABSTAIN_DRIFT allows {limit:g}. Look at the session's files and findings, and run the selection again."
        )
        refusal = Refusal(Abstention.DRIFT, sentence)
    return Reading(title, drift.distance, limit, detail, refusal)


def skill_reading(skill: Mapping[str, Any] | None, limit: float) -> Reading:
    """What the recipe's ranking is worth beyond shuffled controls (``evaluation.noise.skill_above_noise``)."""
    title = "Skill above noise"
    if skill is None or skill["mean"] is None:
        return Reading(title, None, limit, "not measured when the model was fitted")
    detail = f"{skill['days']} sessions"
    if skill["low_90"] is not None:
        detail = f"90 % interval {skill['low_90']:+.3f} to {skill['high_90']:+.3f}, {detail}"
    refusal = None
    if skill["mean"] < limit:
        sentence = (
            f"The model's rank correlation is {skill['mean']:+.3f} above that of controls that learnt nothing"
            f" ({detail}): below {limit:g} (ABSTAIN_SKILL). Examine the data and the last trainings."
        )
        refusal = Refusal(Abstention.SKILL, sentence)
    return Reading(title, float(skill["mean"]), limit, detail, refusal)


def costs_reading(strategy: str, picks: pd.DataFrame, *, is_on: bool) -> Reading:
    """What a list's shares are expected to earn over the market less what they cost, means in percent."""
    title, limit = f"Expected excess less costs, {strategy}, %", 0.0 if is_on else None
    excess, costs = (float(picks[name].mean()) for name in ("predicted_return", "round_trip_cost_pct"))
    if not len(picks) or pd.isna(excess - costs):
        return Reading(title, None, limit, "no pick with an expectation")
    detail = f"{excess:.2f} less {costs:.2f} over {len(picks)} picks"
    refusal = None
    if is_on and excess < costs:
        sentence = (
            f"The {strategy} list is expected to earn {excess:.2f} % over the market in ten sessions, and costs"
            f" {costs:.2f} %: with ABSTAIN_BELOW_COSTS such a list is not published."
        )
        refusal = Refusal(Abstention.COSTS, sentence)
    return Reading(title, excess - costs, limit, detail, refusal)
