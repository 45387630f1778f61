"""The contract's name for `./run.sh manage train_models`."""

import os
import sys
from pathlib import Path

run = Path(__file__).resolve().parent.parent / "run.sh"
os.execv(run, [run, "manage", "train_models", *sys.argv[1:]])
