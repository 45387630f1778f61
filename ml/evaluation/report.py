"""The walk-forward report: estimators on the same sessions, beside free baselines and shuffled controls; pure.

Baselines are single features, and boosted trees of ordinary settings on a share's own features, against which every
estimator is paired day by day. The controls are the default estimator, with the same members and sessions, taught
outcomes that were shuffled within each day: a control that earns would prove that the procedure leaks. Predictions of
each entry are kept under the hash of its data and recipe, so that a report that was interrupted goes on.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.numbers import interval, number
from ml.evaluation.rows import figures_row
from ml.evaluation.statistics import block_bootstrap
from ml.evaluation.tranches import PERIODS_A_YEAR, Rule
from ml.features.registry import FEATURE_GROUPS
from ml.learning.estimators import Estimator, Head, Member
from ml.learning.samples import Samples
from ml.learning.training import with_outcomes
from ml.learning.walk_forward import SCORES, TooLittleHistory, earliest_test, walk_forward
from stocks.storage.durable_files import replace_file

# The baseline knows nothing of sectors.
_PEER_GROUPS = ("sector", "industry")
OWN_FEATURES = tuple(name for group, names in FEATURE_GROUPS.items() if group not in _PEER_GROUPS for name in names)

# Name → (feature, sign that makes higher better). Sources: see ml/features/own.py.
BASELINES: Mapping[str, tuple[str, float]] = {
    "momentum": ("momentum_12_1", 1.0),
    "low_volatility": ("volatility_60", -1.0),
    "high_52w": ("high_52w", 1.0),
}
_PLAIN_HEAD = Head(((Member("plain boosted", "normal_score", seed=1, every=2),),))
PLAIN = Estimator(
    "plain boosted",
    "scale_free",
    return_head=_PLAIN_HEAD,
    rank_head=_PLAIN_HEAD,
    risk_head=Head(()),
    note="boosted trees of ordinary settings on the rank, a share's own features",
)
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


def with_late_entry(past: pd.DataFrame, late: pd.DataFrame | None) -> pd.DataFrame:
    """Join predictions with ``labels.late_entry_returns``, given as symbol, date and late_entry_return; else NaN."""
    if late is None:
        return past.assign(late_entry_return=np.nan)
    return past.merge(late[["symbol", "date", "late_entry_return"]], on=["symbol", "date"], how="left")


def paired(past: pd.DataFrame, baseline: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    """Daily differences to a baseline: of the rank correlation, and of the net excess in percent a year."""
    ranks = figures.daily_ranks(past)["rank_ic"] - figures.daily_ranks(baseline)["rank_ic"]
    money = figures.daily_money(past, rule)["net_excess"] - figures.daily_money(baseline, rule)["net_excess"]
    return {
        "rank_ic": block_bootstrap(ranks.to_numpy(dtype=np.float64)).as_json(),
        "net_excess_pct": block_bootstrap(money.to_numpy(dtype=np.float64) * PERIODS_A_YEAR * 100).as_json(),
    }


def controls_row(means: Sequence[float], model: float | None) -> dict[str, Any]:
    """Summary of the controls' mean rank correlations, beside the model's: shuffled outcomes must have taught nothing.

    Returns
    -------
    dict
        mean, standard_error (of the mean over the controls), highest, passed_zero (mean within two standard errors of
        0), passed_below (all below the model), values.
    """
    values = np.asarray(means, dtype=np.float64)
    if len(values) < 2:
        unknown: dict[str, Any] = dict.fromkeys(("mean", "standard_error", "highest"))
        return unknown | {"passed_zero": False, "passed_below": False, "values": values.tolist()}
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {
        "mean": float(values.mean()),
        "standard_error": error,
        "highest": float(values.max()),
        "passed_zero": bool(abs(values.mean()) <= 2 * error),
        "passed_below": bool(model is not None and values.max() < model),
        "values": values.tolist(),
    }


def report(
    entries: Sequence[tuple[Estimator, Samples]],
    span: Span,
    rule: Rule,
    store: PredictionStore,
    controls: int = 3,
    on_progress: Callable[[str], None] = lambda line: None,
    late: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Evaluate estimators, baselines and controls on the same sessions; ``late`` as of ``with_late_entry``.

    The first entry is the default estimator, which the controls repeat; its samples have the scale-free features, from
    which the baselines are made.

    Returns
    -------
    dict
        Plain JSON: first_test, last_test, sessions, data_hash, rows (name → kind, note, recipe, ``rows.figures_row``,
        and ``paired`` with the plain baseline), controls (``controls_row``), computed and reused entries.
    """
    default, data = entries[0]
    own = data.only(OWN_FEATURES)

    def row(past: pd.DataFrame) -> dict[str, Any]:
        return figures_row(with_late_entry(past, late), rule, data.sessions)

    plain = walk_forward_past(own, PLAIN, span, store)
    on_progress(f"{PLAIN.name} evaluated")
    rows: dict[str, dict[str, Any]] = {}
    for estimator, samples in entries:
        past = walk_forward_past(samples, estimator, span, store)
        facts = {"kind": "model", "note": estimator.note, "recipe": estimator.recipe}
        rows[estimator.name] = facts | row(past) | {"paired": paired(past, plain, rule)}
        on_progress(f"{estimator.name} evaluated")
    rows[PLAIN.name] = {"kind": "baseline", "note": PLAIN.note} | row(plain)
    for name, (feature, sign) in BASELINES.items():
        note = f"{feature}, {'higher' if sign > 0 else 'lower'} is better"
        rows[name] = {"kind": "baseline", "note": note} | row(baseline_past(data, name, span))
    means = []
    for seed in range(controls):
        control = walk_forward_past(data, default, span, store, shuffle=seed)
        means.append(float(figures.daily_ranks(control)["rank_ic"].mean()))
        on_progress(f"control {seed + 1} of {controls} evaluated")
    return {
        "first_test": data.sessions[span.first].date().isoformat(),
        "last_test": data.sessions[span.last].date().isoformat(),
        "sessions": span.last - span.first + 1,
        "data_hash": data.fingerprint,
        "rows": rows,
        "controls": controls_row(means, rows[default.name]["rank_ic"]["mean"]),
        "entries_computed": store.computed,
        "entries_reused": store.reused,
    }


