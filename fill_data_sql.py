"""The contract's name for `./run.sh manage fill_data`."""

import os
import sys
from pathlib import Path

run = Path(__file__).resolve().parent / "run.sh"
os.execv(run, [run, "manage", "fill_data", *sys.argv[1:]])
