"""A stored report about a champion, made by the report's own functions from made-up predictions."""

import json
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.expectations import expectations
from ml.evaluation.figures import cost_rule
from ml.evaluation.lists import lists
from ml.evaluation.records import record_evaluation, record_stored_report
from ml.evaluation.rows import figures_row
from ml.learning.calibration import DEFAULT_CHANCES
from ml.models import ChampionChange, Evaluation
from stocks.picks.screening import STRATEGIES
from tests.champions import RECIPE, crown, fitted
from tests.ml.markets import sessions

DAYS, SHARES = 90, 200
SESSION = date(2026, 4, 30)
SKILL = {"mean": 0.0612345678, "low_90": 0.0412345678, "high_90": 0.0812345678, "days": 250}


def past(seed: int = 5, signal: float = 0.02) -> pd.DataFrame:
    """Made-up calibrated predictions with their outcomes: a score that says something, as ``training.Night.past``."""
    random = np.random.default_rng(seed)
    score = random.normal(size=(DAYS, SHARES))
    returns = signal * score + random.normal(scale=0.05, size=(DAYS, SHARES))
    low = np.minimum(returns, 0) - np.abs(random.normal(scale=0.02, size=(DAYS, SHARES)))
    frame = pd.DataFrame(
        {
            "position": np.repeat(np.arange(DAYS), SHARES),
            "symbol": np.tile([f"S{number:03d}" for number in range(SHARES)], DAYS),
            "score": score.ravel(),
            "rank_score": (score + random.normal(scale=0.5, size=score.shape)).ravel(),
            "risk_raw": low.ravel(),
            "forward_return": returns.ravel(),
            "late_entry_return": (returns * 0.8).ravel(),
            "drawdown": low.ravel(),
            "run_up": (np.maximum(returns, 0) + 0.01).ravel(),
            "median_turnover_lakh": np.tile(np.geomspace(60, 9000, SHARES), DAYS),
            "sector": np.tile(["Banks", "Realty", "Energy", "Metals"], DAYS * SHARES // 4),
            "predicted_return": (signal * score).ravel(),
            "excess_low": (signal * score - 0.064).ravel(),
            "excess_high": (signal * score + 0.064).ravel(),
            "ml_probability": (0.5 + 0.05 * np.tanh(score)).ravel(),
            "predicted_drawdown": low.ravel() * 0.9,
            "high_level": 0.03,
            "low_level": -0.05,
            "atr_pct": np.tile(np.linspace(1, 5, SHARES), DAYS),
        }
    )
    days: pd.DataFrame = frame.assign(date=sessions(DAYS, "2024-05-02")[frame["position"]])
    return days


@cache
def _content() -> str:
    """The report as text, so that every caller has a copy."""
    calendar, rule = sessions(DAYS, "2024-05-02"), cost_rule(pd.Timestamp("2026-04-30"))
    model, plain = past(), past(seed=6, signal=0.005)
    rows = {
        "ensemble": {"kind": "model", "note": "both heads", "recipe": RECIPE, **figures_row(model, rule, calendar)}
        | {"expectations": expectations(model, rule, DEFAULT_CHANCES)},
        "plain boosted": {"kind": "baseline", "note": "a baseline", **figures_row(plain, rule, calendar)},
    }
    rows["ensemble"]["paired"] = {"net_excess_pct": {"mean": 7.7654321, "low_90": 1.1234567, "high_90": 14.4567891}}
    shares = model["symbol"].str[1:].astype(int)
    ranked = model.assign(place=model.groupby("position")["score"].rank(ascending=False))
    places = {name: ranked.loc[shares % (number + 2) > 0] for number, name in enumerate(STRATEGIES)}
    places["model"] = ranked
    ablation = {name: rows["plain boosted"][name] for name in ("rank_ic", "net_excess_pct", "liquid_net_excess_pct")}
    missed = {"net_excess_pct": {"mean": -2.3456789, "low_90": -6.5432109, "high_90": 1.9876543, "days": DAYS}}
    content = {
        "first_test": calendar[0].date().isoformat(),
        "last_test": calendar[-1].date().isoformat(),
        "sessions": DAYS,
        "data_hash": "0" * 64,
        "rows": rows,
        "lists": lists(model, places, rule),
        "controls": {
            "mean": 0.0012345,
            "standard_error": 0.002,
            "highest": 0.0043219,
            "net_excess_pct": -8.7654321,
            "passed_zero": True,
            "passed_below": True,
            "values": [0.001, -0.002, 0.0043219],
        },
        "ablations": {"rows": {"all features": ablation, "without sector": ablation | {"paired": missed}}},
    }
    return json.dumps(content)


def report() -> dict[str, Any]:
    """A report in the structure of the walk-forward's, with lists, controls and an ablation."""
    content: dict[str, Any] = json.loads(_content())
    return content


def store_champion() -> ChampionChange:
    """A champion with a fit that has a skill above noise, and no report."""
    fitted(
        SESSION,
        train_from=date(2023, 4, 3),
        train_until=date(2026, 4, 8),
        samples=962138,
        features=["return_5"] * 62,
        metrics={"skill_above_noise": SKILL},
        software={"lightgbm": "4.6.0"},
    )
    return crown(date(2026, 1, 2), reason="It was the first accepted model.")


def store_evaluation(content: dict[str, Any] | None = None) -> Evaluation:
    """The walk-forward report about the champion's recipe, without lists."""
    content = report() if content is None else content
    content.pop("lists", None)
    return record_evaluation(content, as_of=SESSION, estimator="ensemble", parameters={}, seconds=1.0)


def store_report(content: dict[str, Any] | None = None) -> Evaluation:
    """The report of the champion's stored predictions, with lists."""
    content = report() if content is None else content
    names = ("first_test", "last_test", "sessions", "lists")
    stored = {name: content[name] for name in names if name in content} | {"as_of": SESSION.isoformat()}
    return record_stored_report(stored | {"rows": {"ensemble": content["rows"]["ensemble"]}}, seconds=1.0)
