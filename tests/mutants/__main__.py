"""`./run.sh mutants [WORDS …]`: puts one known error at a time into a copy of the sources, names the tests that fail.

The checkout is not touched. The copy is tried unchanged first, so that a test that fails anyway is not counted.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.places import ROOT, Mutant, mutants


def main() -> None:
    """Try the mutants whose names contain the words; exit 1 when one was not noticed."""
    parser = argparse.ArgumentParser(prog="./run.sh mutants", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORDS", help="only mutants whose name contains one of them")
    parser.add_argument("--markdown", action="store_true", help="print the result as a table in Markdown")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if not options.words or any(word in mutant.name for word in options.words)]
    if not chosen:
        parser.error(f"no mutant's name contains {' or '.join(options.words)}")
    # Ended politely, the copy is removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended."))
    with tempfile.TemporaryDirectory(prefix="nse-mutants-") as folder:
        copy = Path(folder) / "checkout"
        _copy_sources(copy)
        files = sorted({file for mutant in chosen for file in mutant.tests})
        failing = _failing_tests(copy, files)
        if failing:
            sys.exit(f"These tests fail without a mutant: {', '.join(failing)}")
        noticed = {mutant: _noticed_by(copy, mutant) for mutant in chosen}
    if options.markdown:
        sys.stdout.write(_table(noticed))
    missed = [mutant.name for mutant, tests in noticed.items() if not tests]
    sys.stderr.write(f"{len(chosen) - len(missed)} of {len(chosen)} noticed\n")
    sys.exit(f"Not noticed: {'; '.join(missed)}" if missed else 0)


def _copy_sources(copy: Path) -> None:
    """Copy what git tracks, as it lies in the checkout, and link the environment."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to((ROOT / ".venv").resolve())


def _noticed_by(copy: Path, mutant: Mutant) -> list[str]:
    started_at = time.monotonic()
    source = (copy / mutant.file).read_bytes()
    mutant.apply(copy)
    try:
        tests = _failing_tests(copy, mutant.tests)
    finally:
        (copy / mutant.file).write_bytes(source)
    seconds = time.monotonic() - started_at
    sys.stderr.write(f"{mutant.name}: {', '.join(tests) or 'NOT NOTICED'} ({seconds:.0f} s)\n")
    return tests


def _failing_tests(copy: Path, files: Sequence[str]) -> list[str]:
    """Names of the tests that fail, without their parameters; an error while importing a file counts under its name."""
    # Bytecode is off: a mutant may leave size and second of its file unchanged.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "--timeout=120", *files]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2):
        # A mutant with which nothing starts at all is a poor one: no test had to notice it.
        sys.stderr.write(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\npytest ended with {done.returncode}\n")
        return []
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", done.stdout, re.MULTILINE)
    return sorted({name.rpartition("::")[2] for name in failed})


def _table(noticed: dict[Mutant, list[str]]) -> str:
    lines = ["| mutant | file | tests that fail |", "|---|---|---|"]
    for mutant, tests in noticed.items():
        shown = ", ".join(f"`{name}`" for name in tests[:4]) + (f" and {len(tests) - 4} more" if len(tests) > 4 else "")
        lines.append(f"| {mutant.name} | `{mutant.file}` | {shown or '**none**'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
