"""The triggers of audited tables, for migrations; what they call is in `0003_audit_triggers`.

A table whose rows people change gets a row for each change, with the changed columns; a table that runs fill gets one
for each statement, so that a night costs nothing. `tests/tradingsite/audit/test_tables.py` lists every table.
"""

from collections.abc import Iterable

SETTING = "coalesce(current_setting('audit.{}', true), '')"
_CHANNEL = SETTING.format("channel")

ALWAYS = ""
BY_A_PERSON = (
    f"{SETTING.format('run')} = '' AND"
    f" ({SETTING.format('actor')} <> '' OR {_CHANNEL} NOT IN ('system', 'page', 'admin', 'api'))"
)
"""By whoever is logged in, a command or a shell, and not what a run writes: its rows carry its id anyway."""

IN_A_SHELL = f"{_CHANNEL} NOT IN ('system', 'page', 'admin', 'api', 'command')"

MAINTENANCE = SETTING.format("maintenance")


def row_trigger(
    table: str,
    *,
    key: str = "id",
    ignored: Iterable[str] = (),
    secrets: Iterable[str] = (),
    when: str = ALWAYS,
    events: str = "INSERT OR UPDATE OR DELETE",
    name: str = "audit",
) -> str:
    """Return the statement that makes each changed row of a table an entry.

    `ignored` columns are left out, and of `secrets` it only says that they changed; of a key that is a secret, its
    beginning identifies the row.
    """
    arguments = ", ".join(f"'{text}'" for text in (key, ",".join(ignored), ",".join(secrets)))
    condition = f" WHEN ({when})" if when else ""
    return (
        f"CREATE TRIGGER {name} AFTER {events} ON {table} FOR EACH ROW{condition}"
        f" EXECUTE FUNCTION audit_row({arguments});"
    )


def only_added_to(table: str, remedy: str) -> str:
    """Return the statement by which the database refuses any change of a table's rows but a restoration's.

    It calls `refuse_change`, which `0013_kill_switch_is_only_added_to` makes.
    """
    return (
        f"CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{remedy}');"
    )


def statement_trigger(table: str, *, when: str = BY_A_PERSON) -> str:
    """Return the statement that makes each statement on a table an entry, however many rows it changes."""
    return (
        f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT WHEN ({when})"
        " EXECUTE FUNCTION audit_statement();"
    )


def truncate_trigger(table: str) -> str:
    """Return the statement that makes emptying a table an entry: TRUNCATE fires no trigger of a row."""
    return (
        f"CREATE TRIGGER audit_truncate AFTER TRUNCATE ON {table} FOR EACH STATEMENT WHEN ({MAINTENANCE} = '')"
        " EXECUTE FUNCTION audit_statement();"
    )
