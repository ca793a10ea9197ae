"""Bring a database to the present schema, as the migrator role, and give the service's role what it needs."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alembic import command
from alembic.config import Config

_PACKAGED = Path(__file__).parent.parent / "migrations"
_SOURCE = Path(__file__).parents[3] / "migrations"


def migrations_path() -> Path:
    """Inside an installed wheel, or beside the sources."""
    return _PACKAGED if _PACKAGED.is_dir() else _SOURCE


def migrate(migrator_url: str, app_url: str | None = None, revision: str = "head") -> None:
    """Upgrade to `revision`; blocks. `app_url` names the role that the service runs as."""
    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["url"] = migrator_url
    config.attributes["app_role"] = urlsplit(app_url).username if app_url else None
    command.upgrade(config, revision)


def run_script(operations: Any, script: str) -> None:
    """Run several statements, functions and triggers among them, inside the migration's transaction."""
    adapted = operations.get_bind().connection.dbapi_connection

    async def execute(connection: Any) -> None:
        await connection.execute(script)

    adapted.run_async(execute)
