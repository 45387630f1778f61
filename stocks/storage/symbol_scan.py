"""The symbols of a big table by a loose index scan: one probe a symbol, however many rows it has."""

from typing import Final, LiteralString

NAMES: Final[LiteralString] = """
    WITH RECURSIVE names(symbol) AS (
        (SELECT symbol FROM {table} ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT t.symbol FROM {table} t WHERE t.symbol > n.symbol ORDER BY t.symbol LIMIT 1)
        FROM names n WHERE n.symbol IS NOT NULL
    )
    """
"""Beginning of a query on `names`: the symbols of `{table}`, ascending, and a last row of NULL."""
