"""The walk-forward report: how the models performed on sessions they had not seen, beside free baselines.

Models are refitted each quarter on everything known before (``walk_forward``); baselines are single features; the
controls are the default estimator trained on outcomes that were shuffled within each day. A control with a significant
result would prove that the procedure leaks. Daily figures of each fold are stored under the hash of the fold's data
and parameters, so that the next report computes only what is new.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.statistics import daily_figures, newey_west, summary
from ml.learning.estimators import ESTIMATORS, Estimator
from ml.learning.samples import Samples
from ml.learning.walk_forward import Fold, TooLittleHistory, folds, predict_fold
from stocks.storage.durable_files import replace_file

# Increase when the procedure changes in a way that the parameters do not show: it invalidates the stored folds.
PROCEDURE = 1

# Without a year of history a share has no 52-week high and no momentum; testing starts with the month after one.
SESSIONS_BEFORE_TESTING = 252
# The very first sessions have hardly any features.
SESSIONS_BEFORE_LEARNING = 40
MONTHS_A_FOLD = 3
CONTROLS = 10

# Name → (feature, sign that makes higher better). Sources: see ml/features/registry.py.
BASELINES: Mapping[str, tuple[str, float]] = {
    "momentum": ("momentum_12_1", 1.0),
    "low_volatility": ("volatility_60", -1.0),
    "high_52w": ("high_52w", 1.0),
}


@dataclass(frozen=True)
class Entry:
    """One estimator of the report.

    ``every`` trains on every n-th session only: outcomes of neighbouring sessions share most of their days, so little
    information is lost and much time saved. ``shuffle`` is the seed of a control trained on outcomes shuffled within
    each day, None for a real model. ``published`` fits the published ensembles rather than the smaller ones of
    calibration folds; ``risk`` evaluates the risk model too.
    """

    name: str
    estimator: Estimator
    every: int = 1
    shuffle: int | None = None
    published: bool = True
    risk: bool = True
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything that determines a fold's figures; part of the key under which they are stored."""
        estimator = self.estimator
        return {
            "procedure": PROCEDURE,
            "estimator": estimator.name,
            "parameters": dict(estimator.parameters),
            "members": [asdict(member) for member in (*estimator.price_members, *estimator.risk_members)],
            "fold_members": [asdict(member) for member in estimator.fold_members],
            "size": 1.0 if self.published else estimator.fold_size,
            "every": self.every,
            "shuffle": self.shuffle,
            "published": self.published,
            "risk": self.risk,
        }


# With all of its trees the contract's forest would take most of an hour.
FOREST_ENTRY = Entry(
    "random_forest",
    ESTIMATORS["random_forest"],
    every=5,
    published=False,
    risk=False,
    note="the contract's: 10 of its 100 trees, every 5th session",
)


