"""One uploaded photo in, clean renditions out. Pure: no database, no network, no clock; runs in a worker process.

The order is what keeps it safe: bytes are sniffed, the header's size is checked, and only then are pixels decoded, by
the one loader of that format. Whatever comes out was encoded here, so no byte of the original survives (metadata, or
data hidden behind the picture).
"""

from pathlib import Path
from typing import Any, cast

import pyvips
from blurhash_rs import blurhash_encode
from PIL import Image as PillowImage
from pillow_heif import HeifFile

from memi.media.results import MAX_PIXELS, ImageRejected, ProcessedImage, RejectionCode, Rendition, check_type
from memi.media.sniffing import HEAD_BYTES, ends_early

WIDTHS = (320, 640, 1080, 1600)
"""Widths of the renditions in pixels; none is wider than the original."""
MAX_BYTES = 15 * 1024 * 1024

_MAX_SIDE = 16_383  # the longest side a WebP can have
_ANY = 10_000_000  # a height that never binds: pictures are fitted by width alone
_STRIP = 0  # no kind of metadata
_WHITE = [255.0, 255.0, 255.0]


def allow_only_photo_loaders() -> None:
    """Leave libvips no loader but the four memi uses, for the whole process and for good.

    Not done on import: the same library also draws the demo pictures, from SVG.
    """
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadHeif"):
        pyvips.operation_block_set(loader, False)
    pyvips.block_untrusted_set(True)


def process_image(
    source: Path,
    *,
    declared_type: str,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    avif: bool = False,
) -> ProcessedImage:
    """Decode `source` once and make every rendition, the placeholder and the perceptual hash.

    Raises `ImageRejected` for a picture that cannot be taken and `OSError` when the file cannot be read.
    """
    content_type = _accepted_type(source, declared_type, max_bytes)
    try:
        image = _open_heic(source, max_pixels) if content_type == "image/heic" else _open(source, content_type)
        width, height = _upright_size(image)
        _check_size(width, height, max_pixels)
        widths = [candidate for candidate in WIDTHS if candidate <= width] or [width]
        if content_type == "image/jpeg":
            image = _open_shrunk_jpeg(source, image, width, widths[-1])
        base = _render(image, widths[-1])
    except (pyvips.Error, ValueError, EOFError, SyntaxError, RuntimeError) as error:
        code = RejectionCode.TRUNCATED if ends_early(source, content_type) else RejectionCode.DECODE_FAILED
        raise ImageRejected(code) from error
    scaled = [_narrow(base, candidate) for candidate in widths]
    renditions = [_encode_webp(picture) for picture in scaled]
    if avif:
        renditions += [_encode_avif(picture) for picture in scaled]
    return ProcessedImage(
        width=width,
        height=height,
        blurhash=_placeholder(scaled[0]),
        phash=_difference_hash(scaled[0]),
        renditions=tuple(renditions),
    )


def _accepted_type(source: Path, declared_type: str, max_bytes: int) -> str:
    if source.stat().st_size > max_bytes:
        raise ImageRejected(RejectionCode.TOO_LARGE)
    with source.open("rb") as file:
        return check_type(file.read(HEAD_BYTES), declared_type)


def _open(source: Path, content_type: str) -> pyvips.Image:
    """Read the header; pixels are decoded only when something asks for them. An animation gives its first frame."""
    path = str(source)
    match content_type:
        case "image/jpeg":
            return pyvips.Image.jpegload(path, access="sequential", fail_on="error")
        case "image/png":
            return pyvips.Image.pngload(path, access="sequential", fail_on="error")
        case "image/webp":
            return pyvips.Image.webpload(path, access="sequential", fail_on="error", n=1)
        case _:
            return pyvips.Image.heifload(path, access="sequential", fail_on="error", n=1)


def _open_shrunk_jpeg(source: Path, image: pyvips.Image, width: int, target: int) -> pyvips.Image:
    # Halving in the DCT saves most of the decoding; twice the target is left for a good filter to finish.
    shrink = next((factor for factor in (8, 4, 2) if width >= 2 * factor * target), 1)
    if shrink == 1:
        return image
    return pyvips.Image.jpegload(str(source), access="sequential", fail_on="error", shrink=shrink)


