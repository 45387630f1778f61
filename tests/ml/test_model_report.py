import json
from io import StringIO

import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ml import datasets, predictions
from ml.evaluation import figures
from ml.evaluation.report import with_market
from ml.evaluation.rows import figures_row
from ml.learning.training import fit_night
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
    late, _ = datasets.outcomes_between(DATES[0], DATES[-1], DATES[-1])
    rule = figures.cost_rule(pd.Timestamp(DATES[-1]))
    of_night = figures_row(with_market(night.past, late), rule, sessions(DAYS))
    assert {name: row[name] for name in of_night} == json.loads(json.dumps(of_night))
    assert row["rank_ic"]["low_95"] > 0.05
    assert row["expectations"]["sessions"] > 40
    assert row["exits"]["unsold"] == 0


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