@dataclass
class FoldStore:
    """Stored daily figures of folds, one small file each; without a directory nothing is stored."""

    directory: Path | None
    computed: int = 0
    reused: int = 0
    _counting: Lock = field(default_factory=Lock, repr=False)

    def figures(self, key: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        path = None if self.directory is None else self.directory / f"{key}.parquet"
        is_stored = path is not None and path.is_file()
        with self._counting:
            self.reused += is_stored
            self.computed += not is_stored
        if path is not None and is_stored:
            return pd.read_parquet(path)
        daily = compute()
        if path is not None:
            with replace_file(path) as temporary:
                daily.to_parquet(temporary)
        return daily


def fold_starts(sessions: pd.DatetimeIndex, first_test: pd.Timestamp | None = None) -> list[int]:
    """Positions of the folds' first tested sessions: quarterly from the first tested day.

    By default that is the start of the first month after ``SESSIONS_BEFORE_TESTING`` sessions.

    Raises
    ------
    TooLittleHistory
        The sessions end before that.
    """
    if first_test is None:
        if len(sessions) <= SESSIONS_BEFORE_TESTING:
            raise TooLittleHistory(
                f"A walk-forward report needs more than {SESSIONS_BEFORE_TESTING} sessions; there are {len(sessions)}."
            )
        first_test = (sessions[SESSIONS_BEFORE_TESTING - 1] + pd.offsets.MonthBegin(1)).normalize()
    months = pd.date_range(first_test, sessions[-1], freq=pd.DateOffset(months=MONTHS_A_FOLD))
    starts = sorted({int(sessions.searchsorted(month)) for month in months})
    if not starts:
        raise TooLittleHistory(
            f"The sessions end on {sessions[-1].date()}, before the first tested {first_test.date()}."
        )
    return starts


def with_shuffled_outcomes(data: Samples, seed: int) -> Samples:
    """Permute the outcomes of samples, sorted by day, within each day, so that no feature can predict them."""
    generator = np.random.default_rng(seed)
    # Sorting by (day, random number) permutes the rows within each day.
    order = np.lexsort((generator.random(len(data)), data.position))
    keys = data.keys.copy()
    for name in ("forward_return", "drawdown"):
        keys[name] = data.keys[name].to_numpy()[order]
    return Samples(keys, data.position, data.values, data.features, data.sessions)


def entry_figures(data: Samples, entry: Entry, layout: Sequence[Fold], store: FoldStore) -> pd.DataFrame:
    """``daily_figures`` of one estimator over the tested sessions of all folds, ascending."""
    parts = []
    for fold in layout:
        past = data.between(fold.train_first, fold.train_last)
        past = past if entry.every == 1 else past.where(past.position % entry.every == 0)
        tested = data.between(fold.test_first, fold.test_last)
        parameters = json.dumps(entry.as_json() | asdict(fold), sort_keys=True)
        key = hashlib.sha256(f"{parameters}{past.fingerprint}{tested.fingerprint}".encode()).hexdigest()
        parts.append(store.figures(key, partial(_fold_figures, past, tested, entry)))
    return pd.concat(parts).sort_index()


def _fold_figures(past: Samples, tested: Samples, entry: Entry) -> pd.DataFrame:
    past = past if entry.shuffle is None else with_shuffled_outcomes(past, entry.shuffle)
    return daily_figures(predict_fold(past, tested, entry.estimator, published=entry.published, risk=entry.risk))


def baseline_figures(data: Samples, name: str, layout: Sequence[Fold]) -> pd.DataFrame:
    """Daily figures of a single feature used as the score, over the tested sessions of all folds."""
    feature, sign = BASELINES[name]
    tested = data.between(layout[0].test_first, layout[-1].test_last)
    score = sign * tested.values[:, tested.features.index(feature)].astype(np.float64)
    return daily_figures(tested.keys.assign(position=tested.position, score=score, predicted_drawdown=np.nan))


def report_row(daily: pd.DataFrame, sessions: pd.DatetimeIndex) -> dict[str, Any]:
    """One row of the report: figures over all days, and the mean rank correlation of each calendar year."""
    years = sessions[daily.index.to_numpy(dtype=np.int64)].year
    by_year = daily["rank_ic"].groupby(years).mean()
    return summary(daily) | {"by_year": {str(year): float(mean) for year, mean in by_year.items()}}


def controls_row(means: Sequence[float], model: float | None) -> dict[str, Any]:
    """Summary of the controls' mean rank correlations, beside the model's: shuffled outcomes must have taught nothing.

    Returns
    -------
    dict
        mean, standard_error (of the mean over the controls), highest, passed_zero (mean within two standard errors of
        0), passed_below (all below the model), values.
    """
    values = np.asarray(means, dtype=np.float64)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {
        "mean": float(values.mean()),
        "standard_error": error,
        "highest": float(values.max()),
        "passed_zero": bool(abs(values.mean()) <= 2 * error),
        "passed_below": bool(model is not None and values.max() < model),
        "values": values.tolist(),
    }


def _control_means(data: Samples, default: Estimator, layout: Sequence[Fold], store: FoldStore) -> list[float]:
    """Mean rank correlation of each control; each has a single model per fold, so controls are fitted in parallel."""

    def mean(seed: int) -> float:
        control = Entry(f"shuffled {seed}", default, every=5, shuffle=seed, published=False, risk=False)
        daily = entry_figures(data, control, layout, store)
        return newey_west(daily["rank_ic"].to_numpy(dtype=np.float64)).value

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(mean, range(CONTROLS)))