def _open_heic(source: Path, max_pixels: int) -> pyvips.Image:
    """Decode HEIC with pillow-heif, since the libvips wheel has no HEVC decoder; the size is checked before that.

    libheif turns and mirrors as the container says, so there is no orientation left to apply.
    """
    file = HeifFile(source)
    picture = file[cast("int", file.primary_index)]  # pyright: ignore[reportUnknownMemberType] half-typed library
    _check_size(*picture.size, max_pixels)
    data = cast("bytes", picture.data)
    width, height = picture.size
    bands = len(data) // (width * height)
    image = pyvips.Image.new_from_memory(data, width, height, bands, "uchar")
    image = image.copy(interpretation="b-w" if bands < 3 else "srgb")
    if picture.premultiplied_alpha:
        image = image.unpremultiply().cast("uchar")
    profile = cast("dict[str, Any]", picture.info).get("icc_profile")  # pyright: ignore[reportUnknownMemberType] same
    if profile:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _upright_size(image: pyvips.Image) -> tuple[int, int]:
    orientation = cast("int", image.get("orientation")) if image.get_typeof("orientation") else 1
    return (image.height, image.width) if orientation >= 5 else (image.width, image.height)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageRejected(RejectionCode.TOO_MANY_PIXELS)
    if height * min(width, WIDTHS[-1]) > _MAX_SIDE * width:
        raise ImageRejected(RejectionCode.TOO_NARROW)


def _render(image: pyvips.Image, width: int) -> pyvips.Image:
    """Decode, turn upright, scale to `width` and settle on opaque 8-bit sRGB in memory."""
    # A colour profile is applied after scaling, to far fewer pixels. Asked for without one, the same step would take
    # the long way through CIELAB, ten times the cost for no change; colourspace() then knows sRGB, grey and plain CMYK.
    if image.get_typeof("icc-profile-data"):
        image = image.thumbnail_image(width, height=_ANY, size="down", fail_on="error", output_profile="srgb")
    else:
        image = image.thumbnail_image(width, height=_ANY, size="down", fail_on="error")
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    return image.cast("uchar").copy_memory()


def _narrow(base: pyvips.Image, width: int) -> pyvips.Image:
    if base.width <= width:
        return base
    return base.thumbnail_image(width, height=_ANY, size="down").copy_memory()


def _encode_webp(picture: pyvips.Image) -> Rendition:
    # Effort 4, the default, takes twice the time for a few percent of the bytes.
    data = picture.webpsave_buffer(Q=80, effort=2, keep=_STRIP)
    return Rendition(width=picture.width, height=picture.height, content_type="image/webp", data=data)


def _encode_avif(picture: pyvips.Image) -> Rendition:
    data = picture.heifsave_buffer(compression="av1", Q=60, effort=2, keep=_STRIP)
    return Rendition(width=picture.width, height=picture.height, content_type="image/avif", data=data)


def _placeholder(picture: pyvips.Image) -> str:
    """A BlurHash: four components along the longer side, three along the other."""
    thumb = picture.thumbnail_image(64, height=64, size="down")
    pixels = PillowImage.frombytes("RGB", (thumb.width, thumb.height), thumb.write_to_memory())
    across, down = (4, 3) if thumb.width >= thumb.height else (3, 4)
    return blurhash_encode(pixels, across, down)


def _difference_hash(picture: pyvips.Image) -> int:
    """Whether each of 8 × 8 cells is brighter than its right neighbour, as one signed 64-bit number."""
    cells = picture.colourspace("b-w").thumbnail_image(9, height=8, size="force").write_to_memory()
    bits = 0
    for row in range(8):
        for column in range(8):
            at = row * 9 + column
            bits = bits << 1 | (cells[at] > cells[at + 1])
    return bits - (1 << 64) if bits >> 63 else bits
