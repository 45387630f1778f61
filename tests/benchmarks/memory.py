"""Peaks of memory of whole commands, against the frame of bars they work on."""

from market_data.storage import queries
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import Place


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """First load, evening, training: resident memory of the process and its children, the server's not counted."""
    del rounds  # one load is long enough
    market.fill(place)
    place.manage("training", "fit_models", f"--date={market.last}")
    frame = queries.bars_frame(end=market.last)
    size = int(frame.memory_usage(index=False, deep=False).sum())
    return [
        Figure(
            f"memory, {name}: peak / frame of bars",
            (peak / size,),
            f"{peak / 1e6:.0f} MB",
            f"{size / 1e6:.0f} MB",
            at_least=False,
            note=f"Resident memory of the process tree; the frame holds all {len(frame):,} bars, texts as pointers.",
        )
        for name, peak in place.peaks.items()
    ]
