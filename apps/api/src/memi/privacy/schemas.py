"""Shapes of personal data's own processes."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel


class RestoreAccount(RequestModel):
    """`token` is the one at the end of the link in the mail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQwz12"}]}
    )

    token: Annotated[str, Field(min_length=20, max_length=200)]


class ExportRead(msgspec.Struct):
    """How far one's export is. READY: `url` works for some minutes, ask again for another; `size` in bytes.

    `expires_at` is when the file itself is removed.
    """

    status: Literal["PENDING", "READY"]
    requested_at: datetime
    url: str | None
    size: int | None
    expires_at: datetime | None
