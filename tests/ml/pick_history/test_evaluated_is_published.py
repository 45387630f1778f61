"""What is evaluated is what is published: a fold's first night and the nightly fit of that session pick the same."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml import datasets
from ml.learning.prediction import predict
from ml.learning.training import fit_night
from ml.learning.walk_forward import SCORES, earliest_test, walk_forward
from ml.pick_history.days import past_days
from ml.pick_history.filling import configured_filters
from ml.predictions import record_predictions
from stocks.models import Publication
from stocks.picks import screening
from tests.market_data.quality.stored_market import stored_market
from tests.ml.markets import tiny
from tests.ml.pick_history import stored_evening
from tests.ml.pick_history.stored_evening import LENIENT, RECIPE

pytestmark = pytest.mark.django_db
SESSIONS, AT = 182, 177
DAYS = [stamp.date() for stamp in pd.bdate_range("2025-06-02", periods=SESSIONS)]
TONIGHT, LATER = DAYS[AT], DAYS[-1]


@pytest.mark.long
@pytest.mark.parametrize("name", ["linear", "ensemble"])
def test_a_folds_first_night_and_the_nightly_fit_pick_the_same(settings: Any, name: str) -> None:
    """The fold is walked some sessions later, when there are more outcomes to look at; the night knew none of them."""
    settings.SCREENING_OVERRIDES = LENIENT
    stored_market(DAYS)
    stored_evening.company_figures(TONIGHT)
    stored_evening.model(TONIGHT)
    estimator = tiny(name)
    tonight, later = (datasets.training_samples(day, estimator) for day in (TONIGHT, LATER))
    earlier = walk_forward(tonight, estimator, earliest_test(AT), AT - 1)[["symbol", "date", *SCORES]]

    night = fit_night(tonight, estimator, TONIGHT, earlier)
    assert night.bundle.calibration is not None
    fold = fit_night(later, estimator, LATER, earlier).predictions
    assert fold["date"].nunique() == SESSIONS - AT
    evaluated = fold.loc[fold["date"] == pd.Timestamp(TONIGHT)]
    record_predictions(evaluated, RECIPE, "training_of_the_test")

    stored_evening.publish(TONIGHT, predict(night.bundle, datasets.session_samples(TONIGHT, estimator)))
    [day] = past_days([TONIGHT], RECIPE, configured_filters())
    for strategy in screening.STRATEGIES:
        picks = Publication.objects.get(strategy=strategy).picks
        places = day.lists[strategy].places.head(50)
        assert len(picks) >= 3, strategy
        assert [(pick["symbol"], pick["place"]) for pick in picks] == list(
            zip(places["symbol"], places["place"], strict=True)
        )
        np.testing.assert_allclose([pick["selection_score"] for pick in picks], places["selection_score"], rtol=1e-12)
