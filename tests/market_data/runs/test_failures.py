"""The runbook entry of an error: what it names itself, what caused it, a full disk, a lost database."""

import errno

import psycopg
import pytest
from django.db import OperationalError

from market_data.providers import SessionNotAvailable, SourceUnreadable, TransientProviderError
from market_data.runs.failures import runbook_entry
from market_data.runs.saga import StepFailed
from market_data.trading_calendar import CalendarExhausted
from stocks.picks.filters import FiltersInvalid


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (SessionNotAvailable("nse_archive has no bars for 2026-04-30."), "file-missing"),
        (SourceUnreadable("a.csv has a header and no rows."), "file-refused"),
        (TransientProviderError("The exchange answered 503."), "source-silent"),
        (CalendarExhausted("No session after 2026-12-31 is known."), "calendar-ends"),
        (FiltersInvalid("min_price must be a number."), "filters-invalid"),
        (StepFailed("The fit exited with code 1.", runbook="training-failed"), "training-failed"),
        (StepFailed("The moon is full."), ""),
        (KeyError("adj_close"), ""),
        (KeyboardInterrupt(), "worker-died"),
        (OperationalError("server closed the connection unexpectedly"), "database-lost"),
        (psycopg.errors.DiskFull("could not extend file"), "disk-full"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EACCES, "Permission denied"), ""),
    ],
    ids=repr,
)
def test_an_error_names_its_entry(error, key):
    assert runbook_entry(error) == key


def test_a_translated_error_keeps_the_entry_of_its_cause():
    assert runbook_entry(caused(StepFailed("No bars."), SessionNotAvailable("No bars."))) == "file-missing"
    assert runbook_entry(caused(OperationalError("full"), psycopg.errors.DiskFull("full"))) == "disk-full"


def test_a_full_disk_goes_before_what_it_broke():
    assert runbook_entry(caused(SourceUnreadable("cut off"), OSError(errno.ENOSPC, "full"))) == "disk-full"
