"""Stored backtests outlive the clean-up, and belong to no run that could be rolled back."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model

from market_data.runs.saga import purges, sagas
from portfolio.models import Backtest
from tests.backtests import content_json, store_completed

pytestmark = pytest.mark.django_db


def test_no_purge_removes_a_backtest() -> None:
    backtest = store_completed(get_user_model().objects.create_user("asha"))
    for purge in purges().values():
        purge(date(2060, 1, 1))
    assert Backtest.objects.get(pk=backtest.pk).content == content_json()


def test_no_job_writes_backtests() -> None:
    written = {table for saga in sagas().values() for table in (*saga.tables, *(undo.table for undo in saga.undo))}
    assert "pick_history" in written
    assert "backtests" not in written
