"""Rules of the address book. While it has addresses, exactly one of them is the default."""

from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import FieldError, NotAuthenticated, NotFound, ValidationFailed
from memi.users import addresses_queries, queries
from memi.users.addresses_schemas import AddressCreate, AddressRead, AddressUpdate
from memi.users.errors import TooManyAddresses
from memi.users.models import UserAddress

MAX_ADDRESSES = 20
_SENT_TO = ("recipient", "phone", "line1", "line2", "city", "postal_code")
_NEVER_NULL = ("recipient", "line1", "city", "is_default")


async def page(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, cursor: str | None, limit: int
) -> Page[AddressRead]:
    """A person's addresses, newest first; raises `InvalidCursor`."""
    scope = f"addresses:{user_id}"
    before: Any = cursors.decode(scope, cursor, (UUID,))[0] if cursor is not None else None
    rows = await addresses_queries.page(session, user_id, before, limit + 1)
    following = cursors.encode(scope, rows[limit - 1].id) if len(rows) > limit else None
    return Page([to_read(row) for row in rows[:limit]], following)


async def add(session: AsyncSession, user_id: UUID, data: AddressCreate) -> UserAddress:
    """Put an address into the book; the first is the default. Raises `TooManyAddresses`, `ValidationFailed`."""
    await _hold(session, user_id)
    present = await addresses_queries.count(session, user_id)
    if present >= MAX_ADDRESSES:
        raise TooManyAddresses
    values = data.model_dump()
    values["city"] = data.city.upper()
    values["is_default"] = data.is_default or present == 0
    if values["is_default"]:
        await addresses_queries.unset_default(session, user_id)
    address = UserAddress(user_id=user_id, **values)
    session.add(address)
    await _flush(session)
    await session.refresh(address)
    return address


async def update(session: AsyncSession, user_id: UUID, address_id: UUID, patch: AddressUpdate) -> UserAddress:
    """Apply a merge patch; making one the default moves that from the other.

    Raises `NotFound`, also for others' addresses, and `ValidationFailed`.
    """
    await _hold(session, user_id)
    address = await addresses_queries.own(session, user_id, address_id)
    if address is None:
        raise NotFound
    changes = patch.model_dump(include=patch.model_fields_set)
    errors = [
        FieldError(f"/{name}", "required", "This field cannot be empty.")
        for name in _NEVER_NULL
        if name in changes and changes[name] is None
    ]
    if address.is_default and changes.get("is_default") is False:
        errors.append(FieldError("/is_default", "required", "Make another address the default instead."))
    if errors:
        raise ValidationFailed(errors)
    if "city" in changes:
        changes["city"] = changes["city"].upper()
    if changes.get("is_default") and not address.is_default:
        await addresses_queries.unset_default(session, user_id)
    for name, value in changes.items():
        setattr(address, name, value)
    await _flush(session)
    return address


async def remove(session: AsyncSession, user_id: UUID, address_id: UUID) -> None:
    """Take an address out of the book; the newest one left takes the place of a default. Raises `NotFound`."""
    await _hold(session, user_id)
    address = await addresses_queries.own(session, user_id, address_id)
    if address is None:
        raise NotFound
    was_default = address.is_default
    await session.delete(address)
    await session.flush()
    if was_default:
        await addresses_queries.default_newest(session, user_id)


async def frozen(session: AsyncSession, user_id: UUID, address_id: UUID) -> dict[str, Any] | None:
    """Where things are sent to, as the person's book has it now; None when it is not in their book."""
    address = await addresses_queries.own(session, user_id, address_id)
    if address is None:
        return None
    return {name: getattr(address, name) for name in _SENT_TO}


def to_read(address: UserAddress) -> AddressRead:
    return AddressRead(
        id=address.id,
        label=address.label,
        recipient=address.recipient,
        phone=address.phone,
        line1=address.line1,
        line2=address.line2,
        city=address.city,
        postal_code=address.postal_code,
        is_default=address.is_default,
        created_at=address.created_at,
    )


async def _hold(session: AsyncSession, user_id: UUID) -> None:
    """One change of a person's book at a time, so that limit and default hold."""
    if not await queries.hold(session, user_id):
        raise NotAuthenticated


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        constraint = getattr(error.orig.__cause__ if error.orig else None, "constraint_name", "")
        if constraint == "fk_user_addresses_city":
            raise ValidationFailed.of("/city", "unknown_value", "There is no such city.") from None
        raise
