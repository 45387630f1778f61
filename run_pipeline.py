"""The contract's name for `./run.sh manage run_pipeline`."""

import os
import sys
from pathlib import Path

run = Path(__file__).resolve().parent / "run.sh"
os.execv(run, [run, "manage", "run_pipeline", *sys.argv[1:]])
