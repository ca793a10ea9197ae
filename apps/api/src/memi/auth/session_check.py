"""The platform's `SessionCheck`, answered by one prepared statement."""

from memi.auth import queries
from memi.platform.errors import InvalidToken
from memi.platform.hot_pool import HotPool
from memi.platform.permissions import Role
from memi.platform.principal import Principal


class SessionChecker:
    def __init__(self, hot: HotPool) -> None:
        self._hot = hot

    async def check(self, principal: Principal) -> Principal:
        """The caller with their present roles; raises `InvalidToken` when the session or account no longer stands."""
        rows = await self._hot.run(queries.STANDING_SESSION, session_id=principal.session_id, user_id=principal.user_id)
        if not rows:
            raise InvalidToken
        return Principal(
            principal.user_id,
            principal.session_id,
            frozenset(Role(role) for role in rows[0]["roles"]),
            principal.expires_at,
            authenticated_at=rows[0]["authenticated_at"],
        )
