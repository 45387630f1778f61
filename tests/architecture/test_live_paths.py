"""Who may ask a broker for what: the sender alone places, modifies and cancels; simulations know no live adapter."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT, app_files, imported_modules, module_name, tree

SENDER = Path("portfolio/sending/sender.py")
WRITES = {"place", "modify", "cancel"}
OTHERS = {
    # path: what it calls so, which is no broker, or why it may
    "brokers/http.py": {"timer"},
    "brokers/management/commands/broker_check.py": {"broker"},  # the simulator and loopback addresses alone: --trade
    "market_data/runs/command.py": {"interventions"},
    "portfolio/drill/venue.py": {"self._broker"},  # a venue itself: it hands on to the simulated one
    "portfolio/pages/backtest_views.py": {"writer"},
    "portfolio/pages/trading/placing.py": {"desk"},
    "portfolio/paper/desk.py": {"desk"},
    "portfolio/plans/live.py": {"desk"},
    "tradingsite/operations/actions.py": {"interventions"},
}
SIMULATIONS = ("portfolio.backtest", "portfolio.paper", "portfolio.drill")
COMMANDS = ("backtest", "paper_replay", "order_drill")
LIVE = ("brokers.zerodha", "brokers.fyers", "kiteconnect", "fyers_apiv3")
OPENS_LIVE = {"brokers.connections", "brokers.connections.open_account", "brokers.registry.open_broker"}


def writing_calls(path: Path) -> set[str]:
    """On what a file calls or takes `place`, `modify` or `cancel`, also by its name as a text."""
    receivers = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                receivers.add(ast.unparse(node.func.value))
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            texts = {each.value for each in node.args if isinstance(each, ast.Constant)}
            if name in ("getattr", "methodcaller", "attrgetter") and texts & WRITES:
                receivers.add(ast.unparse(node))
    return receivers


def is_adapter(path: Path) -> bool:
    """The adapters themselves, which are what is called."""
    return path.parts[0] == "brokers" and path.parts[1] in ("simulator", "zerodha", "fyers")


def test_only_the_sender_places_modifies_and_cancels():
    calls = {
        str(path): receivers for path in app_files() if (receivers := writing_calls(path)) and not is_adapter(path)
    }
    assert calls.pop(str(SENDER)) == {"self.venue"}
    others = {path: receivers - OTHERS.get(path, set()) for path, receivers in calls.items()}
    assert {path: receivers for path, receivers in others.items() if receivers} == {}
    assert OTHERS.keys() <= calls.keys(), "an exception that nobody needs any more"


def test_only_the_senders_room_opens_a_venue_for_orders():
    allowed = ("brokers.", "portfolio.sending.venues", "portfolio.pages.brokers", "market_data.providers")
    openers = {
        module_name(path)
        for path in app_files()
        if imported_modules(path) & {"brokers.connections.open_account", "brokers.registry.open_broker"}
    }
    assert {name for name in openers if not name.startswith(allowed)} == set()


def test_simulations_import_no_live_adapter():
    files = [path for path in app_files() if module_name(path).startswith(SIMULATIONS) or path.stem in COMMANDS]
    assert len(files) > 15
    violations = {
        f"{path} imports {name}"
        for path in files
        for name in imported_modules(path)
        if name.startswith(LIVE) or name in OPENS_LIVE
    }
    assert violations == set()


def test_no_live_adapter_is_loaded_with_the_simulations():
    """Also not by what they import: vendors' libraries are loaded where an account is opened, and nowhere else."""
    commands = [path for path in app_files() if path.stem in COMMANDS and "commands" in path.parts]
    assert len(commands) >= 2
    modules = ", ".join([*map(module_name, commands), "portfolio.paper.replay", "portfolio.drill.rounds"])
    program = (
        "import django, sys; django.setup();"
        f"import {modules};"
        f"print([name for name in sys.modules if name.startswith({LIVE!r})])"
    )
    environment = {"DATABASE_URL": "postgresql:///unused", "DJANGO_SETTINGS_MODULE": "tradingsite.settings"}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip().splitlines()[-1] == "[]"
