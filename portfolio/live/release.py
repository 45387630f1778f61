"""Which program this is: another one ends every permission to trade live."""

import hashlib
from functools import cache
from typing import Final

from django.conf import settings

_ROOMS: Final = ("brokers", "market_data", "ml", "portfolio", "stocks", "tradingsite")
_OTHERS: Final = ("manage.py", "requirements.txt")


@cache
def release() -> str:
    """The version, and a digest of all source and of the locked libraries as this process found them at its start."""
    digest = hashlib.sha256()
    files = [settings.BASE_DIR / name for name in _OTHERS]
    files += [path for room in _ROOMS for path in (settings.BASE_DIR / room).rglob("*.py")]
    for path in sorted(files):
        if path.is_file():
            digest.update(f"{path.relative_to(settings.BASE_DIR)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return f"{settings.SPECTACULAR_SETTINGS['VERSION']} {digest.hexdigest()[:24]}"
