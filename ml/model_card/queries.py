"""The model card from what is stored: champion, model, challenger, decisions, and the newest reports about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from ml.champions import queries as champions
from ml.champions.queries import Challenger
from ml.evaluation.records import evaluation_of, latest_stored_report, stored_reports
from ml.model_card import reading
from ml.model_card.figure import Part
from ml.models import ChampionChange, Evaluation, TrainedModel
from stocks.picks.screening import STRATEGIES

DECISIONS_SHOWN: Final = 10


@dataclass(frozen=True)
class Report:
    """A stored report about the champion: its figures, its span, and when it was made."""

    content: Part
    row: Part
    as_of: date
    made_at: datetime


@dataclass(frozen=True)
class Card:
    """What is known of the champion; None: not stored yet.

    ``model`` is its newest fit, accepted or not; ``report`` are the figures that are shown, ``evaluation`` the
    walk-forward report with baselines, controls and ablations.
    """

    champion: ChampionChange | None
    model: TrainedModel | None
    challenger: Challenger | None
    decisions: Sequence[ChampionChange]
    report: Report | None
    evaluation: Report | None

    @property
    def skill(self) -> Part:
        """Skill above noise of the newest fit."""
        return Part(self.model.metrics if self.model else {}, "model").at("skill_above_noise")

    @property
    def headlines(self) -> list[reading.Headline]:
        return reading.headlines(self.report.row, self.skill) if self.report else []


def model_card() -> Card:
    """The card as of now."""
    champion = champions.champion()
    recipe = champion.recipe if champion else ""
    evaluation = _report(evaluation_of(champion.estimator, recipe), champion.estimator) if champion else None
    stored = _report(latest_stored_report(recipe), champion.estimator) if champion else None
    return Card(
        champion=champion,
        model=champions.models_of(recipe).first() if champion else None,
        challenger=champions.challenger(),
        decisions=champions.decisions(DECISIONS_SHOWN),
        report=stored or evaluation,
        evaluation=evaluation,
    )


@dataclass(frozen=True)
class ListReport:
    """What the lists would have earned: strategy → figures, in the order of the registry, and the report's span."""

    rows: Mapping[str, reading.ListFigures]
    first: date
    last: date


def list_report(champion: ChampionChange | None) -> ListReport | None:
    """The lists' figures of the newest report about the champion; None without any. The rest of it is not read."""
    if champion is None:
        return None
    stored = stored_reports(champion.recipe)
    newest = stored.values_list("report__lists", "first_test", "last_test").first()
    if newest is None:
        return None
    lists, first, last = newest
    rows = reading.lists(Part(lists, "report/lists"), list(STRATEGIES))
    return ListReport({row.name: row for row in rows}, first, last) if rows else None


def _report(stored: Evaluation | None, estimator: str) -> Report | None:
    if stored is None:
        return None
    content = Part(stored.report, "report" if stored.kind == Evaluation.Kind.STORED else "evaluation")
    return Report(content, content.at("rows", estimator), stored.as_of, stored.created_at)
