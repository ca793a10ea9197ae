"""What the image pool and its child processes say to each other."""

import msgspec

from memi.media.results import ProcessedImage, RejectionCode

LENGTH_BYTES = 4


class Order(msgspec.Struct, frozen=True):
    """One picture to process: the arguments of `process_image`."""

    path: str
    declared_type: str
    max_pixels: int
    avif: bool


class Done(msgspec.Struct, frozen=True, tag=True):
    """The picture was processed."""

    image: ProcessedImage


class Rejected(msgspec.Struct, frozen=True, tag=True):
    """The picture was refused for good."""

    code: RejectionCode


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """The file could not be read; `errno` as the system tells it."""

    errno: int


Answer = Done | Rejected | Unreadable


def frame(payload: bytes) -> bytes:
    """Prefix a payload with its length."""
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload
