"""Edges are called from outside and from other edges only (who may import which app is import-linter's to watch)."""

from pathlib import Path

from tests.architecture.sources import APPS, app_files, imported_modules, module_name

EDGES = {"admin", "api", "tasks", "views", "management"}
# Composition: these wire edges to addresses, the queue and the admin site.
WIRING = {"urls", "apps"}


def is_edge(dotted: str) -> bool:
    """Whether a module is an edge of one of our apps: `stocks.api`, `ml.management.commands.train_models`."""
    parts = dotted.split(".")
    return len(parts) > 1 and parts[0] in APPS and parts[1] in EDGES


def may_import_edges(path: Path) -> bool:
    """Edges themselves, the wiring, and the composition root."""
    return is_edge(module_name(path)) or path.stem in WIRING or path.parts[0] == "tradingsite"


def test_domain_modules_import_no_edge():
    violations = {
        f"{path} imports {name}"
        for path in app_files()
        if not may_import_edges(path)
        for name in imported_modules(path)
        if is_edge(name)
    }
    assert violations == set()


def test_a_venues_folder_is_known_only_to_its_registry():
    violations = {
        f"{path} imports {name}"
        for path in app_files()
        for name in imported_modules(path)
        for venue in ("fyers", "zerodha", "simulator")
        if name.startswith(f"brokers.{venue}")
        and not module_name(path).startswith((f"brokers.{venue}", "brokers.registry", f"market_data.providers.{venue}"))
    }
    assert violations == set()


def test_the_two_simulators_share_nothing():
    violations = {
        f"{path} imports {name}"
        for path in app_files()
        for name in imported_modules(path)
        if name.startswith("brokers.simulator") and module_name(path).startswith("market_data.providers.simulator")
    }
    assert violations == set()
