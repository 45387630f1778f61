import json
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ml import datasets, predictions
from ml.evaluation import figures, records
from ml.evaluation.in_sample import in_sample_r2
from ml.evaluation.report import with_market
from ml.evaluation.rows import figures_row
from ml.evaluation.stored_report import stored_report, subject
from ml.learning.training import fit_night
from ml.management.commands import fit_models
from ml.models import ChampionChange, Evaluation, PickPlace
from ml.scoreboard import steps
from stocks.picks.screening import STRATEGIES
from tests.ml.markets import nothing_stored, sessions, tiny
from tests.ml.stored_markets import store_market

DAYS = 260
DATES = [day.date() for day in sessions(DAYS)]
LINEAR = tiny("linear")

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def night(django_db_setup, django_db_blocker):
    """A made-up market in the tables, and the predictions of one night's fit; emptied when the module is done."""
    with django_db_blocker.unblock():
        store_market(DAYS, shares=30)
        data = datasets.training_samples(DATES[-1], LINEAR)
        fitted = fit_night(data, LINEAR, DATES[-1], nothing_stored())
        predictions.record_predictions(fitted.predictions, LINEAR.recipe, "run_2")
        yield fitted
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE stocks, market_days, predictions CASCADE")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr("ml.learning.estimators.ESTIMATORS", {"linear": LINEAR, "ensemble": tiny()})
    monkeypatch.setattr("ml.evaluation.stored_report.ESTIMATORS", {"linear": LINEAR})


def name_champion(chosen):
    facts = {"estimator": chosen.name, "recipe": chosen.recipe, "parameters": chosen.as_json()}
    ChampionChange.objects.create(session=DATES[-1], kind=ChampionChange.Kind.FIRST, reason="test", **facts)


def store_places(strategy, frame):
    PickPlace.objects.bulk_create(
        PickPlace(
            strategy=strategy,
            recipe=LINEAR.recipe,
            source=PickPlace.Source.WALK_FORWARD,
            session=row.date.date(),
            symbol=row.symbol,
            place=int(row.place),
            selection_score=0.5,
        )
        for row in frame.itertuples()
    )


def step_context(summary: dict[str, Any], *, is_replay: bool = False) -> Any:
    run = SimpleNamespace(is_replay=is_replay)
    return SimpleNamespace(session=DATES[-1], run=run, summarise=summary.update, log=lambda *_, **__: None)


