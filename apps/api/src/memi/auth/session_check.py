"""The platform's `SessionCheck`, answered by one prepared statement."""

from memi.auth import queries
from memi.auth.policy import AuthPolicy
from memi.platform.errors import InvalidToken
from memi.platform.hot_pool import HotPool
from memi.platform.principal import Principal


class SessionChecker:
    def __init__(self, hot: HotPool, policy: AuthPolicy) -> None:
        self._hot = hot
        self._policy = policy

    async def check(self, principal: Principal) -> Principal:
        """The caller with their present roles; raises `InvalidToken` when the session or account no longer stands."""
        rows = await self._hot.run(
            queries.STANDING_SESSION,
            session_id=principal.session_id,
            user_id=principal.user_id,
            step_up=self._policy.step_up,
        )
        if not rows:
            raise InvalidToken
        roles, may_only_enrol = self._policy.roles_of(rows[0]["roles"], rows[0]["mfa_at"])
        return Principal(
            principal.user_id,
            principal.session_id,
            roles,
            principal.expires_at,
            may_only_enrol=may_only_enrol,
            authenticated_at=rows[0]["authenticated_at"],
            recently_proved=rows[0]["recently_proved"],
        )
