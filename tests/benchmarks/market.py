"""The market that benchmarks work on: the simulator's, so that anybody can run them, or the real sample."""

import os
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from market_data.providers import Provider, provider
from tests.benchmarks.place import Place

_FILLED = "bench_filled"
_REAL_LAST = date(2026, 4, 30)


@dataclass(frozen=True)
class Market:
    """Which market, and how much of it.

    Attributes
    ----------
    real
        The real sample of NSE_SAMPLE_DIR.
    symbols, sessions
        Size of the simulated one; of the real one the last `sessions` sessions are read.
    today
        Day of the run; a simulated market ends before it.
    """

    real: bool = False
    symbols: int = 2259
    sessions: int = 750
    today: date = field(default_factory=date.today)

    def environment(self) -> dict[str, str]:
        """Variables that choose the provider.

        Raises
        ------
        SystemExit
            The real sample is wanted and NSE_SAMPLE_DIR does not name it.
        """
        if not self.real:
            return {"SIMULATOR_SYMBOLS": str(self.symbols), "SIMULATOR_SESSIONS": str(self.sessions)}
        sample = os.environ.get("NSE_SAMPLE_DIR")
        if not sample or not (Path(sample) / "nse").is_dir():
            raise SystemExit(f"--real needs the real sample: NSE_SAMPLE_DIR={sample!r} is no folder that holds nse/.")
        return {"MARKET_DATA_PROVIDER": "nse_archive", "NSE_ARCHIVE_DIR": str(Path(sample) / "nse")}

    def source(self) -> Provider:
        """The provider of this market."""
        return provider("nse_archive" if self.real else "simulator")

    @property
    def last(self) -> date:
        """The evening's session."""
        # The calendar of a simulated market ends a year after its last session; the commands must find today in it.
        return _REAL_LAST if self.real else self.source().sessions(None, self.today - timedelta(days=1))[-1]

    def offered(self) -> list[date]:
        """The sessions, ascending; the last one is the evening's."""
        return self.source().sessions(None, self.last)[-self.sessions :]

    def fill(self, place: Place) -> None:
        """Go to the database that the product filled: a first load up to the last session but one, and an evening.

        The peaks of memory of both are kept.
        """
        place.use(_FILLED)
        if "first load" in place.peaks:
            return
        days = self.offered()
        place.manage("first load", "run_pipeline", f"--date={days[-2]}", "--json")
        place.manage("evening", "run_pipeline", f"--date={days[-1]}", "--json")
