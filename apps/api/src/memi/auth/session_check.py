"""The platform's `SessionCheck`, answered by one prepared statement."""

from dataclasses import replace

from memi.auth import impersonation_queries, queries
from memi.auth.policy import AuthPolicy
from memi.platform.errors import InvalidToken
from memi.platform.hot_pool import HotPool
from memi.platform.permissions import Permission, Role, grants
from memi.platform.principal import Principal


class SessionChecker:
    def __init__(self, hot: HotPool, policy: AuthPolicy) -> None:
        self._hot = hot
        self._policy = policy

    async def check(self, principal: Principal) -> Principal:
        """The caller with their present roles; raises `InvalidToken` when the session or account no longer stands."""
        if principal.impersonator_id is not None:
            return await self._check_impersonation(principal)
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
            second_factor=rows[0]["mfa_at"] is not None,
        )

    async def _check_impersonation(self, principal: Principal) -> Principal:
        """Nothing is proved by it, and it opens chats only while whoever acts may still read them."""
        rows = await self._hot.run(
            impersonation_queries.STANDING_IMPERSONATION,
            session_id=principal.session_id,
            user_id=principal.user_id,
            admin_id=principal.impersonator_id,
        )
        if not rows:
            raise InvalidToken
        may_read = rows[0]["chats"] and grants(rows[0]["staff_roles"], Permission.CHATS_IMPERSONATE)
        roles = frozenset(Role(name) for name in rows[0]["roles"])
        return replace(principal, roles=roles, may_read_chats=may_read)
