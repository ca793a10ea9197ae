"""`listing.updated`: both sides of a chat see its item change while they look at it.

A hint to show something anew: it is told as it happens, kept nowhere, and what it tells can be read at any time.
"""

from uuid import UUID

from memi.chat import queries
from memi.listings import service as listings
from memi.platform.runtime import Runtime
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

TOPIC = "listings"


def plug_in(runtime: Runtime, hub: Hub) -> None:
    """Give the hub this event."""
    hub.add_source(ListingWatch(runtime, hub))


class ListingWatch:
    """The hub's source of `listing.updated`; pokes carry listing ids."""

    topic = TOPIC

    def __init__(self, runtime: Runtime, hub: Hub) -> None:
        self._runtime = runtime
        self._hub = hub

    async def attach(self, connection: Connection) -> None:
        """Nothing to remember: what a listing is can always be read."""

    async def pull(self, keys: set[str] | None) -> None:
        """Tell the connected people whom these listings concern; a timer's pull has nothing to tell."""
        connected = self._hub.connected_users()
        if not keys or not connected:
            return
        listing_ids = [UUID(key) for key in keys]
        async with self._runtime.unit_of_work() as session:
            concerned = await queries.people_of_listings(session, listing_ids, connected)
            stubs = await listings.stubs(session, list(concerned))
        for listing_id, people in concerned.items():
            if listing_id in stubs:
                self._hub.push(people, "listing.updated", stubs[listing_id])
