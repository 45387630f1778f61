"""The registry of estimators: which members make up the two heads and the risk model of each; pure.

Rank and money pull apart: a model of ranks orders the whole market best, but its first places go to quiet shares. So an
estimator has two heads. The *return head* learns the excess in units of the day's spread and selects; the *rank head*
learns normal scores of five- and ten-session returns, and gives the probability to beat the median share. ``ensemble``
is the default. ``random_forest`` is the contract's, with exactly its settings, features and target.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from ml.learning.learners import LEARNERS, Learner

# Increase when the procedure changes in a way that the parameters do not show: it makes new recipes.
PROCEDURE = 1
SESSIONS_A_YEAR = 250


class UnknownEstimator(ValueError):
    """No estimator is registered under a name."""


@dataclass(frozen=True)
class Member:
    """One model of a head.

    Attributes
    ----------
    learner, target, outcome
        Names in ``LEARNERS`` and ``TARGETS``, and the column of the samples' keys that the target is made of.
    every
        Trains on every n-th session, counted back from the last: neighbouring outcomes share most of their days, so
        little is lost and much time saved.
    size
        Share of the learner's trees.
    """

    learner: str
    target: str
    outcome: str = "forward_return"
    seed: int = 0
    every: int = 1
    size: float = 1.0

    @property
    def kind(self) -> Learner:
        return LEARNERS[self.learner]


@dataclass(frozen=True)
class Head:
    """Members in groups. Members of a group share a target and are averaged; groups, by their ranks' normal scores."""

    groups: tuple[tuple[Member, ...], ...]

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for group in self.groups for member in group)

    def with_members(self, **changes: Any) -> "Head":
        """The same head with changed fields of every member."""
        return Head(tuple(tuple(replace(member, **changes) for member in group) for group in self.groups))


@dataclass(frozen=True)
class Estimator:
    """How one kind of model is fitted; ``recipe`` names everything that its figures depend on.

    ``feature_set`` is ``scale_free`` (``features``) or ``contract`` (``contract_features``); it learns from the last
    ``lookback_sessions``, by default from all history.
    """

    name: str
    feature_set: Literal["scale_free", "contract"]
    return_head: Head
    rank_head: Head
    risk_head: Head
    note: str = ""
    lookback_sessions: int | None = None

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """All members, each once, in a fixed order."""
        heads = (self.return_head, self.rank_head, self.risk_head)
        return tuple(dict.fromkeys(member for head in heads for member in head.members))

    def with_members(self, **changes: Any) -> "Estimator":
        """The same estimator with changed fields of every member, as a share of their trees."""
        return replace(
            self,
            return_head=self.return_head.with_members(**changes),
            rank_head=self.rank_head.with_members(**changes),
            risk_head=self.risk_head.with_members(**changes),
        )

    def as_json(self) -> dict[str, Any]:
        learners = {member.learner: dict(member.kind.parameters) for member in self.members}
        heads = {name: asdict(getattr(self, name)) for name in ("return_head", "rank_head", "risk_head")}
        return {"procedure": PROCEDURE, "feature_set": self.feature_set, **heads, "learners": learners} | {
            "lookback_sessions": self.lookback_sessions
        }

    @classmethod
    def from_json(cls, name: str, content: Mapping[str, Any]) -> "Estimator":
        """Rebuild an estimator from its ``as_json``; KeyError or TypeError if it is not one of this version."""
        return_head, rank_head, risk_head = (
            Head(tuple(tuple(Member(**member) for member in group) for group in content[key]["groups"]))
            for key in ("return_head", "rank_head", "risk_head")
        )
        members = (*return_head.members, *rank_head.members, *risk_head.members)
        unknown = {member.learner for member in members} - set(LEARNERS)
        if unknown:
            raise KeyError(f"unknown learner {', '.join(sorted(unknown))}")
        return cls(
            name,
            content["feature_set"],
            return_head,
            rank_head,
            risk_head,
            lookback_sessions=content["lookback_sessions"],
        )

    @cached_property
    def recipe(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of ``as_json``."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]


def _head(*groups: tuple[Member, ...]) -> Head:
    return Head(groups)


def _boosted(target: str, outcome: str, *seeds: int) -> tuple[Member, ...]:
    return tuple(Member("boosted", target, outcome, seed, every=2) for seed in seeds)


def _alone(name: str, learner: str, *, every: int = 2, note: str = "") -> Estimator:
    """One learner instead of the ensemble's members."""
    return Estimator(
        name,
        "scale_free",
        return_head=_head((Member(learner, "standard_excess", seed=1, every=every),)),
        rank_head=_head((Member(learner, "normal_score", seed=2, every=every),)),
        risk_head=_RISK,
        note=note,
    )


_RISK = _head((Member("linear", "normal_score", "drawdown"),))
_FOREST = _head((Member("random forest", "plain", seed=1),))

ESTIMATORS: Mapping[str, Estimator] = {
    "ensemble": Estimator(
        "ensemble",
        "scale_free",
        return_head=_head(
            _boosted("standard_excess", "forward_return", 1),
            (Member("linear", "standard_excess"),),
            (Member("linear", "standard_excess", "forward_return_5"),),
        ),
        rank_head=_head(
            _boosted("normal_score", "forward_return", 4),
            _boosted("normal_score", "forward_return_5", 5),
            (Member("linear", "normal_score"),),
            (Member("linear", "normal_score", "forward_return_5"),),
        ),
        risk_head=_RISK,
        note="boosted trees and linear models; the default",
    ),
    "lightgbm": _alone("lightgbm", "boosted", note="boosted trees alone"),
    "linear": _alone("linear", "linear", every=1, note="ridge on day ranks and their squares alone"),
    "histogram_forest": _alone("histogram_forest", "histogram forest", note="a fast forest on binned features"),
    "random_forest": Estimator(
        "random_forest",
        "contract",
        return_head=_FOREST,
        rank_head=_FOREST,
        risk_head=_head((Member("random forest", "limited_drawdown", "drawdown", seed=2),)),
        note="the contract's",
    ),
}


def estimator(name: str, lookback_days: int = 0) -> Estimator:
    """Return the estimator registered under a name, learning from the last ``lookback_days``; 0: from all history.

    Raises
    ------
    UnknownEstimator
        The sentence lists the registered names.
    """
    try:
        chosen = ESTIMATORS[name]
    except KeyError:
        raise UnknownEstimator(f"There is no estimator {name!r}; choose one of: {', '.join(ESTIMATORS)}.") from None
    if not lookback_days:
        return chosen
    return replace(chosen, lookback_sessions=round(lookback_days * SESSIONS_A_YEAR / 365))
