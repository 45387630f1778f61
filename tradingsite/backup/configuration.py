"""What a back-up keeps of the settings: those named here, none of which is a secret, and the screening thresholds.

Not in it, and needed to go on: SECRET_KEY, CREDENTIAL_KEYS (brokers' secrets are encrypted with them in the database),
passwords of the database and the cache, tokens, addresses that may hold one (DATABASE_URL, REDIS_URL).
"""

import json
from typing import Any

from django.conf import settings

from tradingsite.backup.archive import ArchiveReader, ArchiveWriter

NAMES = (
    "APP_ENV",
    "PORT",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "MARKET_DATA_PROVIDER",
    "NSE_ARCHIVE_DIR",
    "NSE_ARCHIVE_SERIES",
    "FUNDAMENTALS_DIR",
    "SIMULATOR_SYMBOLS",
    "SIMULATOR_SESSIONS",
    "SIMULATOR_SEED",
    "ESTIMATOR",
    "TRAINING_LOOKBACK_DAYS",
    "MODELS_DIR",
    "STOCK_FILTERS_FILE",
    "SCREENING_OVERRIDES",
    "EXPORT_DIR",
    "BACKUP_DIR",
    "BACKUPS_KEPT",
    "LOG_LEVEL",
)
SETTINGS_MEMBER = "configuration/settings.json"
FILTERS_MEMBER = "configuration/stock_filters.yaml"


def present() -> dict[str, Any]:
    """Return the named settings as they are now, as JSON values."""
    values: dict[str, Any] = json.loads(json.dumps({name: getattr(settings, name) for name in NAMES}, default=str))
    return values


def write(writer: ArchiveWriter) -> None:
    """Write settings and thresholds into a back-up."""
    with writer.member(SETTINGS_MEMBER) as sink:
        sink.write(json.dumps(present(), indent=1, sort_keys=True).encode())
    if settings.STOCK_FILTERS_FILE.is_file():
        with writer.member(FILTERS_MEMBER) as sink:
            sink.write(settings.STOCK_FILTERS_FILE.read_bytes())


def changes(reader: ArchiveReader) -> list[str]:
    """Return a sentence for each setting that is another one now than in a back-up; nothing is changed by it."""
    then, now = json.loads(reader.content(SETTINGS_MEMBER)), present()
    said = [
        f"{name} was {value!r} and is {now[name]!r}."
        for name, value in then.items()
        if name in now and now[name] != value
    ]
    path = settings.STOCK_FILTERS_FILE
    if FILTERS_MEMBER in reader.members and not (
        path.is_file() and path.read_bytes() == reader.content(FILTERS_MEMBER)
    ):
        said.append(f"The thresholds of {path} are others than in the back-up ({FILTERS_MEMBER} in it).")
    return said
