"""Thresholds of the picks: reads and checks `config/stock_filters.yaml`; pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# The contract's keys and values; they stand in for keys that the file lacks.
DEFAULTS: Mapping[str, float] = {
    "min_price": 50.0,
    "max_price": 5000.0,
    "min_market_cap_crores": 500.0,
    "min_volume": 100000.0,
    "min_rsi": 30.0,
    "max_rsi": 70.0,
    "min_macd": -50.0,
    "max_macd": 50.0,
    "max_pe_ratio": 50.0,
    "min_roe": 10.0,
    "max_debt_to_equity": 2.0,
    "min_ml_prediction_score": 0.5,
    "max_ml_risk_score": 0.5,
}
# Key without its min_ or max_ → the column it limits.
COLUMNS: Mapping[str, str] = {
    "price": "current_price",
    "market_cap_crores": "market_cap",
    "volume": "volume",
    "rsi": "rsi_14",
    "macd": "macd",
    "pe_ratio": "pe_ratio",
    "roe": "roe",
    "debt_to_equity": "debt_to_equity",
    "ml_prediction_score": "ml_prediction_score",
    "ml_risk_score": "ml_risk_score",
}
_NOT_NEGATIVE = (
    *("min_price", "max_price", "min_market_cap_crores", "min_volume", "min_rsi", "max_rsi"),
    *("max_pe_ratio", "max_debt_to_equity"),
)
_BETWEEN_0_AND_1 = ("min_ml_prediction_score", "max_ml_risk_score")


class FiltersInvalid(ValueError):
    """Unusable thresholds; the sentence names the key, its value, and the remedy."""

    runbook = "filters-invalid"


class Threshold(NamedTuple):
    """One limit on one column."""

    key: str
    column: str
    is_minimum: bool
    value: float


@dataclass(frozen=True)
class Filters:
    """Thresholds of all strategies, and what single strategies override."""

    general: Mapping[str, float]
    by_strategy: Mapping[str, Mapping[str, float]]

    def of(self, strategy: str) -> list[Threshold]:
        """Thresholds of a strategy, in the order of ``DEFAULTS``."""
        values = {**self.general, **self.by_strategy.get(strategy, {})}
        return [Threshold(key, COLUMNS[key[4:]], key.startswith("min_"), values[key]) for key in DEFAULTS]


def load_filters(
    path: Path, overrides: Mapping[str, float | None], strategies: Mapping[str, Collection[str]]
) -> Filters:
    """Read and check the thresholds.

    Parameters
    ----------
    path
        The yaml file: the contract's keys at the top level, overrides per strategy under ``strategies``.
    overrides
        Values of the environment (SCREENING_*), which apply to every strategy that has the threshold; None where not
        set.
    strategies
        The strategies that exist, each with the keys of its thresholds.

    Raises
    ------
    FiltersInvalid
        The file is missing or not yaml, a key is unknown, a strategy has no such threshold, a value is not a number,
        or a minimum exceeds its maximum.
    """
    content = _content(path)
    by_name = content.pop("strategies", None) or {}
    if not isinstance(by_name, dict):
        raise FiltersInvalid(f"{path.name}: `strategies` must map a strategy to its thresholds, not {by_name!r}.")
    for name in by_name:
        if name not in strategies:
            raise FiltersInvalid(f"{path.name}: there is no strategy {name!r}; choose from {', '.join(strategies)}.")
    forced = {key: value for key, value in overrides.items() if value is not None}
    general = {**DEFAULTS, **_checked(content, path.name), **_checked(forced, "SCREENING_*")}
    by_strategy = {
        name: {**_checked(values or {}, f"{path.name}, strategies.{name}"), **forced}
        for name, values in by_name.items()
    }
    for name, values in by_name.items():
        _check_applies(values or {}, strategies[name], f"{path.name}, strategies.{name}")
    filters = Filters(general, by_strategy)
    for name in ("", *by_strategy):
        _check_order(filters, name, path.name)
    return filters


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FiltersInvalid(
            f"The thresholds {path} cannot be read ({error.strerror}). Restore the file, or set STOCK_FILTERS_FILE."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FiltersInvalid(f"{path.name} is not yaml: {error}. Correct it.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise FiltersInvalid(f"{path.name} must hold lines like `min_price: 50`, not {type(content).__name__}.")
    return dict(content)


def _checked(values: Any, where: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise FiltersInvalid(f"{where}: lines like `min_price: 50` are expected, not {values!r}.")
    for key, value in values.items():
        if key not in DEFAULTS:
            raise FiltersInvalid(f"{where}: the key {key!r} is unknown; known are {', '.join(DEFAULTS)}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise FiltersInvalid(f"{where}: {key} must be a number, not {value!r}.")
        if key in _NOT_NEGATIVE and value < 0:
            raise FiltersInvalid(f"{where}: {key} is {value!r}; it cannot be below 0. Write 0 or more.")
        if key in _BETWEEN_0_AND_1 and not 0 <= value <= 1:
            raise FiltersInvalid(f"{where}: {key} must lie between 0 and 1, not {value!r}.")
    return {key: float(value) for key, value in values.items()}


def _check_applies(values: Mapping[str, Any], applicable: Collection[str], where: str) -> None:
    for key in values:
        if key not in applicable:
            raise FiltersInvalid(f"{where}: the strategy has no threshold {key!r}; remove the line.")


def _check_order(filters: Filters, strategy: str, where: str) -> None:
    values = {**filters.general, **filters.by_strategy.get(strategy, {})}
    for key, low in values.items():
        partner = f"max_{key[4:]}"
        if key.startswith("min_") and partner in values and low > values[partner]:
            of = f", strategies.{strategy}" if strategy else ""
            raise FiltersInvalid(f"{where}{of}: {key} ({low:g}) is above {partner} ({values[partner]:g}).")
