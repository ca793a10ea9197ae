"""`memi replay-search`: rebuild what browsing and searching read, here and now."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import Progress

from memi import wiring
from memi.cli.database import open_database
from memi.cli.errors import BadUsage, CommandFailed
from memi.platform.errors import ServiceBusy, ValidationFailed
from memi.platform.settings import Settings, load_settings
from memi.search import replaying
from memi.search.errors import ReplayUnderWay


def replay_search(
    since: Annotated[
        str | None, typer.Option(help="Only what changed from then on: RFC 3339, within the last day.")
    ] = None,
    listing: Annotated[list[UUID] | None, typer.Option(help="Only this listing; may be repeated.")] = None,
) -> None:
    """Rebuild the cards of all listings while they are read. Interrupted, a worker finishes it."""
    if since is not None and listing:
        raise BadUsage("give --since or --listing")
    moment = None if since is None else _moment(since)
    settings = load_settings()
    with open_database(settings) as urls:
        handled = asyncio.run(_replay(settings, urls.app, moment, listing or None))
    print(f"{handled} listings were read again.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUsage(f"--since: {text} is not a time like 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _replay(settings: Settings, database_url: str, since: datetime | None, listing: list[UUID] | None) -> int:
    scope = "since" if since is not None else "listing_ids" if listing is not None else "all"
    async with wiring.open_runtime(settings, database_url) as runtime:
        try:
            async with runtime.unit_of_work() as session:
                replay_id = await replaying.begin(session, scope, since=since, listing_ids=listing)
                estimated = (await replaying.read(session, replay_id)).estimated
        except ValidationFailed as refusal:
            raise CommandFailed(" ".join(error.message for error in refusal.errors)) from None
        except (ReplayUnderWay, ServiceBusy) as refusal:
            raise CommandFailed(refusal.detail) from None
        handled, more = 0, True
        with Progress() as progress:
            task = progress.add_task("listings", total=estimated)
            while more:
                async with runtime.unit_of_work() as session:
                    more = await replaying.step(session, replay_id)
                    handled = (await replaying.read(session, replay_id)).handled
                progress.update(task, completed=handled)
        return handled
