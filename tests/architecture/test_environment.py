"""`.env.example` lists exactly the variables that are read."""

import ast
import re

from tests.architecture.sources import ROOT, app_files, tree

READERS = {
    "broker_root",
    "text",
    "flag",
    "integer",
    "ip_address",
    "number",
    "number_between",
    "choice",
    "folder",
    "strings",
    "text_or_old_name",
    "mail_server",
    "cache_address",
    "secret",
    "secret_key",
    "secret_address",
    "secret_addresses",
    "seconds",
    "scheduler_address",
    "web_address",
}
NOT_FOR_THE_FILE = {"IGNORE_DOTENV"}  # says whether the file is read at all


def variables_read() -> set[str]:
    """Names in `env.…("NAME")` and `os.environ.get("NAME")`, including the old names of `text_or_old_name`."""
    names: set[str] = set()
    for path in app_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                if (owner == "env" and node.func.attr in READERS) or (
                    owner == "os.environ" and node.func.attr == "get"
                ):
                    count = 2 if node.func.attr == "text_or_old_name" else 1
                    names |= {str(arg.value) for arg in node.args[:count] if isinstance(arg, ast.Constant)}
    return names - NOT_FOR_THE_FILE


def variables_of_compose() -> set[str]:
    """Variables that docker-compose.yml takes from `.env`; `$$` is a dollar for the container's own shell."""
    return set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", (ROOT / "docker-compose.yml").read_text()))


def test_the_example_lists_every_variable_once():
    listed = re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert variables_of_compose() >= {"SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert set(listed) == variables_read() | variables_of_compose()


def test_the_environment_is_read_in_two_places_only():
    # These hand their own environment on to what they start.
    starters = {
        "tradingsite/dev/single_start.py",
        "tradingsite/dev/supervisor.py",
        "tradingsite/management/commands/psql.py",
    }
    readers = {
        str(path)
        for path in app_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert readers - {"tradingsite/env.py", "tradingsite/settings.py", *starters, "tradingsite/wsgi.py"} == set()
