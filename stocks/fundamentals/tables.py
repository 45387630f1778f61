"""Reads the tables of the fundamentals folder, csv or parquet, without interpreting their values; pure."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stocks.storage.file_contents import FileUnreadable, decoded_text, file_bytes, gzip_contents, text_table

REJECT_COLUMNS = ("symbol", "date", "reason", "raw", "source")
MAX_CELLS = 20_000_000
"""Cells of a parquet file; three months of a screener have 4 million."""


class FundamentalsUnreadableError(Exception):
    """An unusable folder or file of fundamentals; the sentence says which, why, and what to do."""


def read_table(path: Path, needed: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """Read the needed columns, those of a csv as texts; malformed lines go to the rejects."""
    try:
        frame = _parquet(path) if path.suffix == ".parquet" else _csv(path, rejects)
    except FileUnreadable as error:
        raise FundamentalsUnreadableError(
            f"{error} Download the file again or save it as UTF-8, or remove it."
        ) from error
    frame.columns = frame.columns.astype(str).str.strip()
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise FundamentalsUnreadableError(
            f"{path.name} lacks the columns {', '.join(missing)}: not the expected layout. Remove or correct it."
        )
    return frame.loc[:, ~frame.columns.duplicated()][needed].reset_index(drop=True)


def _csv(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    content = file_bytes(path)
    if path.suffix == ".gz":
        content = gzip_contents(content, path.name)
    rows, rejected = text_table(decoded_text(content, path.name, only_unicode=True), path.name)
    if rejected:
        lines = pd.DataFrame({"raw": [line.raw for line in rejected], "reason": [line.reason for line in rejected]})
        lines["date"] = pd.NaT
        rejects.append(lines.assign(symbol="", source=path.name)[list(REJECT_COLUMNS)])
    return rows


def _parquet(path: Path) -> pd.DataFrame:
    content = file_bytes(path)
    try:
        packed = pq.ParquetFile(pa.BufferReader(content))
        # The footer gives the size before anything is unpacked: a small file may hold billions of cells.
        cells = packed.metadata.num_rows * packed.metadata.num_columns
        if cells > MAX_CELLS:
            raise FileUnreadable(f"{path.name} holds {cells:,} cells, far more than a screener's evenings have.")
        frame: pd.DataFrame = packed.read().to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise FileUnreadable(f"{path.name} is not a complete parquet file ({str(error)[:200]!r}).") from error
    return frame
