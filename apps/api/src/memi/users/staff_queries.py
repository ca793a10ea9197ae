"""Statements by which staff find people."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of
from memi.platform.permissions import Role
from memi.users.models import SellerStats, User


@dataclass(frozen=True)
class UserSearch:
    """What is given must fit. `part`: of the address or name in any case, or the whole id."""

    part: str | None = None
    role: Role | None = None
    blocked: bool | None = None
    deleted: bool | None = None


async def search(session: AsyncSession, wanted: UserSearch, place: Place) -> Found[User]:
    """Newest first; ids are time-ordered."""
    statement = select(User)
    part = wanted.part
    if part is not None:
        within = [User.email.icontains(part, autoescape=True), User.name.icontains(part, autoescape=True)]
        known = _as_id(part)
        statement = statement.where(or_(*within) if known is None else User.id == known)
    if wanted.role is not None:
        statement = statement.where(User.roles.contains([str(wanted.role)]))
    if wanted.blocked is not None:
        statement = statement.where(User.is_blocked if wanted.blocked else ~User.is_blocked)
    if wanted.deleted is not None:
        statement = statement.where(User.deleted_at.is_not(None) if wanted.deleted else User.deleted_at.is_(None))
    return await page_of(session, statement, place, User.id)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def stats_of(session: AsyncSession, user_id: UUID) -> SellerStats | None:
    return await session.get(SellerStats, user_id, populate_existing=True)
