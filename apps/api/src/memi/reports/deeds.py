"""What moderators do about somebody, by the services of the features it is done to, and how it is undone."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.audit.schemas import AuditFilter
from memi.chat import moderation as chats
from memi.listings import service as listings
from memi.listings.lifecycle import Status
from memi.platform.errors import NotFound, PermissionDenied, StepUpRequired
from memi.platform.permissions import STAFF, Permission
from memi.platform.principal import Principal
from memi.reports.errors import AlreadyBlocked, ChatIsClosed, StaffProtected, TargetGone
from memi.reports.models import Decision, Report
from memi.users import service as users

_NAMES = {"REMOVE_LISTING": "listing.remove", "BLOCK_USER": "user.block", "CLOSE_CHAT": "chat.close"}
_NEEDS = {"REMOVE_LISTING": Permission.LISTINGS_MODERATE, "BLOCK_USER": Permission.USERS_BLOCK}


def require_right(caller: Principal, action: str) -> None:
    """The deed's own permission, also to undo it; raises `PermissionDenied`, `StepUpRequired`."""
    needed = _NEEDS.get(action)
    if needed is not None and not caller.may(needed):
        raise PermissionDenied(f"This needs the permission {needed}.")
    if action == "BLOCK_USER" and not caller.recently_proved:
        raise StepUpRequired


async def lock_subject(session: AsyncSession, action: str, subject_id: UUID) -> None:
    """Before a decision is written that refers to the account: two at once would wait for each other."""
    if action == "BLOCK_USER":
        try:
            await users.lock(session, subject_id)
        except NotFound:
            raise TargetGone from None


async def do(session: AsyncSession, caller: Principal, decision: Decision, report: Report) -> None:
    """Raises what stands against it, `IllegalTransition` of listings among others; audited under the thing's name."""
    if decision.action == "REMOVE_LISTING":
        await _remove(session, caller, decision, report)
    elif decision.action == "BLOCK_USER":
        await _block(session, caller, decision)
    elif decision.action == "CLOSE_CHAT":
        assert report.chat_id is not None
        if not await chats.close(session, report.chat_id):
            raise ChatIsClosed
        await _record(session, caller, decision, "chat.close", "CHAT", report.chat_id, ({}, {}))
    elif decision.action == "WARN_USER":
        found = await users.get_many(session, [decision.subject_id])
        if found[decision.subject_id].deleted_at is not None:
            raise TargetGone
        await _record(session, caller, decision, "user.warn", "USER", decision.subject_id, ({}, {}))


async def _remove(session: AsyncSession, caller: Principal, decision: Decision, report: Report) -> None:
    if report.listing_id is None:
        raise TargetGone
    try:
        before = (await listings.lock(session, report.listing_id)).status
    except NotFound:
        raise TargetGone from None
    listing = await listings.remove(session, report.listing_id)
    facts = ({"status": before}, {"status": listing.status})
    await _record(session, caller, decision, "listing.remove", "LISTING", listing.id, facts)


async def _block(session: AsyncSession, caller: Principal, decision: Decision) -> None:
    try:
        user = await users.lock(session, decision.subject_id)
    except NotFound:
        raise TargetGone from None
    if STAFF & set(user.roles) and not caller.may(Permission.USERS_ROLES):
        raise StaffProtected
    if user.is_blocked:
        raise AlreadyBlocked
    await users.block(session, user.id)
    facts = ({"is_blocked": False}, {"is_blocked": True})
    await _record(session, caller, decision, "user.block", "USER", user.id, facts)


async def undo(session: AsyncSession, caller: Principal, decision: Decision, report: Report, why: str) -> bool:
    """Put back what the decision changed; False when that has changed since, and so is no longer its doing."""
    if decision.action == "REMOVE_LISTING":
        return await _restore(session, caller, decision, report, why)
    if decision.action == "BLOCK_USER":
        return await _unblock(session, caller, decision, why)
    if decision.action == "CLOSE_CHAT":
        assert report.chat_id is not None
        if not await chats.reopen(session, report.chat_id):
            return False
        await _record(session, caller, decision, "chat.reopen", "CHAT", report.chat_id, ({}, {}), why)
    return True


async def _restore(session: AsyncSession, caller: Principal, decision: Decision, report: Report, why: str) -> bool:
    if report.listing_id is None:
        return False
    listing = await listings.lock(session, report.listing_id)
    if listing.status != Status.REMOVED or not await _is_latest(session, decision, "LISTING", listing.id):
        return False
    listing = await listings.restore(session, listing.id)
    facts = ({"status": Status.REMOVED.value}, {"status": listing.status})
    await _record(session, caller, decision, "listing.restore", "LISTING", listing.id, facts, why)
    return True


async def _unblock(session: AsyncSession, caller: Principal, decision: Decision, why: str) -> bool:
    try:
        user = await users.lock(session, decision.subject_id)
    except NotFound:
        return False
    if not user.is_blocked or not await _is_latest(session, decision, "USER", user.id):
        return False
    await users.unblock(session, user.id)
    facts = ({"is_blocked": True}, {"is_blocked": False})
    await _record(session, caller, decision, "user.unblock", "USER", user.id, facts, why)
    return True


async def _is_latest(session: AsyncSession, decision: Decision, kind: str, target_id: UUID) -> bool:
    """Whether it was this decision that did it the last time: a later one stands on its own."""
    wanted = AuditFilter(action=_NAMES[decision.action], target_type=kind, target_id=str(target_id))
    (latest,) = await audit.find(session, wanted, before=None, limit=1)
    return (latest.after or {}).get("decision_id") == str(decision.id)


async def _record(  # noqa: PLR0917  # who, by what decision, what, to whom, from what to what
    session: AsyncSession,
    caller: Principal,
    decision: Decision,
    action: str,
    kind: str,
    target_id: UUID,
    facts: tuple[dict[str, Any], dict[str, Any]],
    why: str | None = None,
) -> None:
    """`why` is the decision's own statement unless it is undone."""
    before, after = facts
    after = {**after, "decision_id": decision.id}
    await audit.record(
        session, caller, action, kind, target_id, reason=why or decision.statement, before=before, after=after
    )
