"""Shapes of acting in somebody else's place."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.admin.schemas import Reason
from memi.platform.paging import PageQuery


class ImpersonationRequest(Reason):
    """Why, for the audit log. `chats` asks to read the person's chats too, which needs `chats:impersonate`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"reason": "Ticket 4711: does not see their favourites"},
                {"reason": "Ticket 4712: a chat shows nothing", "chats": True},
            ]
        }
    )

    chats: bool = False


class ImpersonationQuery(PageQuery):
    admin: Annotated[UUID, Field(description="Only those that this member of staff began.")] | None = None
    user: Annotated[UUID, Field(description="Only those in this person's place.")] | None = None
    active: Annotated[bool, Field(description="Only those that still work.")] = False


class ImpersonationRead(msgspec.Struct):
    """`active`: its token still works. `ended_because` is written within a minute of the end."""

    id: UUID
    admin_id: UUID
    user_id: UUID
    reason: str
    chats: bool
    active: bool
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_because: str | None


class Banner(msgspec.Struct):
    """What a front end shows for as long as the token is used."""

    impersonation_id: UUID
    user_id: UUID
    user_name: str
    impersonated_by: UUID
    reason: str
    expires_at: datetime


class ImpersonationStarted(msgspec.Struct):
    """An access token that says in `act` who acts. There is none to refresh it with."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    banner: Banner
