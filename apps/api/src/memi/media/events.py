"""What becomes of uploads, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class UploadReady:
    """The picture is processed and can be shown."""

    upload_id: UUID
    owner_id: UUID


@dataclass(frozen=True)
class UploadRejected:
    """The picture will never be shown; `code` says why, as the upload does."""

    upload_id: UUID
    owner_id: UUID
    code: str
