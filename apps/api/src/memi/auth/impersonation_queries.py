"""Every statement about impersonations."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from memi.auth.impersonation_models import Impersonation
from memi.auth.models import AuthSession
from memi.platform.hot_pool import HotStatement
from memi.platform.ids import new_id
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of
from memi.platform.permissions import ROLE_PERMISSIONS, STAFF, Permission
from memi.users.models import User

Position = tuple[datetime, UUID]
Ts = TypeVarTuple("Ts")
_ADMIN = aliased(User, name="admin")
_MAY = sorted(role for role, granted in ROLE_PERMISSIONS.items() if Permission.USERS_IMPERSONATE in granted)


def _over() -> ColumnElement[Any]:
    """Why an impersonation does not stand, now; NULL while it does. The one place that says so."""
    person_changed = or_(
        User.epoch != Impersonation.epoch,
        User.is_blocked,
        User.deleted_at.is_not(None),
        User.roles.overlap(sorted(STAFF)),
    )
    staff_left = or_(
        AuthSession.id.is_(None),
        AuthSession.revoked_at.is_not(None),
        AuthSession.expires_at <= func.now(),
        AuthSession.epoch != _ADMIN.epoch,
        AuthSession.mfa_at.is_(None),
        _ADMIN.is_blocked,
        _ADMIN.deleted_at.is_not(None),
    )
    return case(
        (Impersonation.ended_because.is_not(None), Impersonation.ended_because),
        (Impersonation.expires_at <= func.now(), "expired"),
        (person_changed, "account_changed"),
        (staff_left, "staff_signed_out"),
        (~_ADMIN.roles.overlap(_MAY), "permission_lost"),
        else_=None,
    )


def _joined(statement: Select[*Ts]) -> Select[*Ts]:
    """With the person, the member of staff and the session that it hangs on."""
    return (
        statement.select_from(Impersonation)
        .join(User, User.id == Impersonation.user_id)
        .join(_ADMIN, _ADMIN.id == Impersonation.admin_id)
        .outerjoin(
            AuthSession,
            and_(AuthSession.id == Impersonation.admin_session_id, AuthSession.user_id == Impersonation.admin_id),
        )
    )


STANDING_IMPERSONATION = HotStatement(
    _joined(select(User.roles, _ADMIN.roles.label("staff_roles"), Impersonation.chats)).where(
        Impersonation.id == bindparam("session_id"),
        Impersonation.user_id == bindparam("user_id"),
        Impersonation.admin_id == bindparam("admin_id"),
        _over().is_(None),
    )
)
"""The present roles of both, if the impersonation stands."""


async def begin(session: AsyncSession, life: timedelta, **values: Any) -> Impersonation:
    """By the database's clock."""
    statement = insert(Impersonation).values(id=new_id(), expires_at=func.now() + life, **values)
    return (await session.scalars(statement.returning(Impersonation))).one()


async def hold(session: AsyncSession, impersonation_id: UUID) -> bool:
    """Let nobody end it before this unit of work does; whether it has not ended."""
    statement = (
        select(Impersonation.id)
        .where(
            Impersonation.id == impersonation_id,
            Impersonation.ended_at.is_(None),
            Impersonation.expires_at > func.now(),
        )
        .with_for_update(read=True)
    )
    return await session.scalar(statement) is not None


async def end(session: AsyncSession, impersonation_id: UUID, because: str) -> Impersonation | None:
    """What ended now; None when there is no such impersonation or it has ended."""
    statement = (
        update(Impersonation)
        .where(Impersonation.id == impersonation_id, Impersonation.ended_at.is_(None))
        .values(ended_at=func.now(), ended_because=because)
        .returning(Impersonation)
    )
    return (await session.scalars(statement)).one_or_none()


async def over(session: AsyncSession, after: Position | None, limit: int) -> Sequence[Position]:
    """Those that do not stand and nobody has ended, oldest first."""
    statement = (
        _joined(select(Impersonation.created_at, Impersonation.id))
        .where(Impersonation.ended_at.is_(None), _over().is_not(None))
        .order_by(Impersonation.created_at, Impersonation.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(Impersonation.created_at, Impersonation.id) > after)
    return [(row.created_at, row.id) for row in await session.execute(statement)]


async def lock_over(session: AsyncSession, impersonation_id: UUID) -> str | None:
    """Why it is over though nobody has ended it, locked; None when it stands, has ended, or is in somebody's hands."""
    statement = (
        _joined(select(_over().label("because")))
        .where(Impersonation.id == impersonation_id, Impersonation.ended_at.is_(None))
        .with_for_update(of=Impersonation, skip_locked=True)
    )
    return await session.scalar(statement)


async def page(
    session: AsyncSession, place: Place, *, admin: UUID | None, user: UUID | None, standing: bool
) -> Found[Impersonation]:
    """The newest first."""
    statement = _joined(select(Impersonation))
    if admin is not None:
        statement = statement.where(Impersonation.admin_id == admin)
    if user is not None:
        statement = statement.where(Impersonation.user_id == user)
    if standing:
        statement = statement.where(_over().is_(None))
    return await page_of(session, statement, place, Impersonation.created_at, Impersonation.id)


async def standing_among(session: AsyncSession, ids: Collection[UUID]) -> set[UUID]:
    statement = _joined(select(Impersonation.id)).where(Impersonation.id.in_(ids), _over().is_(None))
    return set((await session.scalars(statement)).all())


async def prune(session: AsyncSession, days: int) -> None:
    """Forget those that ended `days` ago; the audit log keeps that they were."""
    past = func.now() - func.make_interval(0, 0, 0, days)
    await session.execute(
        delete(Impersonation).where(Impersonation.ended_at < past).execution_options(synchronize_session=False)
    )
