"""Thresholds: the contract's file, overrides, and one clear sentence for each mistake."""

from pathlib import Path

import pytest

from stocks.picks.filters import DEFAULTS, FiltersInvalid, load_filters

OURS = Path(__file__).parents[3] / "config" / "stock_filters.yaml"
NAMES = {name: tuple(DEFAULTS) for name in ("growth", "value", "balanced", "momentum")} | {"model": ()}


def load(tmp_path, text, overrides=None):
    path = tmp_path / "stock_filters.yaml"
    path.write_text(text, encoding="utf-8")
    return load_filters(path, overrides or {}, NAMES)


def values(filters, strategy="balanced"):
    return {threshold.key: threshold.value for threshold in filters.of(strategy)}


def test_the_shipped_file_has_the_contracts_keys_and_values():
    assert values(load_filters(OURS, {}, NAMES)) == {
        "min_price": 50.0,
        "max_price": 5000.0,
        "min_market_cap_crores": 500,
        "min_volume": 100000,
        "min_rsi": 30,
        "max_rsi": 70,
        "min_macd": -50,
        "max_macd": 50,
        "max_pe_ratio": 50,
        "min_roe": 10,
        "max_debt_to_equity": 2.0,
        "min_ml_prediction_score": 0.5,
        "max_ml_risk_score": 0.5,
    }


def test_an_empty_file_means_the_contracts_values(tmp_path):
    assert values(load(tmp_path, "")) == dict(DEFAULTS)


def test_strategies_override_the_file_and_the_environment_overrides_both(tmp_path):
    text = "min_price: 10\nstrategies:\n  value:\n    min_price: 30\n    max_pe_ratio: 20\n"
    filters = load(tmp_path, text)
    assert (values(filters)["min_price"], values(filters, "value")["min_price"]) == (10, 30)
    assert values(filters, "value")["max_pe_ratio"] == 20
    forced = load(tmp_path, text, {"min_price": 75.0, "min_volume": None})
    assert (values(forced)["min_price"], values(forced, "value")["min_price"]) == (75, 75)
    assert values(forced)["min_volume"] == 100000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_prise: 50", "the key 'min_prise' is unknown; known are min_price"),
        ("min_price: fifty", "min_price must be a number, not 'fifty'"),
        ("min_price: yes", "min_price must be a number, not True"),
        ("min_price: .nan", "min_price must be a number, not nan"),
        ("min_price: -5", "min_price is -5; it cannot be below 0"),
        ("strategies:\n  value:\n    max_pe_ratio: -1", "max_pe_ratio is -1; it cannot be below 0"),
        ("min_price: 6000", r"min_price \(6000\) is above max_price \(5000\)"),
        ("strategies:\n  value:\n    min_rsi: 80", r"strategies\.value: min_rsi \(80\) is above max_rsi \(70\)"),
        ("max_ml_risk_score: 5", "max_ml_risk_score must lie between 0 and 1, not 5"),
        ("strategies:\n  growht: {}", "there is no strategy 'growht'; choose from growth, value"),
        ("strategies: 5", "`strategies` must map a strategy to its thresholds, not 5"),
        ("strategies:\n  value: 5", "lines like `min_price: 50` are expected, not 5"),
        ("- min_price", "must hold lines like `min_price: 50`, not list"),
        ("min_price: [", "is not yaml"),
    ],
)
def test_each_mistake_is_named(tmp_path, text, message):
    with pytest.raises(FiltersInvalid, match=message):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FiltersInvalid, match=r"none\.yaml cannot be read"):
        load_filters(tmp_path / "none.yaml", {}, NAMES)


def test_an_override_that_is_not_a_number_is_named(tmp_path):
    with pytest.raises(FiltersInvalid, match="SCREENING_"):
        load(tmp_path, "", {"min_price": "cheap"})


def test_a_strategy_without_thresholds_takes_no_override(tmp_path):
    with pytest.raises(FiltersInvalid, match=r"strategies\.model: the strategy has no threshold 'min_roe'; remove"):
        load(tmp_path, "strategies:\n  model:\n    min_roe: 5\n")
