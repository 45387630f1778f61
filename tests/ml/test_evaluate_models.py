import json
import os
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from io import StringIO

import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ml import datasets, predictions
from ml.evaluation import records as evaluation_records
from ml.evaluation.report import span_of_tests
from ml.features.registry import FEATURE_GROUPS
from ml.learning.calibration import CALIBRATED
from ml.learning.estimators import ESTIMATORS, Head
from ml.learning.walk_forward import walk_forward
from ml.management.commands import evaluate_models
from ml.models import ChampionChange, Evaluation
from stocks.models import Stock
from tests.ml.markets import sessions, tiny
from tests.ml.stored_markets import store_market

DAYS = 330
SESSION = sessions(DAYS)[-1].date()
LATE = sessions(DAYS)[-60].date()

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def committed_market(django_db_setup, django_db_blocker):
    """A made-up market in the tables, a fund among its shares; emptied when the module is done."""
    with django_db_blocker.unblock():
        store_market(DAYS)
        yield
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE stocks, market_days CASCADE")


@pytest.fixture
def stored_market(committed_market, db, settings, tmp_path, monkeypatch):
    """The market, an empty folder for predictions, and estimators with few trees."""
    settings.VAR_DIR = tmp_path
    few = {name: tiny(name, size=0.03) for name in ("ensemble", "linear", "random_forest")}
    monkeypatch.setattr("ml.learning.estimators.ESTIMATORS", few)
    monkeypatch.setattr(evaluate_models, "ESTIMATORS", few)


