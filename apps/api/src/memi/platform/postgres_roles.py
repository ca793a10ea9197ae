"""The roles and the database inside an embedded server, made with its own `psql`.

`memi_migrator` owns the database and may make more (tests clone templates); `memi_app` may do what migrations grant it.
The extensions memi needs are trusted ones, so the migrations create them, here as on a managed server.
"""

import subprocess
from pathlib import Path

from memi.platform.postgres_files import Credentials, EmbeddedPostgresError, clean_environment

DATABASE, SUPERUSER, MIGRATOR, APP = "memi", "postgres", "memi_migrator", "memi_app"

# Repeatable: every start brings the roles to this state. A failing statement is not logged, since it holds a password.
_PROVISION = """
SET log_min_error_statement = panic;
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY['{migrator}', '{app}']) AS wanted
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \\gexec
ALTER ROLE {migrator} LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{migrator_password}';
ALTER ROLE {app} LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{app_password}';
SELECT 'CREATE DATABASE {database} OWNER {migrator}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec
"""


def provision(installation: Path, port: int, credentials: Credentials, *, timeout: float) -> None:
    """Bring roles, passwords and the database `memi` into being. EmbeddedPostgresError when the server refuses."""
    script = _PROVISION.format(
        database=DATABASE,
        migrator=MIGRATOR,
        app=APP,
        migrator_password=credentials.migrator,
        app_password=credentials.app,
    )
    result = _psql(installation, port, (SUPERUSER, credentials.superuser, "postgres"), script, timeout=timeout)
    if result.returncode != 0:
        raise EmbeddedPostgresError(f"cannot set up the database roles: {result.stderr.strip()}")


def accepts_app(installation: Path, port: int, credentials: Credentials, *, timeout: float) -> bool:
    """Whether the server on `port` is ours and set up. SCRAM tells a stranger on that port nothing."""
    try:
        return _psql(installation, port, (APP, credentials.app, DATABASE), "SELECT 1", timeout=timeout).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _psql(
    installation: Path, port: int, login: tuple[str, str, str], script: str, *, timeout: float
) -> subprocess.CompletedProcess[str]:
    role, password, database = login
    return subprocess.run(
        [str(installation / "bin" / "psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"],
        input=script,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=timeout,
        env=clean_environment()
        | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": role,
            "PGDATABASE": database,
            "PGPASSWORD": password,
            "PGREQUIREAUTH": "scram-sha-256",
            "PGCONNECT_TIMEOUT": "5",
            "PGSSLMODE": "disable",
        },
    )
