"""Damaged files of every kind: a frame that holds what it promises, or a sentence; and what was taken can be stored."""

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
    *("uploaded_index_members", "uploaded_market_days"),
)


def put(reader: Reader, folder: Path, content: bytes) -> None:
    path = folder / reader.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def packing(reader: Reader, content: bytes) -> st.SearchStrategy[bytes]:
    """Pack a text as the reader's kind of file is packed."""
    if reader.packing == "zip":
        return mutations.packed(Path(reader.path).stem, content)
    if reader.packing == "gz":
        return mutations.gzipped(content)
    if reader.packing == "parquet":
        return st.just(as_parquet(content))
    return st.just(content)


def as_parquet(content: bytes) -> bytes:
    """Turn the damaged table into a whole parquet file; what is no table stays what it is."""
    try:
        frame = pd.read_csv(io.BytesIO(content))
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
    except Exception:
        return content
    return buffer.getvalue()


def read(reader: Reader, folder: Path) -> object | None:
    """Read what lies in the folder; None when it was refused with a sentence that says what to do."""
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


def test_every_reader_is_tried():
    assert set(NAMES) == set(readers())


def test_the_valid_file_is_read_whole(reader, tmp_path):
    """Otherwise the damaged ones would all be refused for the same reason, and nothing tried."""
    packs: dict[str, Callable[[bytes], bytes]] = {
        "zip": partial(mutations.zipped, Path(reader.path).stem),
        "gz": gzip.compress,
        "parquet": as_parquet,
        "plain": bytes,
    }
    put(reader, tmp_path, packs[reader.packing](reader.valid))
    assert read(reader, tmp_path) is not None


@pytest.mark.timeout(3600)
def test_bytes_of_any_kind(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("any")

    @examples(0.1)
    @given(mutations.anything())
    def tried(content: bytes) -> None:
        put(reader, folder, content)
        counts.add(reader.name, taken=read(reader, folder) is not None)

    tried()


@pytest.mark.timeout(3600)
def test_damaged_files(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("damaged")

    @examples(0.2)
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        content = data.draw(mutations.damaged(reader.valid))
        put(reader, folder, data.draw(packing(reader, content)))
        counts.add(reader.name, taken=read(reader, folder) is not None)

    tried()


@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_what_is_taken_can_be_stored(reader, tmp_path_factory, counts: Counts):
    folder = tmp_path_factory.mktemp("stored")

    @examples(0.1)
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        content = data.draw(mutations.damaged(reader.valid))
        put(reader, folder, data.draw(packing(reader, content)))
        frame = read(reader, folder)
        counts.add(f"{reader.name}, stored", taken=frame is not None)
        if frame is None:
            return
        with transaction.atomic():
            try:
                reader.store(frame)
            except reader.errors as error:
                check_sentence(error)
            transaction.set_rollback(True)

    tried()
