#!/usr/bin/env python
"""Django's command line for this project; `./run.sh manage …` runs it inside the environment."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.umask(0o077)  # what the system writes is for its account alone; exports are opened explicitly
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    # Fits run side by side, each with one thread (`ml.learning.linear`); read when NumPy is imported.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from django.core.management import execute_from_command_line

    from brokers.redaction import without_secrets
    from tradingsite.refusals import refusal

    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit("Interrupted; what was committed stays, and the same command goes on from there.")
    except Exception as error:
        sentence = None if "--traceback" in sys.argv else refusal(error)
        if sentence is None:
            raise
        sys.exit(without_secrets(sentence))


if __name__ == "__main__":
    main()
