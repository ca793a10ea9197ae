"""`memi analytics rebuild`: days counted anew, for what came in by other ways than the service's own."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from memi import wiring
from memi.analytics import counting
from memi.cli.database import open_database
from memi.cli.errors import BadUsage
from memi.platform import clock
from memi.platform.settings import Settings, load_settings

app = typer.Typer(help="What is counted of each day for `GET /admin/analytics`.", no_args_is_help=True)


@app.callback()
def analytics() -> None:
    """What is counted of each day for `GET /admin/analytics`."""


@app.command()
def rebuild(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")],
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day (UTC); today if left out.")
    ] = None,
) -> None:
    """Count days anew. May be stopped and run again, beside workers too: a worker finishes what was begun."""
    settings = load_settings()
    today = clock.now().date()
    start, end = first.date(), today if last is None else last.date()
    if start > end:
        raise BadUsage("--from must not be after --to")
    if end > today:
        raise BadUsage("--to must not be after today, which ends with the day of UTC")
    oldest = today - timedelta(days=settings.usage_days - 1)
    if start < oldest:
        print(f"Before {oldest} views, searches and who was here are not kept: what was counted of them stays.")
    with open_database(settings) as urls:
        asyncio.run(_rebuild(settings, urls.app, start, end))
    print(f"The days from {start} to {end} are counted.")


async def _rebuild(settings: Settings, database_url: str, start: date, end: date) -> None:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("days", total=(end - start).days + 1)
        async with wiring.open_runtime(settings, database_url) as runtime:
            await counting.rebuild(runtime, start, end, lambda done, _: progress.update(task, completed=done))
