"""Roles are sets of permissions; guards ask for permissions."""

from enum import StrEnum


class Role(StrEnum):
    USER = "USER"
    SELLER = "SELLER"
    MODERATOR = "MODERATOR"
    ADMIN = "ADMIN"


class Permission(StrEnum):
    LISTINGS_MODERATE = "listings:moderate"
    REPORTS_HANDLE = "reports:handle"
    USERS_READ = "users:read"
    USERS_BLOCK = "users:block"
    USERS_DELETE = "users:delete"
    USERS_ROLES = "users:roles"
    USERS_RESET_MFA = "users:reset_mfa"
    AUDIT_READ = "audit:read"
    CATALOG_WRITE = "catalog:write"
    SEARCH_REPLAY = "search:replay"
    JOBS_MANAGE = "jobs:manage"


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
    Role.ADMIN: frozenset(Permission),
}
STAFF = frozenset({Role.MODERATOR, Role.ADMIN})