def fold_layout(data: Samples, first_test: pd.Timestamp | None = None) -> list[Fold]:
    """Folds of the report: quarterly, with an expanding window, up to the last session that has an outcome.

    Raises
    ------
    TooLittleHistory
        No fold has enough sessions before it.
    """
    with_outcome = data.position[data.keys["forward_return"].notna().to_numpy()]
    starts = fold_starts(data.sessions, first_test)
    last = int(with_outcome[-1]) if len(with_outcome) else -1
    result = folds([start for start in starts if start <= last], last, history_first=SESSIONS_BEFORE_LEARNING)
    if not result:
        raise TooLittleHistory("No quarter has enough sessions with outcomes before it to learn from.")
    return result


def report(
    data: Samples,
    entries: Sequence[tuple[Entry, Samples]],
    layout: Sequence[Fold],
    store: FoldStore,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Evaluate models, baselines and controls.

    Baselines use ``data``, samples of the scale-free features. Each model comes with the samples of its own features;
    the first is the default one, which the controls repeat.

    Returns
    -------
    dict
        Plain JSON: first_test, last_test, sessions, folds, data_hash, rows (name → kind, note and ``report_row``),
        controls (``controls_row``), computed and reused folds.
    """
    rows: dict[str, dict[str, Any]] = {}
    for entry, samples in entries:
        figures = entry_figures(samples, entry, layout, store)
        rows[entry.name] = {"kind": "model", "note": entry.note, **report_row(figures, data.sessions)}
        on_progress(f"{entry.name} evaluated")
    for name, (feature, sign) in BASELINES.items():
        note = f"{feature}, {'higher' if sign > 0 else 'lower'} is better"
        figures = baseline_figures(data, name, layout)
        rows[name] = {"kind": "baseline", "note": note, **report_row(figures, data.sessions)}
    default, default_samples = entries[0]
    means = _control_means(default_samples, default.estimator, layout, store)
    on_progress(f"{CONTROLS} controls evaluated")
    return {
        "first_test": data.sessions[layout[0].test_first].date().isoformat(),
        "last_test": data.sessions[layout[-1].test_last].date().isoformat(),
        "sessions": layout[-1].test_last - layout[0].test_first + 1,
        "folds": [asdict(fold) for fold in layout],
        "data_hash": data.fingerprint,
        "rows": rows,
        "controls": controls_row(means, rows[default.name]["rank_ic"]["mean"]),
        "folds_computed": store.computed,
        "folds_reused": store.reused,
    }


def report_text(content: Mapping[str, Any]) -> str:
    """A result of ``report`` as text that fits on one screen."""
    years = sorted({year for entry in content["rows"].values() for year in entry["by_year"]})
    head = f"{'rank IC':16}{'mean':>8}{'±95%':>8}" + "".join(f"{year:>8}" for year in years)
    lines = [
        f"Walk-forward {content['first_test']} … {content['last_test']}: {content['sessions']} sessions, "
        f"{len(content['folds'])} quarterly fits, expanding window",
        f"{head}{'spread':>9}{'hits':>7}  note",
    ]
    for name, entry in content["rows"].items():
        cells = [_number(entry["rank_ic"]["mean"]), _number(entry["rank_ic"]["half_width_95"])]
        cells += [_number(entry["by_year"].get(year)) for year in years]
        spread, hits = entry["decile_spread"]["mean"], entry["hit_rate"]["mean"]
        figures = "".join(f"{cell:>8}" for cell in cells)
        lines.append(f"{name:16}{figures}{_number(spread, 4):>9}{_number(hits):>7}  {entry['note']}")
    control = content["controls"]
    lines.append(
        f"{'shuffled':16}{_number(control['mean']):>8}{_number(2 * control['standard_error']):>8}  "
        f"{len(control['values'])} controls, highest {control['highest']:.3f}: mean within 2 standard errors of 0: "
        f"{_yes_no(control['passed_zero'])}; all below the model: {_yes_no(control['passed_below'])}"
    )
    return "\n".join(lines)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _yes_no(passed: bool) -> str:
    return "yes" if passed else "NO"
