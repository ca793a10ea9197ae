"""`reservation.updated`: both sides see a reservation move while they look at it."""

from collections.abc import Sequence
from uuid import UUID

from memi.platform.runtime import Runtime
from memi.realtime.hub import Hub
from memi.realtime.recent import WINDOW, Recent, RecentSource
from memi.reservations import queries, service

_AT_ONCE = 1000


def plug_in(runtime: Runtime, hub: Hub) -> None:
    """Give the hub this feature's events."""

    async def read(user_ids: list[UUID]) -> Sequence[Recent]:
        async with runtime.unit_of_work() as session:
            rows = await queries.changed_since(session, user_ids, WINDOW, _AT_ONCE)
            shown = await service.render(session, rows[::-1])
        return [Recent((item.id, item.version), (item.buyer_id, item.seller_id), item) for item in shown]

    hub.add_source(RecentSource(hub, service.TOPIC, "reservation.updated", read))
