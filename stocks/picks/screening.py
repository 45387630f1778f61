"""The strategies: which shares pass, how they are scored and ranked, and the reason each pick states; pure.

Order: tradable shares → thresholds (`config/stock_filters.yaml`) and the strategy's required inputs → score → rank →
the first fifty. The score of a share is a weighted mean of its parts, each 0-1; a part marked ``rank`` is the share's
percentile among all tradable shares of the day, so that a score does not depend on which others passed:

=========  =============================================================================================================
growth     .40 prediction + .25 rank(earnings growth) + .20 rank(revenue growth) + .15 rank(ROE)
value      .35 prediction + .30 rank(low P/E) + .20 rank(ROE) + .15 rank(low debt)
balanced   .45 prediction + .25 safety (1 − risk) + .15 confidence + .15 rank(low volatility)
momentum   .40 prediction + .25 rank(price over SMA 200) + .20 rank(price over SMA 50) + .15 rank(MACD histogram over
price)
model      the prediction alone
=========  =============================================================================================================

Growth and value require their own inputs: a share without one fails for that reason. Balanced and momentum skip what
is missing, both as a threshold and as a part of the score (whose weight the other parts share out), and the reason
lists it. The model's own list has none of the thresholds: what the others gain or lose by theirs is measured against
it. A share that is held stays until its place in the strategy's ranking falls below the keep band: less turnover for a
difference that is mostly noise.
"""

import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stocks.picks import filters as thresholds
from stocks.picks.filters import Filters, Threshold
from stocks.picks.public_state import KEEP_RANK as KEEP_RANK
from stocks.picks.public_state import MAX_PICKS as MAX_PICKS

DEFAULT_STRATEGY = "balanced"
MODEL_COLUMNS = ("ml_prediction_score", "ml_risk_score")
_ALWAYS_REQUIRED = ("current_price", *MODEL_COLUMNS)

Part = Callable[[pd.DataFrame], pd.Series]


def _column(name: str) -> Part:
    return lambda frame: frame[name].astype(float)


def _rank(name: str, *, low_is_good: bool = False) -> Part:
    return lambda frame: frame[name].astype(float).rank(pct=True, ascending=not low_is_good)


def _rank_over(above: str, below: str) -> Part:
    return lambda frame: (frame[above].astype(float) / frame[below].astype(float)).rank(pct=True)


@dataclass(frozen=True)
class StrategyRule:
    """How one strategy chooses; users read its `label`.

    The weights of its `parts` sum to 1; each function maps the day's tradable shares to 0-1. A share fails without a
    `required` column; others are skipped where missing. `thresholds` are the keys of `config/stock_filters.yaml` that
    apply: all of them, or none for a strategy that takes any tradable share.
    """

    label: str
    parts: Mapping[str, tuple[float, Part]]
    required: tuple[str, ...] = ()
    thresholds: Collection[str] = tuple(thresholds.DEFAULTS)


_PREDICTION = _column("ml_prediction_score")
STRATEGIES: dict[str, StrategyRule] = {
    "growth": StrategyRule(
        "companies whose sales and profits grow",
        {
            "prediction": (0.40, _PREDICTION),
            "earnings growth": (0.25, _rank("earnings_growth")),
            "revenue growth": (0.20, _rank("revenue_growth")),
            "return on equity": (0.15, _rank("roe")),
        },
        required=("earnings_growth", "revenue_growth", "roe"),
    ),
    "value": StrategyRule(
        "profitable companies at a low price with little debt",
        {
            "prediction": (0.35, _PREDICTION),
            "low P/E": (0.30, _rank("pe_ratio", low_is_good=True)),
            "return on equity": (0.20, _rank("roe")),
            "low debt": (0.15, _rank("debt_to_equity", low_is_good=True)),
        },
        required=("pe_ratio", "roe", "debt_to_equity"),
    ),
    "balanced": StrategyRule(
        "a good prediction at a low risk",
        {
            "prediction": (0.45, _PREDICTION),
            "safety": (0.25, lambda frame: 1 - frame["ml_risk_score"].astype(float)),
            "confidence": (0.15, _column("ml_confidence")),
            "low volatility": (0.15, _rank("historical_volatility_1y", low_is_good=True)),
        },
    ),
    "momentum": StrategyRule(
        "shares that have risen and still rise",
        {
            "prediction": (0.40, _PREDICTION),
            "price over SMA 200": (0.25, _rank_over("current_price", "sma_200")),
            "price over SMA 50": (0.20, _rank_over("current_price", "sma_50")),
            "MACD histogram over price": (0.15, _rank_over("macd_histogram", "current_price")),
        },
    ),
    "model": StrategyRule(
        "the best predictions among all tradable shares",
        {"prediction": (1.0, _PREDICTION)},
        thresholds=(),
    ),
}
_NAMES = {
    "current_price": "price",
    "market_cap": "market cap",
    "volume": "volume",
    "rsi_14": "RSI",
    "macd": "MACD",
    "pe_ratio": "P/E",
    "roe": "return on equity",
    "debt_to_equity": "debt to equity",
    "earnings_growth": "earnings growth",
    "revenue_growth": "revenue growth",
    "ml_prediction_score": "prediction",
    "ml_risk_score": "risk score",
}