def run_evaluation(*arguments: str, until: date = SESSION) -> tuple[str, str]:
    output, errors = StringIO(), StringIO()
    call_command("evaluate_models", f"--date={until}", *arguments, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


@pytest.mark.usefixtures("stored_market")
def test_the_report_is_shown_stored_and_reused():
    output, errors = run_evaluation(f"--first-test={LATE}", "--controls=2")
    assert output.startswith(f"Walk-forward {LATE}")
    assert "control 2 of 2 evaluated" in errors
    row = Evaluation.objects.get()
    assert (row.as_of, row.estimator) == (SESSION, "ensemble")
    assert row.report["rows"]["ensemble"]["rank_ic"]["mean"] > 0.1
    assert row.parameters["ensemble"] == json.loads(json.dumps(tiny(size=0.03).as_json()))
    output, _ = run_evaluation(f"--first-test={LATE}", "--controls=2")
    assert "0 computed, 4 reused" in output
    assert Evaluation.objects.count() == 1


@pytest.mark.usefixtures("stored_market")
def test_json_is_one_object_with_every_estimator_and_nothing_else():
    output, errors = run_evaluation(
        f"--first-test={LATE}", "--estimator=linear", "--compare", "--controls=0", "--json", "--afresh"
    )
    content = json.loads(output)
    assert errors == ""
    assert content["as_of"] == SESSION.isoformat()
    estimators = {name for name, row in content["rows"].items() if row["kind"] == "model"}
    assert estimators == {"ensemble", "linear", "random_forest"}
    assert content["controls"]["values"] == []


@pytest.mark.usefixtures("stored_market")
def test_funds_are_left_out():
    symbols = set(datasets.training_samples(SESSION, tiny()).keys["symbol"])
    assert "S018" in symbols
    assert "S019" not in symbols


@pytest.mark.usefixtures("stored_market")
def test_bad_arguments_are_refused():
    with pytest.raises(CommandError, match="'xgboost'; choose one of:"):
        run_evaluation("--estimator=xgboost")
    with pytest.raises(CommandError, match="2024-12-02 is after the last session of the data"):
        run_evaluation("--first-test=2024-12-02")


@pytest.mark.parametrize(
    ("first", "until", "sentence"),
    [
        ("2019-01-01", SESSION, "--first-test 2019-01-01 lies before the data, which begin on 2023-01-02"),
        ("2024-12-02", SESSION, f"--first-test 2024-12-02 is after the last session of the data, {SESSION}"),
        ("2023-09-01", date(2023, 8, 31), "--first-test 2023-09-01 is after the last session of the data, 2023-08-31"),
        (str(SESSION), SESSION, f"No session from {SESSION} on has enough history before it and an outcome after it"),
        ("2023-09-01", date(2019, 1, 1), "--date 2019-01-01 lies before all data"),
        ("2023-09-01", date(2023, 1, 3), "is after the last session of the data"),
        ("2023-09-01", date(2999, 1, 1), "--date 2999-01-01 is not over yet: the latest completed session is"),
        ("soon", SESSION, "'soon' is not a date; write it as YYYY-MM-DD"),
    ],
)
@pytest.mark.usefixtures("stored_market")
def test_a_span_without_sessions_is_refused_in_a_sentence(first, until, sentence):
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run_evaluation("--estimator=linear", f"--first-test={first}", until=until)
    assert not Evaluation.objects.exists()


@pytest.mark.usefixtures("stored_market")
def test_a_market_without_bars_is_refused_in_a_sentence():
    Stock.objects.update(kind="fund")
    with pytest.raises(CommandError, match=f"No share has a bar from 1990-01-01 to {SESSION}: load the bars first"):
        run_evaluation("--estimator=linear")


@pytest.mark.usefixtures("stored_market")
def test_a_history_too_short_is_refused_in_a_sentence():
    with pytest.raises(CommandError, match="there are 40 sessions, and 116 must come before the first tested one"):
        run_evaluation("--estimator=linear", until=sessions(40)[-1].date())


@pytest.mark.parametrize("command", ["fit_models", "evaluate_models"])
@pytest.mark.usefixtures("stored_market")
def test_a_scheduler_where_nobody_answers_is_named_and_nothing_is_stored(command, settings, monkeypatch):
    monkeypatch.setattr("ml.learning.parallel.CONNECT_SECONDS", 0.2)
    settings.DASK_SCHEDULER_ADDRESS, settings.MODELS_DIR = "tcp://127.0.0.1:9", settings.VAR_DIR / "models"
    with pytest.raises(CommandError, match=r"No Dask scheduler answered at tcp://127\.0\.0\.1:9 within 0\.2 sec"):
        call_command(command, f"--date={SESSION}", stdout=StringIO(), stderr=StringIO())
    assert not settings.MODELS_DIR.exists()
    assert not Evaluation.objects.exists()


def store_report(as_of: date, mean: float) -> Evaluation:
    figures = {"rank_ic": {"mean": mean, "half_width_95": 0.02}, "by_year": {"2024": mean}}
    content = {
        "first_test": "2024-01-01",
        "last_test": "2024-03-01",
        "data_hash": "0" * 64,
        "rows": {
            "lightgbm": {"kind": "model", **figures},
            "momentum": {"kind": "baseline", "rank_ic": {"mean": 0.03}},
        },
        "controls": {"mean": 0.001, "standard_error": 0.002, "passed_zero": True, "passed_below": False},
    }
    return evaluation_records.record_evaluation(
        content, as_of=as_of, estimator="lightgbm", parameters={"every": 1}, seconds=1.0
    )


def test_the_same_report_is_stored_once():
    assert store_report(SESSION, 0.07).pk == store_report(SESSION, 0.08).pk
    assert Evaluation.objects.get().report["rows"]["lightgbm"]["rank_ic"]["mean"] == 0.08


def test_the_headline_is_that_of_the_newest_report_known():
    store_report(SESSION, 0.08)
    store_report(SESSION - timedelta(days=30), 0.05)
    assert evaluation_records.headline("lightgbm") == {
        "as_of": SESSION.isoformat(),
        "first_test": "2024-01-01",
        "last_test": "2024-03-01",
        "rank_ic": 0.08,
        "half_width_95": 0.02,
        "by_year": {"2024": 0.08},
        "net_excess_pct": None,
        "liquid_net_excess_pct": None,
        "baselines": {"momentum": 0.03},
        "controls": {"mean": 0.001, "standard_error": 0.002, "passed": False},
    }
    earlier = evaluation_records.headline("lightgbm", SESSION - timedelta(days=1))
    assert earlier is not None
    assert earlier["rank_ic"] == 0.05
    assert evaluation_records.headline("random_forest") is None


def test_the_contracts_forest_is_thinned_and_says_so():
    forest = evaluate_models._thinned(ESTIMATORS["random_forest"])
    [member] = forest.return_head.members
    assert (member.learner, member.size, member.every) == ("random forest", 0.1, 5)
    assert forest.note == "the contract's: a tenth of its trees, every fifth session"
    assert evaluate_models._thinned(ESTIMATORS["linear"]) is ESTIMATORS["linear"]


def test_refits_are_compared_over_a_span(stored_market):
    output, errors = StringIO(), StringIO()
    days = sessions(DAYS)
    span = (f"--from={days[200].date()}", f"--to={days[202].date()}")
    call_command("compare_refits", f"--date={SESSION}", "--estimator=linear", *span, stdout=output, stderr=errors)
    assert f"{days[200].date()} … {days[202].date()}, 3 sessions" in output.getvalue()
    assert "nightly less folds: rank IC" in output.getvalue()
    assert "3 of 3 sessions refitted" in errors.getvalue()


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        ("2023-06-01", "2023-05-01", "--from 2023-06-01 is after --to 2023-05-01"),
        ("2023-01-03", "2023-01-10", "No session from 2023-01-03 to 2023-01-10 can be tested; the first is 20"),
        ("2030-01-01", "2030-02-01", "No session from 2030-01-01 on has enough history"),
    ],
)
def test_a_span_that_cannot_be_compared_is_refused(stored_market, first, last, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("compare_refits", f"--date={SESSION}", "--estimator=linear", f"--from={first}", f"--to={last}")


@pytest.mark.usefixtures("stored_market")
@pytest.mark.long
def test_every_estimator_is_compared_on_the_same_folds_and_nothing_is_stored():
    output, errors = StringIO(), StringIO()
    arguments = (f"--date={SESSION}", "--estimator=linear", f"--first-test={LATE}")
    call_command("compare_models", *arguments, stdout=output, stderr=errors)
    text = output.getvalue()
    for name in ("ensemble", "linear", "random_forest", "plain boosted", "equal weight"):
        assert f"\n{name} " in text
    assert "s  random_forest evaluated" in errors.getvalue()
    assert not Evaluation.objects.exists()
    again = StringIO()
    call_command("compare_models", *arguments, stdout=again, stderr=StringIO())
    assert "0 computed, 4 reused" in again.getvalue()


@pytest.mark.usefixtures("stored_market")
def test_ablations_and_the_placebo_are_reported(monkeypatch):
    monkeypatch.setattr("ml.evaluation.ablations.FEATURE_GROUPS", {"delivery": FEATURE_GROUPS["delivery"]})
    arguments = ("--estimator=linear", "--controls=0", "--ablations", f"--first-test={LATE}")
    output, errors = run_evaluation(*arguments)
    assert "without delivery" in output
    assert "random sectors" in output
    assert "ablation: random sectors evaluated" in errors
    assert set(Evaluation.objects.get().report["ablations"]) == {"recipe", "note", "rows"}


@pytest.mark.usefixtures("stored_market")
def test_a_negative_number_of_controls_is_refused():
    with pytest.raises(CommandError, match="--controls -1 is not a number of controls"):
        run_evaluation("--controls=-1")


def test_folds_that_nobody_used_for_a_month_are_purged(tmp_path):
    now = datetime(2026, 5, 1)
    for name, days in (("old", 31), ("new", 29)):
        path = tmp_path / f"{name}.parquet"
        path.touch()
        moment = (now - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    assert evaluation_records.purge_folds(tmp_path, now) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]
    assert evaluation_records.purge_folds(tmp_path / "none", now) == 0


@pytest.mark.usefixtures("stored_market")
def test_the_champion_before_is_a_baseline_by_its_stored_predictions():
    """The estimator evaluated is the champion: the last model is the one that it replaced."""
    last, now = tiny("linear"), tiny("linear", size=0.03)
    last = replace(last, risk_head=Head(()))
    for number, chosen in enumerate((last, now)):
        facts = {"estimator": "linear", "recipe": chosen.recipe, "parameters": chosen.as_json(), "reason": "test"}
        ChampionChange.objects.create(session=SESSION - timedelta(days=1 - number), kind="promoted", **facts)
    data = datasets.training_samples(SESSION, last)
    span = span_of_tests(data, pd.Timestamp(LATE))
    past = walk_forward(data, last, span.first, span.last)
    figures_unknown = past.assign(**dict.fromkeys(CALIBRATED, None))
    predictions.record_predictions(figures_unknown, last.recipe, "run_3")
    run_evaluation("--estimator=linear", "--controls=0", f"--first-test={LATE}")
    rows = Evaluation.objects.get().report["rows"]
    # The same members of both heads: the same figures, whoever fitted them.
    assert rows["last model"]["rank_ic"] == rows["linear"]["rank_ic"]
    assert rows["last model"]["net_excess_pct"] == rows["linear"]["net_excess_pct"]
    assert rows["last model"]["segments"]["half_year"] == rows["linear"]["segments"]["half_year"]
