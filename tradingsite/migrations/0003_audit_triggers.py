from django.db import migrations

from tradingsite.audit.triggers import BY_A_PERSON, IN_A_SHELL, row_trigger, statement_trigger, truncate_trigger

_FUNCTIONS = """
CREATE FUNCTION audit_setting(name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('audit.' || name, true), '')
$$;

-- Who, when and from where is not the caller's to say. Only a restoration brings entries of its own.
CREATE FUNCTION audit_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF audit_setting('maintenance') = 'restore' THEN
        RETURN NEW;
    END IF;
    NEW.at := clock_timestamp();
    NEW.channel := coalesce(nullif(audit_setting('channel'), ''), 'shell');
    NEW.actor := audit_setting('actor');
    NEW.actor_id := nullif(audit_setting('actor_id'), '')::bigint;
    NEW.token := audit_setting('token');
    NEW.address := audit_setting('address');
    NEW.account := audit_setting('account');
    NEW.path := audit_setting('path');
    IF audit_setting('channel') = '' THEN
        -- Another program: what the server knows of it.
        NEW.account := left(session_user || '@' || coalesce(host(inet_client_addr()), 'local'), 200);
        NEW.path := left(current_setting('application_name'), 300);
    END IF;
    NEW.table_name := coalesce(NEW.table_name, '');
    NEW.row_id := coalesce(NEW.row_id, '');
    NEW.run_id := coalesce(nullif(NEW.run_id, ''), audit_setting('run'));
    RETURN NEW;
END
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF audit_setting('maintenance') = 'restore' OR (TG_OP = 'TRUNCATE' AND audit_setting('maintenance') = 'tests') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The audit is only ever added to: % was refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Restoring a back-up is the only way to replace it.';
END
$$;

-- Arguments: the key, the columns to leave out, the secret columns.
CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_out text[] := string_to_array(TG_ARGV[1], ',');
    secrets text[] := string_to_array(TG_ARGV[2], ',');
    -- Blanked before the row becomes JSON: an uploaded file has 64 MB.
    blanks jsonb := coalesce((SELECT jsonb_object_agg(name, NULL) FROM unnest(left_out) AS name), '{}');
    was jsonb;
    becomes jsonb;
    row_key text;
    secret text;
BEGIN
    IF audit_setting('maintenance') = 'restore' THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        was := to_jsonb(jsonb_populate_record(OLD, blanks)) - left_out;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        becomes := to_jsonb(jsonb_populate_record(NEW, blanks)) - left_out;
    END IF;
    row_key := coalesce(was, becomes) ->> TG_ARGV[0];
    IF TG_ARGV[0] = ANY (secrets) THEN
        row_key := left(row_key, 4) || '…';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO was, becomes
        FROM jsonb_each(was) AS o JOIN jsonb_each(becomes) AS n ON n.key = o.key
        WHERE o.value IS DISTINCT FROM n.value;
        IF was IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    FOREACH secret IN ARRAY secrets LOOP
        IF was ->> secret <> '' THEN
            was := was || jsonb_build_object(secret, '(secret)');
        END IF;
        IF becomes ->> secret <> '' THEN
            becomes := becomes || jsonb_build_object(secret, CASE TG_OP WHEN 'UPDATE' THEN '(another secret)' ELSE '(secret)' END);
        END IF;
    END LOOP;
    INSERT INTO audit_log (act, table_name, row_id, before, after, run_id)
    VALUES (lower(TG_OP), TG_TABLE_NAME, row_key, was, becomes,
            CASE WHEN TG_TABLE_NAME = 'pipeline_runs' THEN row_key ELSE coalesce(becomes ->> 'run_id', was ->> 'run_id') END);
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF audit_setting('maintenance') <> 'restore' THEN
        INSERT INTO audit_log (act, table_name) VALUES (lower(TG_OP), TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END
$$;
"""
_APPEND_ONLY = """
CREATE TRIGGER audit_stamp BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_stamp();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
"""
# The engine starts, completes and fails runs; everything else that happens to a run is somebody's intervention.
_INTERVENTION = (
    "OLD.status <> NEW.status AND (NEW.status IN ('cancelled', 'rolled_back')"
    " OR OLD.status NOT IN ('waiting', 'running'))"
    f" OR {IN_A_SHELL}"
)
_ROWS = {
    # people and rights
    "users": row_trigger("users", ignored=("last_login",), secrets=("password",)),
    "users_groups": row_trigger("users_groups"),
    "users_user_permissions": row_trigger("users_user_permissions"),
    "auth_group": row_trigger("auth_group"),
    "auth_group_permissions": row_trigger("auth_group_permissions"),
    "auth_permission": row_trigger("auth_permission", when=IN_A_SHELL),
    "authtoken_token": row_trigger("authtoken_token", key="key", secrets=("key",)),
    "django_admin_log": row_trigger("django_admin_log", when=IN_A_SHELL),
    "axes_accesslog": row_trigger("axes_accesslog", when=IN_A_SHELL),
    "axes_accessfailurelog": row_trigger("axes_accessfailurelog", when=IN_A_SHELL),
    # Expired attempts are removed by whoever logs in next.
    "axes_accessattempt": row_trigger(
        "axes_accessattempt", ignored=("get_data", "post_data"), when=BY_A_PERSON, events="DELETE"
    ),
    # money
    "strategies": row_trigger("strategies"),
    "broker_configurations": row_trigger(
        "broker_configurations", ignored=("updated_at",), secrets=("api_secret", "access_token")
    ),
    "orders": row_trigger("orders", ignored=("updated_at",)),
    "trades": row_trigger("trades"),
    "positions": row_trigger("positions", ignored=("updated_at",)),
    # operation
    "django_q_schedule": row_trigger("django_q_schedule", ignored=("next_run", "task")),
    "evening_holds": row_trigger("evening_holds"),
    "imported_files": row_trigger("imported_files", ignored=("content",), when=BY_A_PERSON),
    "trained_models": row_trigger("trained_models", when=BY_A_PERSON),
    "pipeline_runs": "\n".join(
        (
            row_trigger("pipeline_runs", when=BY_A_PERSON, events="INSERT"),
            row_trigger("pipeline_runs", when=_INTERVENTION, events="UPDATE", name="audit_intervention"),
            row_trigger("pipeline_runs", events="DELETE", name="audit_delete"),
        )
    ),
    "pipeline_execution_tracking": row_trigger(
        "pipeline_execution_tracking", ignored=("log_lines", "traceback"), when=IN_A_SHELL
    ),
    # facts that people correct
    "market_days": row_trigger("market_days", key="date", when=BY_A_PERSON),
    "corporate_actions": row_trigger("corporate_actions", when=BY_A_PERSON),
}
_STATEMENTS = {
    **dict.fromkeys(
        (
            *("stocks", "symbol_changes", "stock_metrics", "exchange_facts", "financial_statements"),
            *("fundamental_snapshots", "historical_data", "technical_indicators", "quotes", "source_files"),
            *("rejected_rows", "findings", "publications", "daily_suggested_stocks", "evaluations"),
        ),
        BY_A_PERSON,
    ),
    **dict.fromkeys(("run_undo", "table_totals"), IN_A_SHELL),
}


