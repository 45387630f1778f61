import json

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import report as evaluation
from ml.evaluation.report import Entry, FoldStore, fold_layout, fold_starts, report, report_text, with_shuffled_outcomes
from ml.learning.walk_forward import TooLittleHistory
from tests.ml.markets import market_samples, sessions, tiny


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=40, days=420, signal=0.004)


@pytest.fixture(scope="module")
def layout(data):
    return fold_layout(data)


@pytest.fixture(scope="module")
def content(data, layout, tmp_path_factory):
    entry = Entry("lightgbm", tiny(rounds=0.05), note="few trees")
    return report(data, [(entry, data)], layout, FoldStore(tmp_path_factory.mktemp("folds")))


def test_testing_starts_with_the_month_after_a_year(data, layout):
    first = data.sessions[layout[0].test_first]
    assert data.sessions[251].month != first.month
    assert first == data.sessions[data.sessions >= "2024-01-01"][0]
    assert layout[1].test_first == data.sessions.searchsorted(pd.Timestamp("2024-04-01"))
    assert layout[-1].test_last == len(data.sessions) - 1 - 11


def test_folds_keep_purge_and_embargo(layout):
    for fold in layout:
        assert fold.test_first - fold.train_last == 17
        assert fold.train_first == evaluation.SESSIONS_BEFORE_LEARNING


def test_too_few_sessions_are_refused():
    with pytest.raises(TooLittleHistory, match="more than 252 sessions; there are 200"):
        fold_starts(sessions(200))
    with pytest.raises(TooLittleHistory, match="before the first tested 2030-01-01"):
        fold_starts(sessions(300), pd.Timestamp("2030-01-01"))


def test_the_model_finds_the_signal_and_the_controls_do_not(content):
    model = content["rows"]["lightgbm"]
    assert model["rank_ic"]["low_95"] > 0.1
    controls = content["controls"]
    assert len(controls["values"]) == 10
    assert controls["passed_zero"]
    assert controls["passed_below"]


def test_shuffled_controls_are_near_zero_without_a_signal():
    data = market_samples(shares=40, days=420)
    layout = fold_layout(data)[:1]
    controls = [Entry("shuffled", tiny(rounds=0.05), every=3, shuffle=seed, published=False) for seed in range(6)]
    means = [evaluation.entry_figures(data, entry, layout, FoldStore(None))["rank_ic"].mean() for entry in controls]
    assert abs(np.mean(means)) < 0.03


def test_the_report_has_baselines(content):
    assert set(content["rows"]) == {"lightgbm", "momentum", "low_volatility", "high_52w"}
    assert content["rows"]["momentum"]["note"] == "momentum_12_1, higher is better"
    assert content["rows"]["low_volatility"]["note"] == "volatility_60, lower is better"
    assert set(content["rows"]["momentum"]["by_year"]) == {"2024"}
    assert json.loads(json.dumps(content)) == content


def test_shuffling_stays_within_the_day(data):
    mixed = with_shuffled_outcomes(data, seed=1)
    assert mixed.values is data.values
    before, after = (
        part.keys.groupby(part.position)["forward_return"].apply(lambda day: sorted(day.dropna()))
        for part in (data, mixed)
    )
    assert before.tolist() == after.tolist()
    together = pd.Series(list(zip(data.keys["forward_return"], data.keys["drawdown"], strict=True)))
    assert set(zip(mixed.keys["forward_return"].dropna(), mixed.keys["drawdown"].dropna(), strict=False)) <= {
        pair for pair in together if not np.isnan(pair[0])
    }
    moved = (mixed.keys["forward_return"] != data.keys["forward_return"])[data.keys["forward_return"].notna()]
    assert moved.mean() > 0.9


def test_folds_are_computed_once(data, layout, tmp_path):
    store = FoldStore(tmp_path)
    entry = Entry("lightgbm", tiny(rounds=0.02))
    first = evaluation.entry_figures(data, entry, layout, store)
    again = evaluation.entry_figures(data, entry, layout, store)
    assert (store.computed, store.reused) == (len(layout), len(layout))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    other = data.where(data.keys["symbol"].ne("S007").to_numpy())
    evaluation.entry_figures(other, entry, layout, store)
    assert store.computed == 2 * len(layout)  # other data, other folds
    evaluation.entry_figures(data, Entry("lightgbm", tiny(rounds=0.02), every=2), layout, store)
    assert store.computed == 3 * len(layout)  # other parameters too


def test_a_new_session_costs_only_the_last_fold(data, tmp_path):
    store = FoldStore(tmp_path)
    entry = Entry("lightgbm", tiny(rounds=0.02))
    shorter = data.between(0, len(data.sessions) - 2)
    before = fold_layout(shorter.where(shorter.keys["forward_return"].notna().to_numpy()).between(0, 407))
    evaluation.entry_figures(data, entry, before, store)
    evaluation.entry_figures(data, entry, fold_layout(data), store)
    assert store.reused == len(before) - 1


def test_nothing_is_stored_without_a_folder(data, layout):
    store = FoldStore(None)
    evaluation.entry_figures(data, Entry("lightgbm", tiny(rounds=0.02)), layout[:1], store)
    evaluation.entry_figures(data, Entry("lightgbm", tiny(rounds=0.02)), layout[:1], store)
    assert (store.computed, store.reused) == (2, 0)


def test_the_report_fits_on_one_screen(content):
    lines = report_text(content).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 160
    assert lines[0].startswith("Walk-forward 2024-01-01")
    assert "momentum" in report_text(content)
    assert "10 controls" in lines[-1]


def test_the_summary_of_controls_by_hand():
    controls = evaluation.controls_row([0.01, -0.01, 0.03], model=0.02)
    assert controls["mean"] == pytest.approx(0.01)
    assert controls["standard_error"] == pytest.approx(0.02 / np.sqrt(3))
    assert controls["passed_zero"]
    assert not controls["passed_below"]
    assert not evaluation.controls_row([0.03, 0.031, 0.029], model=0.5)["passed_zero"]
