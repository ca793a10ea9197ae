"""A person's picture: an upload of theirs, claimed for as long as it is shown."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import service as media
from memi.media.schemas import ImageRead
from memi.users.errors import AvatarNotReady
from memi.users.models import User


def claimant(user_id: UUID) -> str:
    """The name under which a person claims their picture."""
    return f"user:{user_id}"


async def choose(session: AsyncSession, user: User, upload_id: UUID | None) -> dict[str, Any]:
    """Claim the new picture, let go of the old one; returns the columns to set. The account must be locked.

    Raises `AvatarNotReady`, or `ValidationFailed` for one that is not theirs or can never be shown.
    """
    old = user.avatar_upload_id
    if upload_id == old:
        return {}
    url: str | None = None
    if upload_id is not None:
        await media.attach_one(session, user.id, upload_id, claimant(user.id), pointer="/avatar")
        image = (await media.images(session, [upload_id]))[upload_id]
        if image.status != "READY":
            raise AvatarNotReady
        url = _small(image)
    if old is not None:
        await media.detach(session, claimant(user.id), [old])
    return {"avatar_upload_id": upload_id, "avatar_url": url}


def _small(image: ImageRead) -> str | None:
    """The narrowest rendition that every client can show."""
    common = [item for item in image.renditions if item.content_type == "image/webp"]
    return min(common, key=lambda item: item.width).url if common else image.url
