"""`./run.sh bench [NAME …]`: runs benchmarks in a place of their own and prints one table."""

import argparse
import importlib
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import Place, place
from tests.benchmarks.report import as_json, show

# In this order: those that need the filled database follow those that make their own.
BENCHMARKS = {
    "load": ("loading", "bars: a whole load and an evening, against a bare COPY"),
    "picks": ("picks", "picks from the cache, against an empty page under the same server"),
    "pages": ("pages", "every page over the filled database, against 300 ms"),
    "indicators": ("indicator_work", "indicators: all and an evening's, against reading and writing alone"),
    "inputs": ("inputs", "features, outcomes and facts of all history, against a minute"),
    "training": ("training", "both models, against the contract's forest"),
    "backtest": ("simulation", "three years of daily decisions among 500 shares, against twenty seconds"),
    "size": ("storage", "the database on the disk, against the raw rows"),
    "memory": ("memory", "peaks of memory, against the frame of bars"),
}


def main() -> None:
    """Run what is asked for."""
    options = _options()
    console = Console(stderr=True)
    # Ended politely, the servers are stopped and the directory is removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended."))
    market = Market(
        real=options.real, symbols=options.symbols, sessions=options.sessions or (762 if options.real else 750)
    )
    begun = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.0f} s] {line}", style="dim", markup=False, highlight=False)

    with place(market.environment(), say) as here:
        figures = [figure for name in options.names for figure in _measured(name, here, market, options.rounds)]
    facts = _facts(market, options.rounds, time.monotonic() - begun)
    if options.json:
        sys.stdout.write(as_json(figures, facts) + "\n")
    else:
        show(figures, facts, Console(width=None if sys.stdout.isatty() else 170))


def _measured(name: str, here: Place, market: Market, rounds: int) -> list[Figure]:
    # Imported late: models can only be imported once Django has read its settings.
    module: Any = importlib.import_module(f"tests.benchmarks.{BENCHMARKS[name][0]}")
    here.say(f"== {name}: {BENCHMARKS[name][1]}")
    figures: list[Figure] = module.figures(here, market, rounds)
    for figure in figures:  # now too: an hour's work must not be lost with an interrupted run
        low, high = figure.spread
        here.say(f"{figure.name}: {figure.median:.3g} ({low:.3g}-{high:.3g}) {figure.verdict}")
    return figures


def _facts(market: Market, rounds: int, seconds: float) -> dict[str, Any]:
    return {
        "market": "real sample" if market.real else f"simulated, {market.symbols} symbols × {market.sessions} sessions",
        "rounds": rounds,
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        "minutes": round(seconds / 60, 1),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _options() -> argparse.Namespace:
    listed = "\n".join(f"  {name:<11} {meaning}" for name, (_, meaning) in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="./run.sh bench",
        description="Measures speed, size and memory as ratios in one run, on servers of its own.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (default: all)")
    parser.add_argument("--real", action="store_true", help="on the real sample of NSE_SAMPLE_DIR")
    parser.add_argument("--symbols", type=int, default=2259, help="of the simulated market (default: 2259)")
    parser.add_argument("--sessions", type=int, help="sessions (default: 750 simulated, 762 real ones: three years)")
    parser.add_argument("--rounds", type=int, default=5, help="how often A and B alternate (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.names = [name for name in BENCHMARKS if name in options.names or not options.names]
    return options


main()
