"""What three years take on the disk, against the same rows bare."""

from django.db import connection

from market_data.models import SourceFile
from market_data.prices.indicators import INDICATOR_COLUMNS
from tests.benchmarks.bare_copy import copy_out, execute, scalar
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import Place

_PUBLISHED = (
    "symbol, series, date, prev_close, open, high, low, last_price, close, vwap, volume, turnover_lakh, trades,"
    " delivered_quantity"
)


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """The database against the published rows as CSV, and the two large tables against bare ones of their columns."""
    del rounds  # sizes do not vary
    market.fill(place)
    execute("VACUUM FULL historical_data", "VACUUM FULL technical_indicators")
    raw = len(copy_out(f"SELECT {_PUBLISHED} FROM historical_data").csv)
    rows = scalar("SELECT count(*) FROM historical_data")
    whole = scalar(f"SELECT pg_database_size('{connection.settings_dict['NAME']}')")
    files = sum(SourceFile.objects.values_list("size", flat=True)) if market.real else raw
    yardstick = "the exchange's files" if market.real else "the published columns as CSV"
    figures = [
        Figure(
            f"size, database / {yardstick}",
            (whole / files,),
            _megabytes(whole),
            _megabytes(files),
            at_least=False,
            note=f"{rows:,} bars, {len(market.offered())} sessions; everything in the database, indicators and all.",
        )
    ]
    columns = {"historical_data": _PUBLISHED, "technical_indicators": ", ".join(("symbol", "date", *INDICATOR_COLUMNS))}
    for table, named in columns.items():
        execute("DROP TABLE IF EXISTS bare", f"CREATE TABLE bare AS SELECT {named} FROM {table}")
        bare, heap = scalar("SELECT pg_relation_size('bare')"), scalar(f"SELECT pg_relation_size('{table}')")
        indexes = scalar(f"SELECT pg_indexes_size('{table}')")
        execute("DROP TABLE bare")
        figures.append(
            Figure(
                f"size, {table} / bare table",
                ((heap + indexes) / bare,),
                f"{_megabytes(heap)} + {_megabytes(indexes)}",
                _megabytes(bare),
                at_least=False,
                note=f"Rows and indexes ({heap / rows:.0f} + {indexes / rows:.0f} bytes a row) against a table of the"
                " same figures without any index, run or time of writing.",
            )
        )
    return figures


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
