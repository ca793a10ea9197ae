"""What the service's database role may do: everything with rows, except rewriting what is append-only."""

from sqlalchemy import Connection, text

APPEND_ONLY = ("messages", "audit_log", "usage_events", "status_moves")
"""Tables whose rows are never changed or removed by the service; triggers refuse it to the owner as well."""
READ_ONLY = ("audit_head",)
"""Tables that the database itself writes, by functions that run as the owner."""


def grant_to_service(connection: Connection, role: str) -> None:
    """Idempotent; run after every migration. A role that is the owner itself needs no grants."""
    if connection.scalar(text("SELECT current_user")) == role:
        return
    quoted = '"' + role.replace('"', '""') + '"'
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {quoted}",
    ):
        connection.exec_driver_sql(statement)
    refused = [(table, "UPDATE, DELETE, TRUNCATE") for table in APPEND_ONLY]
    refused += [(table, "INSERT, UPDATE, DELETE, TRUNCATE") for table in READ_ONLY]
    for table, rights in refused:
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"public.{table}"}) is not None:
            connection.exec_driver_sql(f"REVOKE {rights} ON {table} FROM {quoted}")
