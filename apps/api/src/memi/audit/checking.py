"""Following the whole audit log, in memory that does not grow with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memi.audit import chain_queries as queries
from memi.audit.chain import Anchor, Follower, Head

_EVERY = 500


@dataclass(frozen=True)
class Checked:
    """A log that is what was written. `sleeping` are its guards that do not stand."""

    head: Head
    sleeping: Sequence[str]


async def check(url: str, anchors: Sequence[Anchor], on_progress: Callable[[int, int], None]) -> Checked:
    """Follow every entry of the database at `url`, as they stand at one moment; raises `Broken`.

    `on_progress` is told how many entries were followed, and of how many.
    """
    async with queries.snapshot(url) as connection:
        head = await queries.head(connection)
        total = head.seq if head is not None else 0
        follower = Follower(anchors)
        links = queries.links(connection)
        try:
            async for link in links:
                follower.follow(link)
                if follower.head.seq % _EVERY == 0:
                    on_progress(follower.head.seq, total)
        finally:
            await links.aclose()
        last = follower.finish(head)
        on_progress(last.seq, total)
        return Checked(last, await queries.sleeping_guards(connection))
