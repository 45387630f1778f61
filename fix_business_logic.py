"""The contract's name for `./run.sh manage calculate_business_logic`."""

import os
import sys
from pathlib import Path

run = Path(__file__).resolve().parent / "run.sh"
os.execv(run, [run, "manage", "calculate_business_logic", *sys.argv[1:]])
