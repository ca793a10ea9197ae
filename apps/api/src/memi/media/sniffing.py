"""What a file is, told by its first bytes and never by its name or its sender's word.

Only the five formats memi accepts have a name here. Formats people do upload by mistake (GIF, TIFF, SVG, PDF, ...) are
told apart from plain garbage, so that the refusal can say the right thing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

HEAD_BYTES = 512
"""How much of a file's beginning `sniff` needs at most."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_REFUSED_MAGIC = (
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"BM",
    b"%PDF-",
    b"8BPS",
    b"\x00\x00\x01\x00",
    b"\xff\x0a",
    b"\x00\x00\x00\x0cJXL ",
    b"\x00\x00\x00\x0cjP  ",
)
_SVG = re.compile(rb"<svg[\s>:]", re.IGNORECASE)


def sniff(head: bytes) -> str | None:
    """The content type of an accepted image from the first `HEAD_BYTES` bytes of a file, or None for anything else."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _sniff_brands(head)
    return None


def _sniff_brands(head: bytes) -> str | None:
    # The major brand decides; the generic ones (mif1, msf1) leave it to the list of compatible brands behind it.
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "image/avif"
        if brand in _HEIC_BRANDS:
            return "image/heic"
    return None


def is_refused_format(head: bytes) -> bool:
    """Whether this is a picture or document in a format memi knows but does not take (GIF, TIFF, SVG, PDF, ...)."""
    return head.startswith(_REFUSED_MAGIC) or head[4:8] == b"ftyp" or _SVG.search(head) is not None


def ends_early(source: Path, content_type: str) -> bool:
    """Whether a file that failed to decode stops before its own structure says it should (a broken-off upload).

    Looks at the container only, so it is cheap; `content_type` is what `sniff` said. The file must be readable.
    """
    data = source.read_bytes()
    match content_type:
        case "image/jpeg":
            # Behind the last start-of-scan marker there must be an end-of-image; a thumbnail's own end comes before it.
            return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda") or b"\xff\xda" not in data
        case "image/png":
            return b"IEND" not in data[-4096:]
        case "image/webp":
            return len(data) < int.from_bytes(data[4:8], "little") + 8
        case "image/heic" | "image/avif":
            return any(end > len(data) for end in _box_ends(data))
        case _:
            return False


def _box_ends(data: bytes) -> Iterator[int]:
    """Where each top-level box of an ISO media file claims to end, as a byte offset."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:
            return
        at += max(size, 8)
        yield at
