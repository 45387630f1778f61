"""Damaged files of every kind: each gives a valid frame that can be stored, or one error sentence."""

import gzip
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.fuzz import mutations
from tests.fuzz.counts import Counts
from tests.fuzz.readers import Reader, readers

NAMES = (
    *("daily_full", "daily_udiff", "daily_cm", "equities", "index_list", "actions", "announced", "renames", "capital"),
    *("ratios", "capital_names", "traded_names", "series_changes", "holidays"),
    *("statements_income_quarterly", "statements_balance_yearly", "statements_cashflow_yearly"),
    *("snapshot_csv", "snapshot_parquet", "market_days", "filters"),
    *("uploaded_historical_bars", "uploaded_fundamentals", "uploaded_financial_statements"),
    *("uploaded_index_members", "uploaded_market_days", "uploaded_trading_phases"),
)


def write_file(reader: Reader, folder: Path, content: bytes) -> None:
    path = folder / reader.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def packing(reader: Reader, content: bytes) -> st.SearchStrategy[bytes]:
    """The text in the packing of the reader's kind of file."""
    if reader.packing == "zip":
        return mutations.packed(Path(reader.path).stem, content)
    if reader.packing == "gz":
        return mutations.gzipped(content)
    if reader.packing == "parquet":
        return st.just(as_parquet(content))
    return st.just(content)


def as_parquet(content: bytes) -> bytes:
    """The damaged table as a valid parquet file; bytes that are no table stay unchanged."""
    try:
        frame = pd.read_csv(io.BytesIO(content))
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
    except Exception:
        return content
    return buffer.getvalue()


def read(reader: Reader, folder: Path) -> object | None:
    """Read and check the folder; None when it is rejected with a sentence."""
    try:
        frame: object = reader.read(folder)
    except reader.errors as error:
        check_sentence(error)
        return None
    reader.check(frame)
    return frame


def check_sentence(error: Exception) -> None:
    assert len(str(error)) > 20
    assert "\x00" not in str(error)


@pytest.fixture(params=NAMES)
def reader(request: pytest.FixtureRequest) -> Reader:
    return readers()[request.param]


def test_every_reader_is_fuzzed():
    assert set(NAMES) == set(readers())


def test_the_valid_file_is_accepted(reader, tmp_path):
    """Otherwise all damaged files would be rejected for one reason, and nothing would be tested."""
    packs: dict[str, Callable[[bytes], bytes]] = {
        "zip": partial(mutations.zipped, Path(reader.path).stem),
        "gz": gzip.compress,
        "parquet": as_parquet,
        "plain": bytes,
    }
    write_file(reader, tmp_path, packs[reader.packing](reader.valid))
    assert read(reader, tmp_path) is not None


@pytest.mark.timeout(3600)
def test_bytes_of_any_kind(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("any")

    @examples(0.1)
    @given(mutations.anything())
    def attempt(content: bytes) -> None:
        write_file(reader, folder, content)
        counts.add(reader.name, accepted=read(reader, folder) is not None)

    attempt()


@pytest.mark.timeout(3600)
def test_damaged_files(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("damaged")

    @examples(0.2)
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        content = data.draw(mutations.damaged(reader.valid))
        write_file(reader, folder, data.draw(packing(reader, content)))
        counts.add(reader.name, accepted=read(reader, folder) is not None)

    attempt()


@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_accepted_files_can_be_stored(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("stored")

    @examples(0.1)
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        content = data.draw(mutations.damaged(reader.valid))
        write_file(reader, folder, data.draw(packing(reader, content)))
        frame = read(reader, folder)
        counts.add(f"{reader.name}, stored", accepted=frame is not None)
        if frame is None:
            return
        with transaction.atomic():
            try:
                reader.store(frame)
            except reader.errors as error:
                check_sentence(error)
            transaction.set_rollback(True)

    attempt()
