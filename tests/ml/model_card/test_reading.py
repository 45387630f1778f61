"""A stored report in the order in which it is shown."""

from collections.abc import Sequence

from ml.model_card import reading
from ml.model_card.figure import Part


def shuffled_keys(names):
    """Keys as the database gives them: shorter ones first, then by letters."""
    return sorted(names, key=lambda name: (len(name), name))


def test_orders_do_not_depend_on_the_order_of_keys():
    names = shuffled_keys(["2024-II", "2024-I", "2025-I"])
    money = {name: {"net_excess_pct": {"mean": number}} for number, name in enumerate(names)}
    periods = reading.half_years(Part({"segments": {"half_year": money}}), Part({}))
    assert [period.name for period in periods] == ["2024-I", "2024-II", "2025-I"]
    groups = {name: {"expected_pct": 1.0} for name in shuffled_keys([*reading.RANK_GROUPS, "1-50"])}
    row = Part({"expectations": {"excess": {"groups": groups}}})
    assert [group.name for group in reading.rank_groups(row)] == [
        *("1–10", "11–20", "21–50", "51–150", "151–300"),
        "rest",
    ]
    months = {"2025-01": 0.8, "2024-12": 0.7}
    part = Part({"expectations": {"interval": {"by_month": months}}})
    assert [month.name for month in reading.coverage_by_month(part)] == ["2024-12", "2025-01"]
    rows = {name: {"kept_until": 1} for name in ("50", "10", "20")}
    assert [row.places for row in reading.lengths(Part({"lengths": rows}))] == ["10", "20", "50"]


def test_experiments_come_models_first_and_then_by_what_they_earned():
    rows = {
        "momentum": {"kind": "baseline", "net_excess_pct": {"mean": 9.0}},
        "linear": {"kind": "model", "net_excess_pct": {"mean": 2.0}},
        "ensemble": {"kind": "model", "net_excess_pct": {"mean": 5.0}},
        "low_volatility": {"kind": "baseline", "net_excess_pct": {"mean": None}},
    }
    names = [row.name for row in reading.experiments(Part({"rows": rows}))]
    assert names == ["ensemble", "linear", "momentum", "low volatility"]


def test_ablations_begin_with_all_features_and_the_group_that_is_missed_most():
    rows = {
        "without day": {"paired": {"net_excess_pct": {"mean": 0.5}}},
        "without sector": {"paired": {"net_excess_pct": {"mean": -3.0}}},
        "all features": {"net_excess_pct": {"mean": 8.0}},
    }
    names = [row.name for row in reading.ablations(Part({"ablations": {"rows": rows}}))]
    assert names == ["all features", "without sector", "without day"]


def test_a_list_without_a_session_is_left_out():
    parts = Part({"growth": {"sessions": 0}, "model": {"sessions": 3, "first": "2024-05-02"}})
    [row] = reading.lists(parts, ["growth", "value", "model"])
    assert (row.name, row.first, row.is_model) == ("model", "2024-05-02", True)


def test_of_nothing_there_is_nothing():
    empty = Part({})
    readings: list[Sequence[object]] = [
        reading.half_years(empty, empty),
        reading.rank_groups(empty),
        reading.reliability(empty),
        reading.coverage_by_month(empty),
        reading.levels(empty),
        reading.lengths(empty),
        reading.experiments(empty),
        reading.ablations(empty),
        reading.curve(empty),
    ]
    assert not any(readings)
    assert all(headline.figure.mean.value is None for headline in reading.headlines(empty, empty))
