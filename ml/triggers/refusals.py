"""Whether lists are withheld on a session, by the rules of `readings` with the limits of the settings."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
from django.conf import settings

from market_data import quality
from market_data.storage import queries
from ml.champions.queries import sessions_since
from ml.models import TrainedModel
from ml.triggers.readings import Reading, Refusal, costs_reading, drift_reading, skill_reading
from stocks.picks.public_state import Abstention

if TYPE_CHECKING:
    from ml.learning.samples import Samples
    from ml.learning.training import Bundle


def of_session(session: date, shares: int) -> Refusal | None:
    """No bars, data that failed a check, or no tradable share."""
    latest = queries.latest_session()
    if latest is None or latest < session:
        if queries.is_provisional(session):
            sentence = f"The bars of {session} are a broker's, provisional until the exchange's file is there."
            return Refusal(Abstention.NO_BARS, sentence)
        return Refusal(Abstention.NO_BARS, f"There are no bars of {session}; the latest are of {latest}.")
    if of_day := quality.day_refusal(session):
        return Refusal(Abstention.DATA, of_day)
    return None if shares else Refusal(Abstention.NO_SHARES, f"No share was tradable on {session}.")


def of_model(model: TrainedModel, bundle: "Bundle", universe: "Samples", tonight: date) -> Sequence[Reading]:
    """What the model in force knows of its own skill, and of such a session as this one."""
    from ml.learning.drift import drift

    age = sessions_since(model.session, tonight)
    drifted = drift(bundle.ranges, universe) if bundle.ranges and len(universe) else None
    return (
        # An older one is not in force at all (`champions.queries.recent_model`).
        Reading("Age of the model, sessions", age, settings.ABSTAIN_MODEL_AGE_SESSIONS, f"fitted on {model.session}"),
        skill_reading(model.metrics.get("skill_above_noise"), settings.ABSTAIN_SKILL),
        drift_reading(drifted, settings.ABSTAIN_DRIFT),
    )


def of_list(strategy: str, picks: pd.DataFrame) -> Reading:
    """Whether a list is expected to earn its costs."""
    return costs_reading(strategy, picks, is_on=settings.ABSTAIN_BELOW_COSTS)
