"""What every command and worker imports when it starts."""

import subprocess
import sys

from tests.architecture.sources import ROOT

# Each takes a tenth of a second or more, and few processes need it: imported by the functions that use it.
IMPORTED_LATE = {
    *("exchange_calendars", "fyers_apiv3", "jsonschema", "kiteconnect", "lightgbm", "markdown_it", "skops"),
    *("sklearn", "twisted", "watchfiles"),
}
START = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tradingsite.settings"
import django
from django.urls import get_resolver
django.setup()
get_resolver().url_patterns
print("\\n".join(sys.modules))
"""


def test_slow_libraries_are_not_imported_at_start():
    environment = {"DATABASE_URL": "postgresql:///unused", "IGNORE_DOTENV": "1", "SECRET_KEY": "x"}
    result = subprocess.run(
        [sys.executable, "-c", START], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert IMPORTED_LATE & set(result.stdout.split()) == set()
