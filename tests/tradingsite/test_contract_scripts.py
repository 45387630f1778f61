"""Each script that the contract names exists, is executable, and runs a management command."""

import os
import re

import pytest
from django.core.management import get_commands

from tests.architecture.sources import ROOT

SCRIPTS = (
    "run_pipeline.py",
    "fill_data_sql.py",
    "fix_business_logic.py",
    "tools/train_ml_model.py",
    "tools/check_all_schedulers.sh",
    "tools/check_scheduler.sh",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_contract_script_runs_a_management_command(script: str):
    path = ROOT / script
    commands = re.findall(r"manage(?:\", \"| )(\w+)", path.read_text())
    assert commands
    assert set(commands) <= set(get_commands())
    assert path.suffix == ".py" or os.access(path, os.X_OK)
