"""What changed from one list to the next: entries, departures, and why the scores of those that stayed moved; pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from stocks.picks import screening
from stocks.picks.standings import Departure, Standing

_MIN_POINTS = 0.0005
"""Moves below it do not show in a score of three decimals."""


class PartMove(NamedTuple):
    """How one part of a score moved, 0-1 (None where its input was missing), and by how many points of the score."""

    part: str
    before: float | None
    after: float | None
    points: float

    @property
    def words(self) -> str:
        if self.before is None and self.after is None:
            return f"{self.part} ({_signed(self.points)})"
        return f"{self.part} {_value(self.before)} → {_value(self.after)} ({_signed(self.points)})"


class ScoreChange(NamedTuple):
    """How the score of a share that stayed moved; `moves` of its parts, the largest first, add up to it."""

    symbol: str
    stock_name: str | None
    rank_before: int | None
    rank: int | None
    score_before: float
    score: float
    moves: tuple[PartMove, ...]

    @property
    def change(self) -> float:
        return self.score - self.score_before

    @property
    def words(self) -> str:
        """The change and the parts that moved it, as a sentence."""
        largest = [move.words for move in self.moves if abs(move.points) >= _MIN_POINTS]
        why = f": {', '.join(largest)}" if largest else ""
        return f"Score {self.score_before:.3f} → {self.score:.3f} ({_signed(self.change)}){why}."


class ListChanges(NamedTuple):
    """What changed in a list against the one before; `previous_session` is None where there was none to compare with.

    `score_changes` are those of the shares that stayed, the largest first.
    """

    previous_session: date | None
    entries: list[Mapping[str, Any]]
    departures: Sequence[Departure]
    score_changes: list[ScoreChange]

    @property
    def summary(self) -> str:
        """Counts in words."""
        return f"{len(self.entries)} new, {len(self.departures)} left, {len(self.score_changes)} stayed"


def list_changes(
    strategy: str,
    picks: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]],
    departures: Sequence[Departure],
    previous_session: date | None,
) -> ListChanges:
    """Compare a list with the one before, whose picks are `before` under the symbols of today."""
    earlier = {pick["symbol"]: pick for pick in before}
    stayed = [_score_change(strategy, earlier[pick["symbol"]], pick) for pick in picks if pick["symbol"] in earlier]
    stayed.sort(key=lambda change: (-abs(change.change), change.symbol))
    entries = [pick for pick in picks if pick["standing"] == Standing.NEW]
    return ListChanges(previous_session, entries if previous_session else [], departures, stayed)


def _score_change(strategy: str, before: Mapping[str, Any], pick: Mapping[str, Any]) -> ScoreChange:
    score_before, score = before["selection_score"] or 0.0, pick["selection_score"] or 0.0
    return ScoreChange(
        pick["symbol"],
        pick["stock_name"],
        before["rank"],
        pick["rank"],
        score_before,
        score,
        _moves(strategy, before["score_parts"] or {}, pick["score_parts"] or {}, score - score_before),
    )


def _moves(
    strategy: str, before: Mapping[str, float], after: Mapping[str, float], change: float
) -> tuple[PartMove, ...]:
    """The parts' moves; what they do not explain (the formula changed, or only rounded parts are known) is one more.

    The part `prediction` is the model's own score: the features that moved it belong beside its move.
    """
    points_before = screening.contributions(strategy, before)
    points_after = screening.contributions(strategy, after)
    moves = [
        PartMove(part, before.get(part), after.get(part), points_after.get(part, 0.0) - points_before.get(part, 0.0))
        for part in screening.STRATEGIES[strategy].parts
        if part in before or part in after
    ]
    rest = change - sum(move.points for move in moves)
    if abs(rest) >= _MIN_POINTS:
        moves.append(PartMove("not explained by the parts", None, None, rest))
    return tuple(sorted(moves, key=lambda move: -abs(move.points)))


def _value(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _signed(points: float) -> str:
    rounded = round(points, 3)
    return f"{'−' if rounded < 0 else '+'}{abs(rounded):.3f}"
