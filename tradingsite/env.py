"""Typed reads of environment variables; apart from settings, the only module that reads the environment.

Order of precedence: the process's environment, `.env` beside manage.py, the default in settings. Instead of ``NAME``,
each variable may be given as ``NAME_FILE``, the path of a file that holds the value (secrets of containers). Messages
about a variable that may hold a secret name it, and never quote its value.
"""

import difflib
import ipaddress
import math
import os
import re
import secrets
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from brokers.redaction import register_address, register_secret_address, register_secrets
from tradingsite import dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def load(path: Path) -> None:
    """Add the variables of a `.env` to the environment, where they are not set; ImproperlyConfigured if unreadable.

    A name that resembles one of `.env.example` beside it is most likely that one misspelt: a warning names both.
    """
    try:
        listed = dotenv.variables(path.read_bytes(), str(path))
    except dotenv.DotenvError as error:
        raise ImproperlyConfigured(str(error)) from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from error
    example = path.with_name(".env.example")
    names = re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", example.read_text(), re.MULTILINE) if example.is_file() else []
    known = {*names, *(f"{name}_FILE" for name in names)}
    # A person misspells a few; comparing thousands would take long.
    for variable in [variable for variable in listed if variable.name not in known][:50]:
        similar = difflib.get_close_matches(variable.name.upper(), known, 1, 0.8)
        if similar:
            sentence = f"{path}, line {variable.line}: {variable.name} is not a setting; {similar[0]} is."
            warnings.warn(sentence, stacklevel=2)
    for name, value in {variable.name: variable.value for variable in listed}.items():
        os.environ.setdefault(name, value)


if (BASE_DIR / ".env").is_file() and os.environ.get("IGNORE_DOTENV") != "1":
    load(BASE_DIR / ".env")


def text(name: str, default: str = "") -> str:
    """Return the variable, or the contents of the file named by ``NAME_FILE``; ImproperlyConfigured if unreadable."""
    path = os.environ.get(f"{name}_FILE")
    if path and name not in os.environ:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ImproperlyConfigured(f"{name}_FILE names {path!r}, which cannot be read: {reason}.") from error
    return os.environ.get(name, default)


def secret(name: str) -> str:
    """Return a variable whose value no log may hold."""
    value = text(name)
    register_secrets(value)
    return value


def secret_key(name: str, folder: Path, *, production: bool) -> str:
    """Return a long random text; where it is not set the one stored in `folder`, in production ImproperlyConfigured."""
    key = text(name)
    if key:
        return key
    if production:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it, or {name}_FILE, to a long random text before starting in production."
        )
    path = folder / "secret_key"
    folder.mkdir(parents=True, exist_ok=True)
    # O_EXCL: of processes that start at once, one writes the key and all read it.
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text()


def secret_address(name: str) -> str:
    """Return an address that no log may hold, nor its path."""
    value = text(name)
    register_secret_address(value)
    return value


def secret_addresses(name: str) -> list[str]:
    """Return the items of a comma-separated list of addresses that no log may hold, nor their paths."""
    values = strings(name)
    for value in values:
        register_secret_address(value)
    return values


def flag(name: str, default: bool = False) -> bool:
    """Return a boolean variable, spelt 1/0, true/false, yes/no or on/off."""
    return boolean(name, text(name, "1" if default else "0"))


def boolean(name: str, value: str) -> bool:
    """Parse the value of a boolean variable; ImproperlyConfigured when it is neither yes nor no."""
    word = value.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ImproperlyConfigured(f"{name}={value[:50]!r} is neither yes nor no; write 1 or 0.")


def integer(name: str, default: int, *, minimum: int | None = None, maximum: int = 2**31 - 1) -> int:
    """Return a whole number from `minimum` to `maximum`."""
    value = text(name, str(default))
    try:
        parsed = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a whole number.") from error
    if minimum is not None and parsed < minimum:
        raise ImproperlyConfigured(f"{name}={parsed} is below {minimum}.")
    if parsed > maximum:
        raise ImproperlyConfigured(f"{name}={parsed} is above {maximum}.")
    return parsed


def number(name: str) -> float | None:
    """Return a finite number, or None if the variable is not set."""
    value = text(name)
    if not value:
        return None
    try:
        parsed = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a number.") from error
    if not math.isfinite(parsed):
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is not a finite number.")
    return parsed


def number_between(name: str, default: float, lowest: float, highest: float) -> float:
    """Return a number within two limits, both allowed."""
    value = number(name)
    value = default if value is None else value
    if not lowest <= value <= highest:
        raise ImproperlyConfigured(f"{name}={value:g} is not between {lowest:g} and {highest:g}.")
    return value