class Screened(NamedTuple):
    """Which shares pass a strategy's thresholds, and what the others fail at; on the frame's index."""

    passes: "pd.Series[bool]"
    failures: pd.Series
    """Comma-separated thresholds that a share fails, empty where it passes."""
    skipped: pd.Series
    """Comma-separated figures that are missing and were skipped."""
    counts: dict[str, int]
    """Threshold, or ``no <figure>`` → how many shares fail it (a share may fail several)."""


class Placed(NamedTuple):
    """The shares that pass a strategy, in the order of their scores, whatever was held before.

    `shares` are the frame's columns and selection_score, skipped, place (1 …); best first, on the frame's index. Ties
    go to the higher prediction, then by symbol.
    """

    shares: pd.DataFrame
    parts: pd.DataFrame
    """Parts of the score of each share of the frame, columns named as in the rule."""
    rejected: dict[str, int]


class Ranking(NamedTuple):
    """A strategy's list, with the counts that explain its length."""

    picks: pd.DataFrame
    places: Mapping[str, int]
    """Symbol → its place, 1 …, among all shares that passed."""
    considered: int
    passed: int
    rejected: dict[str, int]

    @property
    def summary(self) -> str:
        """One sentence for a publication that is short or empty; empty text for a full list."""
        if len(self.picks) >= MAX_PICKS:
            return ""
        most = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))[:5]
        failures = "; ".join(f"{count} at {key}" for key, count in most)
        passed = f"{self.passed} of {self.considered} tradable shares passed"
        return f"{passed} (failed: {failures})." if failures else f"{passed}."


def load_filters(path: Path, overrides: Mapping[str, float | None]) -> Filters:
    """Read `config/stock_filters.yaml` for the strategies that exist; see `filters.load_filters`."""
    return thresholds.load_filters(path, overrides, {name: rule.thresholds for name, rule in STRATEGIES.items()})


def thresholds_of(strategy: str, filters: Filters) -> list[Threshold]:
    """The thresholds that apply to a strategy."""
    return [threshold for threshold in filters.of(strategy) if threshold.key in STRATEGIES[strategy].thresholds]


def rules_hash(strategy: str, filters: Filters) -> str:
    """Hash of what decides a strategy's order beside its inputs: thresholds, weights, required figures."""
    rule = STRATEGIES[strategy]
    limits = [(threshold.key, threshold.value) for threshold in thresholds_of(strategy, filters)]
    weights = [(name, weight) for name, (weight, _) in rule.parts.items()]
    return hashlib.sha256(repr((limits, weights, rule.required)).encode()).hexdigest()[:12]