# Tokens were the REST framework's when this was written: its table is made here where it never was, and goes with
# `0017_tokens_are_hashed`.
_TOKENS = """
CREATE TABLE IF NOT EXISTS authtoken_token (
    key varchar(40) PRIMARY KEY,
    created timestamptz NOT NULL,
    user_id bigint NOT NULL UNIQUE REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED
);
"""


def _statements():
    yield _TOKENS
    yield _FUNCTIONS
    yield _APPEND_ONLY
    for table, statement in _ROWS.items():
        yield statement
        yield truncate_trigger(table)
    for table, when in _STATEMENTS.items():
        yield statement_trigger(table, when=when)
        yield truncate_trigger(table)


_UNDO = """
DROP FUNCTION audit_row() CASCADE;
DROP FUNCTION audit_statement() CASCADE;
DROP FUNCTION audit_stamp() CASCADE;
DROP FUNCTION audit_refuse() CASCADE;
DROP FUNCTION audit_setting(text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0002_audit_log"),
        ("admin", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("axes", "0008_accessfailurelog"),
        ("brokers", "0001_broker_configurations"),
        ("django_q", "0017_task_cluster_alter"),
        ("market_data", "0004_evenings_can_be_held"),
        ("ml", "0001_models_and_evaluations"),
        ("portfolio", "0003_system_strategies"),
        ("stocks", "0001_stocks_facts_and_picks"),
    ]
    operations = [migrations.RunSQL("\n".join(_statements()), _UNDO)]
