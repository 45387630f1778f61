"""Typed reads of the environment: the only file besides settings that looks at it.

Order of precedence: the process's environment, then `.env` beside manage.py, then the default in settings. Each
variable may instead be given as ``NAME_FILE``, the path of a file that holds it (secrets of containers).
"""

import math
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}

if (BASE_DIR / ".env").is_file() and os.environ.get("IGNORE_DOTENV") != "1":
    environ.Env.read_env(BASE_DIR / ".env", overwrite=False)


def text(name: str, default: str = "") -> str:
    """Return the variable, or what the file named by ``NAME_FILE`` holds.

    Raises
    ------
    ImproperlyConfigured
        When that file cannot be read.
    """
    path = os.environ.get(f"{name}_FILE")
    if path and name not in os.environ:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            told = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ImproperlyConfigured(f"{name}_FILE names {path!r}, which cannot be read: {told}.") from error
    return os.environ.get(name, default)


def flag(name: str, default: bool = False) -> bool:
    """Return a yes or no; anything else than 1/0, true/false, yes/no, on/off is refused."""
    return yes_or_no(name, text(name, "1" if default else "0"))


def yes_or_no(name: str, value: str) -> bool:
    """Return what a variable's text means; anything but a yes or a no is refused."""
    said = value.strip().lower()
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value[:50]!r} is neither yes nor no; write 1 or 0.")


def whole(name: str, default: int, *, minimum: int | None = None, maximum: int = 2**31 - 1) -> int:
    """Return a whole number from `minimum` to `maximum`."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a whole number.") from error
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{name}={number} is below {minimum}.")
    if number > maximum:
        raise ImproperlyConfigured(f"{name}={number} is above {maximum}.")
    return number


def decimal(name: str) -> float | None:
    """Return a number, or None when the variable is not set."""
    value = text(name)
    if not value:
        return None
    try:
        number = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a number.") from error
    if not math.isfinite(number):
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a finite number.")
    return number


def seconds(name: str, default: float, *, above_zero: bool = False) -> float:
    """Return a length of time in seconds, not negative, and above zero where it must be."""
    value = decimal(name)
    number = default if value is None else value
    if not 0 <= number < math.inf or (above_zero and number == 0):
        raise ImproperlyConfigured(f"{name}={number:g} must be {'above' if above_zero else 'at least'} 0 seconds.")
    return number


def address(name: str, default: str = "") -> str:
    """Return an http or https address, or empty."""
    value = text(name, default).strip()
    if value and not re.fullmatch(r"https?://[^\s@]+", value):
        raise ImproperlyConfigured(f"{name} is no address; write it like https://host.example, without a password.")
    return value


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed words, however it is spelt in small and capital letters."""
    value = text(name, default)
    for word in allowed:
        if word.casefold() == value.strip().casefold():
            return word
    raise ImproperlyConfigured(f"{name}={value[:50]!r} is not one of {', '.join(allowed)}.")


def database(url: str) -> dict[str, Any]:
    """Return the settings of a PostgreSQL address; what is wrong with one is said without its password."""
    form = "write it as postgresql://user:password@host:5432/database"
    scheme = url.partition("://")[0]
    if scheme not in ("postgresql", "postgres", "psql", "pgsql"):
        raise ImproperlyConfigured(f"DATABASE_URL begins with {scheme[:20]!r}; {form}.")
    try:
        return dict(environ.Env.db_url_config(url))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be understood ({error}); {form}.") from error


def folder(name: str) -> Path | None:
    """Return a path, relative ones from the project's folder; None when not set."""
    value = text(name)
    return (BASE_DIR / value).resolve() if value else None


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def mail_server(name: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings out of one address such as ``smtp+tls://user:password@host:587``."""
    value = text(name)
    if not value:
        return {}
    schemes = environ.Env.EMAIL_SCHEMES
    if urlsplit(value).scheme not in schemes:
        raise ImproperlyConfigured(f"{name} begins with none of {', '.join(f'{one}://' for one in schemes)}.")
    return dict(environ.Env.email_url_config(value))


def renamed(name: str, old: str, default: str = "") -> str:
    """Return the variable, or its older name with a warning."""
    if name not in os.environ and old in os.environ:
        import warnings

        warnings.warn(f"{old} is the old name of {name}; please rename it in your environment or .env.", stacklevel=2)
        return text(old, default)
    return text(name, default)