def passing(frame: pd.DataFrame, filters: Filters, strategy: str, without: Collection[str] = frozenset()) -> Screened:
    """Screen shares by a strategy's thresholds and required inputs.

    Parameters
    ----------
    frame
        One row a tradable share: current_price, market_cap (₹ crore), volume, rsi_14, macd, pe_ratio, roe,
        debt_to_equity, ml_prediction_score, ml_risk_score, and what the strategy requires; NaN where unknown.
    without
        Columns that the frame lacks yet (``MODEL_COLUMNS`` before the model has predicted): neither their thresholds
        nor their absence count.
    """
    rule = STRATEGIES[strategy]
    required = [column for column in (*_ALWAYS_REQUIRED, *rule.required) if column not in without]
    failed = {f"no {figure_name(column)}": frame[column].isna() for column in required}
    skipped: dict[str, pd.Series] = {}
    for threshold in thresholds_of(strategy, filters):
        if threshold.column in without:
            continue
        value = frame[threshold.column].astype(float)
        beyond = value < threshold.value if threshold.is_minimum else value > threshold.value
        failed[f"{threshold.key} {threshold.value:g}"] = beyond
        if threshold.column not in required:
            skipped[figure_name(threshold.column)] = value.isna()
    failures = _marked_names(frame.index, failed)
    counts = {key: int(where.sum()) for key, where in failed.items() if where.any()}
    return Screened(failures == "", failures, _marked_names(frame.index, skipped), counts)


def failures(
    share: Mapping[str, Any], strategy: str, filters: Filters, without: Collection[str] = frozenset()
) -> list[str]:
    """What a share fails at, in words: a required figure that is not known, or one beyond a threshold.

    Columns in `without` are unknown to the caller, and nothing is said of them.
    """
    required = [column for column in (*_ALWAYS_REQUIRED, *STRATEGIES[strategy].required) if column not in without]
    words = [f"no {figure_name(column)}" for column in required if pd.isna(share[column])]
    for threshold in thresholds_of(strategy, filters):
        if threshold.column in without:
            continue
        # None is as unknown as NaN: a column without any figure holds it.
        value = float("nan") if pd.isna(share[threshold.column]) else float(share[threshold.column])
        if value < threshold.value if threshold.is_minimum else value > threshold.value:
            side = "below" if threshold.is_minimum else "above"
            # All digits where three decimals would not show that it fails.
            shown = round(value, 3) if round(value, 3) != threshold.value else value
            words.append(f"{figure_name(threshold.column)} {shown:.10g} is {side} {threshold.value:.10g}")
    return words


def scores(frame: pd.DataFrame, strategy: str) -> tuple[pd.Series, pd.DataFrame]:
    """Score of each share, 0-1, and its parts (columns named as in the rule, NaN where an input is missing)."""
    rule = STRATEGIES[strategy]
    parts = pd.DataFrame({name: part(frame) for name, (_, part) in rule.parts.items()}, index=frame.index)
    weights = pd.Series({name: weight for name, (weight, _) in rule.parts.items()})
    present = parts.notna().mul(weights, axis=1).sum(axis=1)
    return (parts.mul(weights, axis=1).sum(axis=1) / present.where(present > 0)).clip(0, 1), parts


def effective_weights(strategy: str, known_parts: Collection[str]) -> dict[str, float]:
    """Weights of the parts that are known: those of the others are shared out among them."""
    weights = {name: weight for name, (weight, _) in STRATEGIES[strategy].parts.items() if name in known_parts}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def contributions(strategy: str, score_parts: Mapping[str, float]) -> dict[str, float]:
    """What each known part adds to a pick's score; their sum is the score."""
    weights = effective_weights(strategy, score_parts)
    return {name: score_parts[name] * weight for name, weight in weights.items()}


def placed(frame: pd.DataFrame, strategy: str, filters: Filters) -> Placed:
    """Place the tradable shares of one session in a strategy's order: what it says of them before any is kept.

    Takes the frame of `ranked`, of which it needs the figures of the thresholds and of the score. Point in time: uses
    the frame alone.
    """
    screened = passing(frame, filters, strategy)
    score, parts = scores(frame, strategy)
    passed = frame.assign(selection_score=score, skipped=screened.skipped)[screened.passes]
    order = ["selection_score", "ml_prediction_score", "symbol"]
    passed = passed.sort_values(order, ascending=[False, False, True], kind="stable")
    passed["place"] = range(1, len(passed) + 1)
    return Placed(passed, parts, screened.counts)


