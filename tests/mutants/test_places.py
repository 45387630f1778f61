"""The list of known errors keeps up with the source; whether tests notice them is `./run.sh mutants`."""

import shutil
from pathlib import Path

import pytest

from tests.mutants.places import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_every_place_exists_and_still_compiles(mutant: Mutant, tmp_path: Path):
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    shutil.copy2(ROOT / mutant.file, copy)
    mutant.apply(tmp_path)
    if copy.suffix == ".py":
        compile(copy.read_text(encoding="utf-8"), mutant.file, "exec")
    assert [file for file in mutant.tests if not (ROOT / file).is_file()] == []


def test_names_are_unique():
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names) >= 20
