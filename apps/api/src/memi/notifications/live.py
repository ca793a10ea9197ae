"""`notification.created`: what a person is told reaches their open sockets at once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from memi.notifications import queries, service
from memi.notifications.schemas import NotificationRead
from memi.platform import clock
from memi.platform.ids import floor_of
from memi.platform.runtime import Runtime
from memi.realtime.hub import Hub
from memi.realtime.recent import WINDOW, Recent, RecentSource


def plug_in(runtime: Runtime, hub: Hub) -> None:
    """Give the hub this feature's events."""

    async def read(user_ids: list[UUID]) -> Sequence[Recent]:
        rows = await runtime.database.hot.fetch(queries.RECENT, user_ids, floor_of(clock.now() - WINDOW))
        return [
            Recent(
                row["id"],
                (row["user_id"],),
                NotificationRead(
                    id=row["id"],
                    type=row["type"],
                    event=row["event"],
                    data=msgspec.json.decode(row["data"], type=dict[str, Any]),
                    read_at=row["read_at"],
                    created_at=row["created_at"],
                ),
            )
            for row in rows
        ]

    hub.add_source(RecentSource(hub, service.TOPIC, "notification.created", read))