def seconds(name: str, default: float, *, above_zero: bool = False) -> float:
    """Return a duration in seconds, not negative and, with `above_zero`, positive."""
    value = number(name)
    duration = default if value is None else value
    if not 0 <= duration < math.inf or (above_zero and duration == 0):
        raise ImproperlyConfigured(f"{name}={duration:g} must be {'above' if above_zero else 'at least'} 0 seconds.")
    return duration


def web_address(name: str, default: str = "") -> str:
    """Return an http or https address without credentials, or the empty string."""
    value = text(name, default).strip()
    if value and not re.fullmatch(r"https?://[^\s@]+", value):
        raise ImproperlyConfigured(f"{name} is not a web address like https://host.example, without a password.")
    return value


def ip_address(name: str) -> str:
    """Return an IPv4 or IPv6 address in its canonical form, or the empty string."""
    value = text(name).strip()
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value[:50]!r} is no IPv4 or IPv6 address like 203.0.113.7.") from None


def broker_root(name: str, vendors: str, *, debug: bool) -> str:
    """Return a broker's own address, or one of this machine's while debugging: accounts are reached by it."""
    value = text(name) or vendors
    if value == vendors:
        return value
    match = re.fullmatch(r"http://(?:127\.0\.0\.1|\[::1\]):([1-9]\d{0,4})", value, re.ASCII)
    if not debug or not match or int(match[1]) > 65_535:
        raise ImproperlyConfigured(
            f"{name} is neither {vendors} nor, with DEBUG=1, http://127.0.0.1:PORT or http://[::1]:PORT."
        )
    return value


def scheduler_address(name: str) -> str:
    """Return the address of a Dask scheduler, or the empty string; it is shown in messages, so it holds no password."""
    value = text(name).strip()
    if value and not re.fullmatch(r"(tcp|tls)://[^\s@/]+:\d+", value):
        raise ImproperlyConfigured(f"{name} is not an address like tcp://host:8786, without a password.")
    return value


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed words, ignoring case."""
    value = text(name, default)
    for word in allowed:
        if word.casefold() == value.strip().casefold():
            return word
    raise ImproperlyConfigured(f"{name}={value[:50]!r} is not one of {', '.join(allowed)}.")


def database(url: str) -> dict[str, Any]:
    """Return Django's settings for a PostgreSQL address."""
    remedy = "write it as postgresql://user:password@host:5432/database, special characters of a password as %40 or %2F"
    register_address(url)
    if url.partition("://")[0] not in ("postgresql", "postgres", "psql", "pgsql"):
        raise ImproperlyConfigured(f"DATABASE_URL does not begin with postgresql://; {remedy}.")
    try:
        return dict(environ.Env.db_url_config(url))
    except ValueError:  # whose text quotes a part of the address
        raise ImproperlyConfigured(f"DATABASE_URL cannot be parsed; {remedy}.") from None


def cache_address(name: str) -> str:
    """Return the address of a server of Redis' protocol, or the empty string."""
    value = text(name)
    register_address(value)
    if value and not _is_address(value, ("redis", "rediss", "unix")):
        raise ImproperlyConfigured(
            f"{name} is not an address like redis://user:password@host:6379/0, with special characters of a password"
            " as %40 or %2F."
        )
    return value


def _is_address(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and (parts.port is None or bool(parts.hostname))
    except ValueError:
        return False


def folder(name: str) -> Path | None:
    """Return a path, resolved from the project's folder, or None if not set."""
    value = text(name)
    return (BASE_DIR / value).resolve() if value else None


def strings(name: str, default: str = "") -> list[str]:
    """Return the items of a comma-separated list."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def mail_server(name: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings from an address such as ``smtp+tls://user:password@host:587``."""
    value = text(name)
    if not value:
        return {}
    register_address(value)
    schemes = tuple(environ.Env.EMAIL_SCHEMES)
    if not _is_address(value, schemes):
        raise ImproperlyConfigured(
            f"{name} is not an address like smtp+tls://user:password@host:587, with special characters of a password as"
            f" %40 or %2F; it begins with one of {', '.join(f'{scheme}://' for scheme in schemes)}."
        )
    return dict(environ.Env.email_url_config(value))


def text_or_old_name(name: str, old_name: str, default: str = "") -> str:
    """Return the variable, or with a warning the one of its old name."""
    if name not in os.environ and old_name in os.environ:
        warnings.warn(f"{old_name} is the old name of {name}; rename it in your environment or .env.", stacklevel=2)
        return text(old_name, default)
    return text(name, default)
