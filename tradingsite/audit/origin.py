"""What the process is, for the audit: a service, or a command or shell of somebody's machine account.

The database's session is told at its start. A service's writes are the system's, unless a request names a person (see
`context`). Whoever connects with another program, and says nothing, is recorded as a shell (see `triggers`).
"""

import os
import pwd
import socket
from collections.abc import Sequence
from pathlib import Path

_SHELLS = ("shell", "dbshell", "psql")
_SERVICES = ("qcluster", "runserver")
_declared: list[str] = []


def declare_service() -> None:
    """Declare, before the settings are read, that this program serves others, so that its writes are the system's."""
    _declared.append("service")


def process_origin(argv: Sequence[str]) -> dict[str, str]:
    """Return channel, path (the program or command, without its arguments) and the account of the machine."""
    program, command = Path(argv[0] if argv else "").name, argv[1] if len(argv) > 1 else ""
    is_manage = program == "manage.py"
    if _declared or (is_manage and command in _SERVICES):
        return {"channel": "system"}
    is_command = is_manage and command not in _SHELLS
    path = f"manage.py {command}".strip() if is_manage else program or "python"
    return {"channel": "command" if is_command else "shell", "path": path, "account": machine_account()}


def machine_account() -> str:
    """Return the account that runs this process, and its host: by the system's own answer, not by a variable."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's uid may have no name
        name = f"uid {uid}"
    return f"{name}@{socket.gethostname()}"


def session_options(argv: Sequence[str]) -> str:
    """Return the origin as options of a PostgreSQL session (`-c audit.channel=…`)."""
    return " ".join(f"-c audit.{name}={_escaped(value)}" for name, value in process_origin(argv).items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