def ranked(
    frame: pd.DataFrame,
    strategy: str,
    filters: Filters,
    held: Collection[str] = (),
    *,
    limit: int = MAX_PICKS,
    keep_rank: int = KEEP_RANK,
) -> Ranking:
    """Choose a strategy's picks among the tradable shares of one session.

    Parameters
    ----------
    frame
        One row a tradable share, all of one session: symbol, metrics, indicators, predictions as the picks keep them
        (predicted_return, the expected excess, in percent; predicted_drawdown in percent below the entry, 0 or more;
        ml_prediction_score, ml_confidence, ml_risk_score 0-1), and round_trip_cost_pct.
    held
        Symbols of the strategy's list before this one.
    keep_rank
        A held share stays while its place among the shares that pass is not below this one.

    Returns
    -------
    Ranking
        `picks`: the frame's columns and selection_score, rank (1 …), place (`placed`), score_parts (part → value, 0-1,
        without those whose input is missing), reason; best first, RangeIndex.

    Raises
    ------
    ValueError
        predicted_drawdown is negative somewhere: it is not in the unit above.

    Notes
    -----
    Point in time: uses the frame alone; `held` is of an earlier session.
    """
    if (frame["predicted_drawdown"] < 0).any():
        worst = frame["predicted_drawdown"].min()
        raise ValueError(f"predicted_drawdown must be percent below the entry, 0 or more; it is {worst:g}.")
    passed, parts, rejected = placed(frame, strategy, filters)
    # Held shares within the keep band stay on the list; the best others fill what is left.
    stays = passed["symbol"].isin(list(held)) & (passed["place"] <= max(keep_rank, limit))
    others = passed[~stays].head(max(limit - int(stays.sum()), 0))
    picks = pd.concat([passed[stays].head(limit), others]).sort_values("place")
    picks = picks.assign(rank=range(1, len(picks) + 1), was_held=picks["symbol"].isin(list(held)))
    rows = parts.loc[picks.index].to_dict("records")
    known_parts = [{str(name): value for name, value in row.items() if pd.notna(value)} for row in rows]
    picks["score_parts"] = pd.Series(known_parts, index=picks.index, dtype=object)
    picks["reason"] = _reasons(picks, strategy, len(passed), keep_rank)
    picks = picks.drop(columns=["skipped", "was_held"]).reset_index(drop=True)
    places = dict(zip(passed["symbol"], passed["place"].tolist(), strict=True))
    return Ranking(picks, places, len(frame), len(passed), rejected)


def _reasons(picks: pd.DataFrame, strategy: str, passed: int, keep_rank: int) -> list[str]:
    rule = STRATEGIES[strategy]
    texts = []
    for row in picks.to_dict("records"):
        values = [f"{name} {value:.2f}" for name, value in row["score_parts"].items()]
        missing = [name for name in rule.parts if name not in row["score_parts"]]
        text = f"{strategy.capitalize()} ({rule.label}): place {row['place']} of {passed} that passed, score "
        text += f"{row['selection_score']:.2f} from {', '.join(values)}."
        if pd.notna(row["predicted_return"]):
            text += f" {_excess_against_costs(row)}"
        if row.get("model_reason"):
            text += f" {row['model_reason']}"
        if row["was_held"]:
            beyond = f", stays until it falls below place {keep_rank}" if row["place"] > len(picks) else ""
            text += f" Kept from the list before{beyond}."
        skipped = list(dict.fromkeys([*filter(None, str(row["skipped"]).split(", ")), *missing]))
        if skipped:
            text += f" Not known and skipped: {', '.join(skipped)}."
        texts.append(text)
    return texts


def _excess_against_costs(row: Mapping[Hashable, Any]) -> str:
    excess_pct, cost_pct = row["predicted_return"], row["round_trip_cost_pct"]
    expected = f"Expected {excess_pct:+.2f}% against the average share in ten sessions"
    if pd.isna(cost_pct):
        return f"{expected}; what buying and selling it costs is not known."
    verdict = "more than" if excess_pct > cost_pct else "not more than"
    return f"{expected}, {verdict} buying and selling it costs ({cost_pct:.2f}%)."


def _marked_names(index: pd.Index, marks: Mapping[str, pd.Series]) -> pd.Series:
    """For each row the names whose mark is set, comma-separated."""
    text = pd.Series("", index=index, dtype=object)
    for name, where in marks.items():
        text = text.mask(where, text + name + ", ")
    return text.str.removesuffix(", ")


def figure_name(column: str) -> str:
    """A column's name as readers know it."""
    return _NAMES.get(column, column)
