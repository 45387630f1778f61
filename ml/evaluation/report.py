"""The walk-forward report: estimators on the same sessions, beside baselines, ablations and shuffled controls; pure.

Baselines are single features, and boosted trees of ordinary settings on a share's own features, against which every
estimator is paired day by day. The controls are the default estimator, with the same members and sessions, taught
outcomes that were shuffled within each day. Predictions of each entry are kept under the hash of its data and recipe,
so that a report that was interrupted goes on.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.ablations import LINEAR_PART, PEER_GROUPS, RANDOM_SECTORS, ablated, ablations_section
from ml.evaluation.controls import Control, controls_row
from ml.evaluation.expectations import expectations
from ml.evaluation.figures import Days
from ml.evaluation.pairs import EQUAL_WEIGHT, equal_weight_row, paired
from ml.evaluation.rows import figures_row
from ml.evaluation.tranches import Rule
from ml.features.registry import FEATURE_GROUPS
from ml.learning.calibration import DEFAULT_CHANCES, Chances
from ml.learning.estimators import Estimator, Head, Member
from ml.learning.labels import exit_counts
from ml.learning.samples import Samples
from ml.learning.training import calibrated_blocks, with_outcomes
from ml.learning.walk_forward import SCORES, TooLittleHistory, earliest_test, walk_forward
from stocks.storage.durable_files import replace_file

# The baseline knows nothing of sectors.
OWN_FEATURES = tuple(name for group, names in FEATURE_GROUPS.items() if group not in PEER_GROUPS for name in names)

# Name → (feature, sign that makes higher better). Sources: see ml/features/own.py.
BASELINES: Mapping[str, tuple[str, float]] = {
    "momentum": ("momentum_12_1", 1.0),
    "low_volatility": ("volatility_60", -1.0),
    "high_52w": ("high_52w", 1.0),
}
_PLAIN_HEAD = Head(((Member("plain boosted", "percentile", seed=1, every=2),),))
PLAIN = Estimator(
    "plain boosted",
    "scale_free",
    return_head=_PLAIN_HEAD,
    rank_head=_PLAIN_HEAD,
    risk_head=Head(()),
    note="boosted trees of ordinary settings on the rank, a share's own features",
)
LAST_MODEL = "last model"
_SHUFFLED = ("forward_return", "forward_return_5", "drawdown", "run_up", "exit_position")


@dataclass
class PredictionStore:
    """Kept predictions of entries, one file each; without a directory nothing is kept."""

    directory: Path | None
    computed: int = 0
    reused: int = 0
    _counting: Lock = field(default_factory=Lock, repr=False)

    def predictions(self, key: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        path = None if self.directory is None else self.directory / f"{key}.parquet"
        is_stored = path is not None and path.is_file()
        with self._counting:
            self.reused += is_stored
            self.computed += not is_stored
        if path is not None and is_stored:
            path.touch()  # what is in use is not purged
            return pd.read_parquet(path)
        frame = compute()
        if path is not None:
            with replace_file(path) as temporary:
                frame.to_parquet(temporary)
        return frame


@dataclass(frozen=True)
class Span:
    """Positions of the first and the last tested session."""

    first: int
    last: int


def span_of_tests(data: Samples, first_test: pd.Timestamp | None = None) -> Span:
    """Sessions of the report: from a day, by default after a year of history, to the last that has an outcome.

    Raises
    ------
    TooLittleHistory
        There is no such session.
    """
    earliest = earliest_test(len(data.sessions))
    first = earliest if first_test is None else max(earliest, int(data.sessions.searchsorted(first_test)))
    with_outcome = data.position[data.keys["forward_return"].notna().to_numpy()]
    last = int(with_outcome[-1]) if len(with_outcome) else -1
    if first > last:
        raise TooLittleHistory(
            f"No session from {first_test.date() if first_test is not None else 'the first that can be tested'} on has"
            f" enough history before it and an outcome after it: there are {len(data.sessions)} sessions,"
            f" and {earliest} must come before the first tested one. Load more history, or choose an earlier day."
        )
    return Span(first, last)


def with_shuffled_outcomes(data: Samples, seed: int) -> Samples:
    """Permute the outcomes of samples, sorted by day, within each day, so that no feature can predict them."""
    generator = np.random.default_rng(seed)
    # Sorting by (day, random number) permutes the rows within each day.
    order = np.lexsort((generator.random(len(data)), data.position))
    keys = data.keys.copy()
    for name in _SHUFFLED:
        keys[name] = data.keys[name].to_numpy()[order]
    return Samples(keys, data.position, data.values, data.ranks, data.features, data.sessions)


def walk_forward_past(
    data: Samples, estimator: Estimator, span: Span, store: PredictionStore, shuffle: int | None = None
) -> pd.DataFrame:
    """Walk-forward predictions of an estimator with the true outcomes, as ``training.Night.past``.

    ``shuffle`` is the seed of a control that learns from ``with_shuffled_outcomes``.
    """
    content = {"recipe": estimator.recipe, "span": [span.first, span.last], "shuffle": shuffle}
    key = hashlib.sha256(f"{json.dumps(content, sort_keys=True)}{data.fingerprint}".encode()).hexdigest()

    def compute() -> pd.DataFrame:
        taught = data if shuffle is None else with_shuffled_outcomes(data, shuffle)
        return walk_forward(taught, estimator, span.first, span.last)

    return with_outcomes(store.predictions(key, compute), data)


def baseline_past(data: Samples, name: str, span: Span) -> pd.DataFrame:
    """A single feature as the score of both heads, with the outcomes."""
    feature, sign = BASELINES[name]
    tested = data.between(span.first, span.last)
    score = sign * tested.values[:, tested.features.index(feature)].astype(np.float64)
    frame = tested.keys[["symbol", "date"]].assign(position=tested.position, **dict.fromkeys(SCORES, np.nan))
    return with_outcomes(frame.assign(score=score, rank_score=score), data)


def with_market(past: pd.DataFrame, market: pd.DataFrame | None) -> pd.DataFrame:
    """Join predictions with what only reports know (``datasets.outcomes_between``); NaN without it."""
    columns = ["late_entry_return", "atr_pct"]
    if market is None:
        return past.assign(**dict.fromkeys(columns, np.nan))
    return past.merge(market[["symbol", "date", *columns]], on=["symbol", "date"], how="left")


@dataclass(frozen=True)
class Terms:
    """What all entries of a report share.

    Attributes
    ----------
    data
        Samples of the scale-free features, of which baselines and ablations are made.
    market
        ``datasets.outcomes_between`` of the tested sessions; without it the figures that need it are None.
    """

    data: Samples
    span: Span
    rule: Rule
    store: PredictionStore
    market: pd.DataFrame | None = None
    chances: Chances = DEFAULT_CHANCES
    on_progress: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Extras:
    """What a report contains beside its entries.

    Attributes
    ----------
    controls
        Number of shuffled controls.
    ablations
        Whether to leave out each group of features in turn.
    placebo
        Samples whose sectors and industries were drawn at random (``ablations.random_groups``), for the ablations.
    last_model
        Walk-forward predictions of the recipe that was champion before, as a further baseline.
    """

    controls: int = 3
    ablations: bool = False
    placebo: Callable[[], Samples] | None = None
    last_model: pd.DataFrame | None = None


def report(entries: Sequence[tuple[Estimator, Samples]], terms: Terms, extras: Extras = Extras()) -> dict[str, Any]:
    """Evaluate estimators, baselines, ablations and controls on the same sessions.

    The first entry is the default estimator, which the controls repeat.

    Returns
    -------
    dict
        Plain JSON: first_test, last_test, sessions, data_hash; exits (``labels.exit_counts``); rows: name → kind
        ("model" or "baseline"), note, ``rows.figures_row`` and, of models, recipe, expectations
        (``expectations.expectations``) and paired (``pairs.paired``) with the plain baseline; "equal weight" is a
        baseline whose money is 0 by definition; controls (``controls.controls_row``); ablations
        (``ablations.ablations_section``) or None; entries_computed and entries_reused.
    """
    default, data = entries[0]
    trial = _Trial(terms)
    plain = trial.plain()
    rows = {estimator.name: trial.model_row(estimator, samples, plain) for estimator, samples in entries}
    rows |= trial.baselines(plain, extras.last_model)
    return {
        "first_test": data.sessions[terms.span.first].date().isoformat(),
        "last_test": data.sessions[terms.span.last].date().isoformat(),
        "sessions": terms.span.last - terms.span.first + 1,
        "data_hash": data.fingerprint,
        "exits": trial.exits(),
        "rows": rows,
        "controls": controls_row(trial.controls(default, data, extras.controls), rows[default.name]["rank_ic"]["mean"]),
        "ablations": trial.ablations(extras.placebo) if extras.ablations else None,
        "entries_computed": terms.store.computed,
        "entries_reused": terms.store.reused,
    }


@dataclass(frozen=True)
class _Trial:
    terms: Terms

    def past(self, data: Samples, estimator: Estimator, shuffle: int | None = None) -> pd.DataFrame:
        return walk_forward_past(data, estimator, self.terms.span, self.terms.store, shuffle)

    def row(self, past: pd.DataFrame, days: Days) -> dict[str, Any]:
        return figures_row(with_market(past, self.terms.market), self.terms.rule, self.terms.data.sessions, days)

    def plain(self) -> tuple[pd.DataFrame, Days]:
        past = self.past(self.terms.data.only(OWN_FEATURES), PLAIN)
        self.terms.on_progress(f"{PLAIN.name} evaluated")
        return past, Days.of(past, self.terms.rule)

    def model_row(self, estimator: Estimator, data: Samples, plain: tuple[pd.DataFrame, Days]) -> dict[str, Any]:
        past = self.past(data, estimator)
        days = Days.of(past, self.terms.rule)
        blocks = calibrated_blocks(past, np.unique(past["position"].to_numpy(dtype=np.int64)), self.terms.chances)
        stated = with_market(pd.concat(blocks, ignore_index=True), self.terms.market)
        self.terms.on_progress(f"{estimator.name} evaluated")
        return {
            "kind": "model",
            "note": estimator.note,
            "recipe": estimator.recipe,
            **self.row(past, days),
            "expectations": expectations(stated, self.terms.rule, self.terms.chances),
            "paired": paired(days, plain[1], self.terms.data.sessions),
        }

    def baselines(self, plain: tuple[pd.DataFrame, Days], last_model: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
        rows = {PLAIN.name: {"kind": "baseline", "note": PLAIN.note} | self.row(*plain)}
        for name, (feature, sign) in BASELINES.items():
            note = f"{feature}, {'higher' if sign > 0 else 'lower'} is better"
            past = baseline_past(self.terms.data, name, self.terms.span)
            rows[name] = {"kind": "baseline", "note": note} | self.row(past, Days.of(past, self.terms.rule))
        if last_model is not None:
            note = "the recipe that was champion before, as its stored predictions say"
            days = Days.of(last_model, self.terms.rule)
            pair = paired(days, plain[1], self.terms.data.sessions)
            rows[LAST_MODEL] = {"kind": "baseline", "note": note, "paired": pair} | self.row(last_model, days)
        return rows | {EQUAL_WEIGHT: equal_weight_row(self.terms.span.last - self.terms.span.first + 1)}

    def exits(self) -> dict[str, int]:
        tested = self.terms.data.between(self.terms.span.first, self.terms.span.last)
        return exit_counts(tested.keys, tested.position, len(self.terms.data.sessions) - 1)

    def controls(self, default: Estimator, data: Samples, count: int) -> list[Control]:
        """Controls of both heads; the risk model has no part in what they show."""
        taught = replace(default, risk_head=Head(()))
        controls = []
        for seed in range(count):
            controls.append(Control.of(self.past(data, taught, shuffle=seed), self.terms.rule))
            self.terms.on_progress(f"control {seed + 1} of {count} evaluated")
        return controls

    def ablations(self, placebo: Callable[[], Samples] | None) -> dict[str, Any]:
        rows: dict[str, dict[str, Any]] = {}
        whole: Days | None = None
        for name, features in ablated(self.terms.data).items():
            rows[name], days = self._ablation(self.terms.data.only(features), whole)
            whole = whole or days
            self.terms.on_progress(f"ablation: {name} evaluated")
        if placebo is not None:
            rows[RANDOM_SECTORS], _ = self._ablation(placebo(), whole)
            self.terms.on_progress(f"ablation: {RANDOM_SECTORS} evaluated")
        return ablations_section(rows)

    def _ablation(self, data: Samples, whole: Days | None) -> tuple[dict[str, Any], Days]:
        past = self.past(data, LINEAR_PART)
        days = Days.of(past, self.terms.rule)
        row = {"features": len(data.features)} | figures.summary(past, self.terms.rule, days)
        return row | ({"paired": paired(days, whole, data.sessions)} if whole else {}), days
