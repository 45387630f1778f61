"""The places of `mutants.toml`: where a known error is put into the source, and the tests that must notice it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Mutant:
    """One error.

    Attributes
    ----------
    name
        What it breaks, in a few words.
    file
        Source file, relative to the root of the repository.
    old, new
        Text that occurs exactly once in the file, and what replaces it.
    tests
        Test files of the default tier that are nearest to it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Put the error into the file below `root`.

        Raises
        ------
        ValueError
            When the text does not occur exactly once: the source has changed, and the entry must follow.
        """
        path = root / self.file
        source = path.read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.file} has {source.count(self.old)} times the text of the mutant {self.name!r}; it needs exactly"
                " one: adapt tests/mutants/mutants.toml."
            )
        path.write_text(source.replace(self.old, self.new), encoding="utf-8")


def mutants() -> list[Mutant]:
    """The mutants in the order of the file."""
    entries = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**entry | {"tests": tuple(entry["tests"])}) for entry in entries]
