"""`order.updated`: both sides see an order move while they look at it, each what concerns them."""

from collections.abc import Sequence
from uuid import UUID

from memi.orders import moves, queries
from memi.orders.rendering import render
from memi.platform.runtime import Runtime
from memi.realtime.hub import Hub
from memi.realtime.recent import WINDOW, Recent, RecentSource

_AT_ONCE = 1000


def plug_in(runtime: Runtime, hub: Hub) -> None:
    """Give the hub this feature's events."""

    async def read(user_ids: list[UUID]) -> Sequence[Recent]:
        found: list[Recent] = []
        async with runtime.unit_of_work() as session:
            rows = (await queries.changed_since(session, user_ids, WINDOW, _AT_ONCE))[::-1]
            for user_id in user_ids:
                theirs = [item for item in rows if user_id in (item.buyer_id, item.seller_id)]
                shown = await render(session, theirs, user_id)
                found += [Recent((item.id, item.version), (user_id,), item) for item in shown]
        return found

    hub.add_source(RecentSource(hub, moves.TOPIC, "order.updated", read))
