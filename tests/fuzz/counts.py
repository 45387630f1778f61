"""How many inputs were tried, by what they were given to."""

from collections import Counter


class Counts:
    """Counts of one test run: tried, and taken rather than refused."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def add(self, name: str, *, taken: bool) -> None:
        """Count one input."""
        self.tried[name] += 1
        self.taken[name] += taken

    def lines(self) -> list[str]:
        """Return one line a name, and the sum."""
        rows = [f"{name:<40}{self.tried[name]:>9,} tried{self.taken[name]:>9,} taken" for name in sorted(self.tried)]
        total = f"{'in all':<40}{self.tried.total():>9,} tried{self.taken.total():>9,} taken"
        return [*rows, total]
