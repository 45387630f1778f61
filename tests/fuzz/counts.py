"""Counts of fuzz inputs by the reader or page that got them."""

from collections import Counter


class Counts:
    """Counts of one test run: inputs tried, and inputs accepted rather than rejected."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()

    def add(self, name: str, *, accepted: bool) -> None:
        self.tried[name] += 1
        self.accepted[name] += accepted

    def lines(self) -> list[str]:
        rows = [
            f"{name:<40}{self.tried[name]:>9,} tried{self.accepted[name]:>9,} accepted" for name in sorted(self.tried)
        ]
        total = f"{'total':<40}{self.tried.total():>9,} tried{self.accepted.total():>9,} accepted"
        return [*rows, total]
