"""Roles are sets of permissions; guards ask for permissions."""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    USER = "USER"
    SELLER = "SELLER"
    MODERATOR = "MODERATOR"
    ADMIN = "ADMIN"
    CHAT_INSPECTOR = "CHAT_INSPECTOR"
    """Beside ADMIN: may also read the chats of whom they impersonate."""


class Permission(StrEnum):
    LISTINGS_MODERATE = "listings:moderate"
    LISTINGS_RESTORE = "listings:restore"
    REPORTS_HANDLE = "reports:handle"
    USERS_READ = "users:read"
    USERS_BLOCK = "users:block"
    USERS_DELETE = "users:delete"
    USERS_ERASE_WORDS = "users:erase_words"
    USERS_ROLES = "users:roles"
    USERS_RESET_MFA = "users:reset_mfa"
    USERS_IMPERSONATE = "users:impersonate"
    CHATS_IMPERSONATE = "chats:impersonate"
    AUDIT_READ = "audit:read"
    DATA_EXPORT = "data:export"
    CATALOG_WRITE = "catalog:write"
    SEARCH_REPLAY = "search:replay"
    JOBS_MANAGE = "jobs:manage"
    ANALYTICS_READ = "analytics:read"


_MODERATOR = frozenset(
    {
        Permission.LISTINGS_MODERATE,
        Permission.REPORTS_HANDLE,
        Permission.USERS_READ,
        Permission.USERS_BLOCK,
        Permission.AUDIT_READ,
    }
)
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.USER: frozenset(),
    Role.SELLER: frozenset(),
    Role.MODERATOR: _MODERATOR,
    Role.ADMIN: frozenset(Permission) - {Permission.CHATS_IMPERSONATE},
    Role.CHAT_INSPECTOR: frozenset({Permission.CHATS_IMPERSONATE}),
}
STAFF = frozenset({Role.MODERATOR, Role.ADMIN, Role.CHAT_INSPECTOR})


def grants(roles: Iterable[str], permission: Permission) -> bool:
    """Whether one of `roles` has the permission."""
    return any(permission in ROLE_PERMISSIONS[Role(role)] for role in roles)