def report_text(content: Mapping[str, Any]) -> str:
    """A result of ``report`` as text that fits on one screen."""
    halves = sorted({half for row in content["rows"].values() for half in row["segments"]["half_year"]})
    lines = [
        f"Walk-forward {content['first_test']} … {content['last_test']}, {content['sessions']} sessions. Net: percent a"
        " year over the equal-weight universe,",
        "after charges and impact, 50 shares kept until rank 150, with its 90 % interval; >10 cr: among shares of more"
        " than ₹10 crore a day.",
        f"{'':17}{'rank IC':>8}{'±95%':>7}{'net':>7}{'90 %':>16}{'>10 cr':>8}{'bought':>8}"
        + "".join(f"{half:>9}" for half in halves)
        + "  net against plain",
    ]
    for name, row in content["rows"].items():
        net, liquid, ic = row["net_excess_pct"], row["liquid_net_excess_pct"], row["rank_ic"]
        cells = f"{number(ic['mean']):>8}{number(ic['half_width_95']):>7}{number(net['mean'], 1):>7}"
        cells += f"{interval(net):>16}{number(liquid['mean'], 1):>8}{number(row['bought'], 2):>8}"
        cells += "".join(f"{_half(row, half):>9}" for half in halves)
        pair = row.get("paired", {}).get("net_excess_pct")
        lines.append(f"{name:17}{cells}" + (f"  {number(pair['mean'], 1)} {interval(pair)}" if pair else ""))
    control = content["controls"]
    if control["values"]:
        lines.append(
            f"{'shuffled':17}{number(control['mean']):>8}  {len(control['values'])} controls, highest"
            f" {number(control['highest'])}: mean within 2 standard errors of 0: {_yes_no(control['passed_zero'])};"
            f" all below the model: {_yes_no(control['passed_below'])}"
        )
    return "\n".join(lines)


def _half(row: Mapping[str, Any], half: str) -> str:
    part = row["segments"]["half_year"].get(half)
    return number(part["net_excess_pct"]["mean"] if part else None, 1)


def _yes_no(passed: bool) -> str:
    return "yes" if passed else "NO"