def report_of(*arguments):
    output = StringIO()
    call_command("model_report", *arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


def test_the_stored_predictions_give_the_figures_of_the_night_that_made_them(night):
    content = json.loads(report_of("--estimator=linear", "--json"))
    assert content["first_test"] == DATES[DAYS // 2].isoformat()
    assert content["last_test"] == DATES[-12].isoformat()
    assert content["sessions"] == DAYS // 2 - 11
    row = content["rows"]["linear"]
    assert content["exits"]["unsold"] == 0
    late, _ = datasets.outcomes_between(DATES[0], DATES[-1], DATES[-1])
    rule = figures.cost_rule(pd.Timestamp(DATES[-1]))
    of_night = figures_row(with_market(night.past, late), rule, sessions(DAYS))
    assert {name: row[name] for name in of_night} == json.loads(json.dumps(of_night))
    assert row["rank_ic"]["low_95"] > 0.05
    assert row["expectations"]["sessions"] > 40


def test_a_report_of_all_predictions_is_stored_to_the_last_digit_and_once(night):
    content = json.loads(report_of("--estimator=linear", "--json"))
    report_of("--estimator=linear", f"--from={DATES[150]}")
    [row] = Evaluation.objects.all()
    assert (row.kind, row.recipe, row.as_of) == ("stored", LINEAR.recipe, DATES[-1])
    assert row.report == content
    report_of("--estimator=linear")
    newest = records.latest_stored_report(LINEAR.recipe)
    assert newest is not None
    assert newest.report == content
    assert records.latest_stored_report("000000000000") is None
    assert records.latest_evaluation("linear") is None  # that is the walk-forward's


def test_the_champion_is_reported_by_default(night):
    name_champion(LINEAR)
    assert json.loads(report_of("--json"))["rows"]["linear"]["recipe"] == LINEAR.recipe
    assert subject("ensemble").name == "ensemble"


def test_a_list_is_reported_by_its_places(night):
    """The list `model` has the best three of each session, `value` the worst two of the last forty."""
    past = night.past[["date", "symbol", "score"]]
    order = past.groupby("date")["score"].rank(ascending=False, method="first")
    store_places("model", past.assign(place=order).loc[order <= 3])
    worst = past.groupby("date")["score"].rank(method="first")
    late = past["date"] >= pd.Timestamp(DATES[-51])
    store_places("value", past.assign(place=worst).loc[(worst <= 2) & late])
    lists = json.loads(report_of("--estimator=linear", "--json"))["lists"]
    assert set(lists) == set(STRATEGIES)
    assert lists["model"]["sessions"] == DAYS // 2 - 11
    assert lists["model"]["shares"] == 3
    assert (lists["value"]["sessions"], lists["value"]["first"]) == (40, DATES[-51].isoformat())
    assert lists["value"]["paired"]["mean"] < 0 < lists["model"]["gross_excess_pct"]["mean"]
    assert (lists["growth"]["sessions"], lists["growth"]["paired"]["mean"]) == (0, None)


def test_the_evening_stores_the_champions_report_and_a_replay_does_not(night):
    name_champion(LINEAR)
    for is_replay in (True, False):
        assert not Evaluation.objects.exists()
        context = step_context({}, is_replay=is_replay)
        content = steps.report_champion(context)
        assert steps.record_report(context, content) == (0 if is_replay else 1)
    assert Evaluation.objects.get().report["rows"]["linear"]["recipe"] == LINEAR.recipe


def test_an_evening_without_predictions_says_so(db):
    summary: dict[str, Any] = {}
    context = step_context(summary)
    assert steps.record_report(context, steps.report_champion(context)) == 0
    assert "There are no predictions of recipe" in summary["model_report"]


def test_an_earlier_session_knows_its_own_outcomes_alone(night):
    content = stored_report(subject("linear"), as_of=DATES[220])
    assert (content["as_of"], content["last_test"]) == (DATES[220].isoformat(), DATES[209].isoformat())


def test_the_fit_explains_its_own_sessions_better_than_later_ones(night):
    data = datasets.training_samples(DATES[-1], LINEAR)
    inner = in_sample_r2(night.bundle, data)
    assert inner is not None
    assert 0 < inner < 0.5
    assert in_sample_r2(replace(night.bundle, calibration=None), data) is None
    metrics = fit_models._metrics(data, night, figures.cost_rule(pd.Timestamp(DATES[-1])))
    assert metrics["r2_in_sample"] == inner
    # Later sessions know less of it: the difference is the overfit.
    later = stored_report(subject("linear"))["rows"]["linear"]
    assert later["expectations"]["r2"]["mean"] < inner


def test_a_span_has_its_own_sessions_alone(night):
    first, last = DATES[150], DATES[200]
    content = json.loads(report_of("--estimator=linear", f"--from={first}", f"--to={last}", "--json"))
    assert (content["first_test"], content["last_test"], content["sessions"]) == (str(first), str(last), 51)
    ranks = figures.daily_ranks(night.past)["rank_ic"].loc[150:200]
    assert content["rows"]["linear"]["rank_ic"]["mean"] == pytest.approx(ranks.mean(), rel=1e-12)


def test_the_text_has_every_section(night):
    text = report_of("--estimator=linear")
    assert max(map(len, text.splitlines())) <= 130
    sections = "return head|capacity|2023-II|entry one session late|beta|interval of 80|exits due"
    assert all(words in text for words in sections.split("|"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--estimator=xgboost"], "There is no estimator 'xgboost'; choose one of: linear, ensemble"),
        (["--estimator=ensemble"], "There are no predictions of recipe [0-9a-f]{12}; train_models makes"),
        (["--from=2023-09-01", "--to=2023-08-31"], "--from 2023-09-01 is after --to 2023-08-31: exchange"),
        (["--to=2023-01-05"], "--to 2023-01-05 is before the first prediction, of 2023-07-03"),
        (["--from=2031-01-06"], "--from 2031-01-06 is after the last prediction, of 2023-12-29"),
        ([f"--from={DATES[-5]}"], "No outcome is known of the predictions from 2023-12-25 to 2023-12-29: the bars end"),
        (["--from=yesterday"], "'yesterday' is not a date; write it as YYYY-MM-DD"),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence_and_no_figure(night, arguments, sentence):
    output = StringIO()
    name = [] if any("--estimator" in text for text in arguments) else ["--estimator=linear"]
    with pytest.raises(CommandError, match=sentence):
        call_command("model_report", *name, *arguments, stdout=output, stderr=StringIO())
    assert output.getvalue() == ""


def test_without_bars_nothing_is_reported():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE historical_data CASCADE")
    with pytest.raises(CommandError, match="There are no bars"):
        report_of("--estimator=linear")
