"""A run's progress, as bars on a terminal and as plain lines elsewhere."""

from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from market_data.models import PipelineRun

_LINE_EVERY = 0.25


class ProgressView:
    """A listener that shows each step: a bar on a terminal, a line every quarter elsewhere, nothing when quiet."""

    def __init__(self, stream: TextIO, run: PipelineRun, *, quiet: bool) -> None:
        self._stream, self._run, self._quiet = stream, run, quiet
        self._is_terminal = stream.isatty() and not quiet
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(file=stream), disable=not self._is_terminal)
        self._bars: dict[str, TaskID] = {}
        self._shown: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: str, fraction: float, line: str | None) -> None:
        """Show a step's progress 0-1 and its log line, if any."""
        if self._quiet:
            return
        if self._is_terminal:
            self._show_bar(step, fraction, line)
        else:
            self._show_line(step, fraction, line)

    def _show_bar(self, step: str, fraction: float, line: str | None) -> None:
        if step not in self._bars:
            self._bars[step] = self._progress.add_task(step, total=1.0)
        self._progress.update(self._bars[step], completed=fraction)
        if line:
            self._progress.console.print(f"  {line}", highlight=False, markup=False)

    def _show_line(self, step: str, fraction: float, line: str | None) -> None:
        if line:
            self._stream.write(f"{self._run.job} {step}: {line}\n")
        elif fraction >= 1 or fraction - self._shown.get(step, 0.0) >= _LINE_EVERY:
            self._shown[step] = fraction
            self._stream.write(f"{self._run.job} {step}: {fraction:.0%}\n")
        self._stream.flush()
