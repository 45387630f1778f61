import re

from ml.features.guide import feature_table
from ml.features.registry import FEATURES


def test_each_feature_stands_in_one_line_with_its_window():
    lines = feature_table().splitlines()
    windows: dict[str, int] = {}
    for line in lines[2:]:
        names, _, _, ages, _, _ = line.strip("| ").split(" | ")
        windows |= dict(zip(re.findall(r"`(\w+)`", names), map(int, ages.split(", ")), strict=True))
    assert windows == {name: feature.window_sessions for name, feature in FEATURES.items()}
    assert {line.count("|") for line in lines} == {7}


def test_neighbours_that_differ_in_window_and_rule_alone_share_a_line():
    [line] = [line for line in feature_table().splitlines() if "`volatility_20`" in line]
    assert line.startswith("| `volatility_20`, `volatility_60` | risk | log change a day | 20, 60 |")
    assert line.endswith("| fewer than 10 of 20 sessions known; fewer than 30 of 60 sessions known |")
