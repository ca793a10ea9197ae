"""The `memi` command."""

import sys

import asyncpg
import typer
from sqlalchemy.exc import DBAPIError

from memi.cli import (
    accounts,
    analytics,
    data,
    demo,
    demo_shop,
    doctor,
    export,
    import_users,
    mails,
    openapi,
    processes,
    replay_search,
    up,
)
from memi.cli.errors import BadUsage, CommandFailed, complain
from memi.platform.postgres_files import EmbeddedPostgresError
from memi.platform.settings import ConfigurationError

app = typer.Typer(
    name="memi",
    help="The backend of a second-hand fashion marketplace. Configured by MEMI_* variables; see .env.example.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(processes.serve)
app.command()(processes.worker)
app.command()(data.migrate)
app.command()(data.seed)
app.command()(demo.demo)
app.command(hidden=True)(demo_shop.fill_demo_shop)
app.command()(accounts.createadmin)
app.command()(import_users.import_users)
app.command()(mails.mails)
app.command()(replay_search.replay_search)
app.command()(doctor.doctor)
app.command()(openapi.openapi)
app.add_typer(export.app, name="export")
app.add_typer(analytics.app, name="analytics")


def main() -> None:
    """Run the command; what an operator can mend is said in a line, everything else is a bug and shows where."""
    try:
        app()
    except (ConfigurationError, BadUsage) as error:
        complain(str(error))
        sys.exit(2)
    except (CommandFailed, EmbeddedPostgresError) as error:
        complain(str(error))
        sys.exit(1)
    except (ConnectionError, TimeoutError, asyncpg.PostgresError, DBAPIError) as error:
        complain(f"the database cannot be used: {type(error).__name__}: {str(error).splitlines()[0]}")
        sys.exit(1)


if __name__ == "__main__":
    main()
