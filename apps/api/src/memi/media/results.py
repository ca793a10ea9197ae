"""What comes of an uploaded photo, good or bad. Imports no image library, so that the API can speak of it too."""

from enum import StrEnum

import msgspec

from memi.media.sniffing import is_refused_format, sniff

MAX_PIXELS = 50_000_000
_ACCEPTED = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"})
_ALIASES = {"image/jpg": "image/jpeg", "image/heif": "image/heic"}


class RejectionCode(StrEnum):
    """Why a picture was refused. Stable: shown to clients as the upload's `code`."""

    UNSUPPORTED_TYPE = "unsupported_type"
    """A known format that is not taken (GIF, TIFF, SVG, PDF, ...), or such a type was declared."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is nothing that is known as a picture."""
    TYPE_MISMATCH = "type_mismatch"
    """A picture, but of another type than was declared."""
    TOO_LARGE = "too_large"
    """The file has too many bytes."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """Width times height, as the header tells, is over the limit."""
    TOO_NARROW = "too_narrow"
    """So long and thin a strip that no rendition of it can be written."""
    TRUNCATED = "truncated"
    """The file breaks off before its picture ends."""
    DECODE_FAILED = "decode_failed"
    """The picture is damaged."""
    TIMED_OUT = "timed_out"
    """Decoding it takes longer than any honest photo does."""
    SIZE_MISMATCH = "size_mismatch"
    """What arrived is not as long as was announced."""
    CHECKSUM_MISMATCH = "checksum_mismatch"
    """What arrived does not have the announced SHA-256."""
    PROCESSING_FAILED = "processing_failed"
    """Processing it failed each time it was tried."""


class ImageRejected(Exception):
    """The picture will never be accepted as it is; trying again is pointless."""

    def __init__(self, code: RejectionCode) -> None:
        super().__init__(code.value)
        self.code = code


class Rendition(msgspec.Struct, frozen=True):
    """One encoded picture: sRGB, upright, opaque, without metadata. `width` and `height` in pixels."""

    width: int
    height: int
    content_type: str
    data: bytes


class ProcessedImage(msgspec.Struct, frozen=True):
    """What is kept of an upload.

    `width` and `height` are the original's in pixels, upright. `phash` is a 64-bit difference hash as a signed integer
    (it fits a bigint); near-duplicates differ in few bits. `renditions` go from narrow to wide, WebP before AVIF.
    """

    width: int
    height: int
    blurhash: str
    phash: int
    renditions: tuple[Rendition, ...]


def accepted_type(declared: str) -> str | None:
    """The one name of an accepted content type, whatever its case or alias; None for one that is not taken."""
    lower = declared.lower()
    canonical = _ALIASES.get(lower, lower)
    return canonical if canonical in _ACCEPTED else None


def check_type(head: bytes, declared: str) -> str:
    """The content type of a file that begins with `head`; raises `ImageRejected` unless it is taken and as declared."""
    expected = accepted_type(declared)
    if expected is None:
        raise ImageRejected(RejectionCode.UNSUPPORTED_TYPE)
    sniffed = sniff(head)
    if sniffed is None:
        refused = is_refused_format(head)
        raise ImageRejected(RejectionCode.UNSUPPORTED_TYPE if refused else RejectionCode.NOT_AN_IMAGE)
    if sniffed != expected:
        raise ImageRejected(RejectionCode.TYPE_MISMATCH)
    return sniffed
