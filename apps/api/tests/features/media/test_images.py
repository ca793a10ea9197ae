"""What happens to an uploaded picture: what is accepted, what is refused and why, and what comes out."""

import io
import random
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import pyvips
from blurhash_rs import blurhash_decode
from PIL import Image, ImageOps
from pillow_heif import HeifFile

from memi.media.images import (
    MAX_BYTES,
    MAX_PIXELS,
    ImageRejected,
    ProcessedImage,
    RejectionCode,
    Rendition,
    process_image,
)
from memi.media.sniffing import sniff

RED, GREEN, BLUE, GREY = (200, 30, 30), (20, 160, 60), (30, 40, 200), (90, 90, 90)
EXIF_ORIENTATION = 0x0112


def quadrants(width: int = 400, height: int = 300) -> Image.Image:
    """A picture whose four corners tell which way is up."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(GREY, (width // 2, height // 2, width, height))
    return picture


def scene(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture with some life in it, so that encoders have work and hashes have something to tell apart."""
    noise = random.Random(seed)
    small = pyvips.Image.new_from_memory(noise.randbytes(12 * 9 * 3), 12, 9, 3, "uchar")
    large = small.resize(width / 12, vscale=height / 9, kernel="cubic")
    return Image.frombytes("RGB", (large.width, large.height), large.write_to_memory())


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def heic(picture: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    file = HeifFile()
    file.add_frombytes(picture.mode, picture.size, picture.tobytes())  # pyright: ignore[reportUnknownMemberType] same
    file.save(out, **options)  # pyright: ignore[reportUnknownMemberType] half-typed library
    return out.getvalue()


def avif(picture: Image.Image) -> bytes:
    image = pyvips.Image.new_from_memory(picture.tobytes(), *picture.size, 3, "uchar").copy(interpretation="srgb")
    return image.heifsave_buffer(compression="av1", effort=0)


ENCODERS: dict[str, Callable[[Image.Image], bytes]] = {
    "image/jpeg": lambda picture: encoded(picture, "JPEG"),
    "image/png": lambda picture: encoded(picture, "PNG"),
    "image/webp": lambda picture: encoded(picture, "WEBP"),
    "image/heic": heic,
    "image/avif": avif,
}


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return path

    return write


Put = Callable[[bytes], Path]


def refusal(
    path: Path, declared_type: str, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> RejectionCode:
    with pytest.raises(ImageRejected) as caught:
        process_image(path, declared_type=declared_type, max_pixels=max_pixels, max_bytes=max_bytes)
    return caught.value.code


def pixels(rendition: Rendition) -> Image.Image:
    return Image.open(io.BytesIO(rendition.data)).convert("RGB")


def corners(picture: Image.Image) -> list[tuple[int, int, int]]:
    width, height = picture.size
    spots = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
    found = [picture.getpixel((int(width * x), int(height * y))) for x, y in spots]
    return [spot for spot in found if isinstance(spot, tuple) and len(spot) == 3]


def assert_close(seen: list[tuple[int, int, int]], expected: list[tuple[int, int, int]], tolerance: int = 12) -> None:
    assert len(seen) == len(expected)
    for one, other in zip(seen, expected, strict=True):
        assert all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True)), (seen, expected)


class TestAccepted:
    @pytest.mark.parametrize("content_type", ENCODERS)
    def test_each_format_becomes_the_same_picture(self, put: Put, content_type: str) -> None:
        result = process_image(put(ENCODERS[content_type](quadrants())), declared_type=content_type)

        assert (result.width, result.height) == (400, 300)
        assert [(one.width, one.height, one.content_type) for one in result.renditions] == [(320, 240, "image/webp")]
        assert_close(corners(pixels(result.renditions[0])), [RED, GREEN, BLUE, GREY])

    def test_other_names_of_a_type_are_understood(self, put: Put) -> None:
        assert process_image(put(encoded(quadrants(), "JPEG")), declared_type="image/jpg").width == 400
        assert process_image(put(heic(quadrants())), declared_type="image/heif").width == 400

    def test_cmyk_jpeg_is_turned_into_srgb(self, put: Put) -> None:
        red = Image.new("CMYK", (400, 300), (0, 255, 255, 0))
        result = process_image(put(encoded(red, "JPEG")), declared_type="image/jpeg")
        assert_close(corners(pixels(result.renditions[0])), [(235, 30, 40)] * 4)

    def test_wide_gamut_colours_are_converted_before_the_profile_is_dropped(self, put: Put) -> None:
        image = pyvips.Image.new_from_memory(quadrants().tobytes(), 400, 300, 3, "uchar").copy(interpretation="srgb")
        data = image.icc_transform("p3", input_profile="srgb", depth=8).jpegsave_buffer(Q=95)
        raw = Image.open(io.BytesIO(data)).convert("RGB").getpixel((10, 10))
        assert isinstance(raw, tuple)
        assert raw[0] < 190  # the file's own numbers are not sRGB

        result = process_image(put(data), declared_type="image/jpeg")
        assert_close(corners(pixels(result.renditions[0])), [RED, GREEN, BLUE, GREY])

    def test_a_broken_colour_profile_does_not_cost_the_photo(self, put: Put) -> None:
        data = encoded(quadrants(), "JPEG", icc_profile=b"garbage" * 40)
        result = process_image(put(data), declared_type="image/jpeg")
        assert_close(corners(pixels(result.renditions[0])), [RED, GREEN, BLUE, GREY])

    def test_16_bit_png(self, put: Put) -> None:
        image = pyvips.Image.new_from_memory(quadrants().tobytes(), 400, 300, 3, "uchar").copy(interpretation="srgb")
        result = process_image(put(image.colourspace("rgb16").pngsave_buffer()), declared_type="image/png")
        assert_close(corners(pixels(result.renditions[0])), [RED, GREEN, BLUE, GREY])

    def test_greyscale(self, put: Put) -> None:
        result = process_image(put(encoded(Image.new("L", (400, 300), 77), "PNG")), declared_type="image/png")
        assert_close(corners(pixels(result.renditions[0])), [(77, 77, 77)] * 4, tolerance=3)

    def test_transparency_becomes_white_also_in_a_palette(self, put: Put) -> None:
        clear = Image.new("RGBA", (400, 300), (10, 20, 30, 0))
        clear.paste((*RED, 255), (0, 0, 200, 150))
        for picture in (clear, clear.quantize(8)):
            result = process_image(put(encoded(picture, "PNG")), declared_type="image/png")
            assert_close(corners(pixels(result.renditions[0])), [RED, *[(255, 255, 255)] * 3], tolerance=8)

    def test_an_animation_gives_its_first_frame(self, put: Put) -> None:
        later = [Image.new("RGB", (400, 300), color) for color in (BLUE, GREY)]
        data = encoded(quadrants(), "WEBP", save_all=True, append_images=later, duration=100)
        result = process_image(put(data), declared_type="image/webp")
        assert (result.width, result.height) == (400, 300)
        assert_close(corners(pixels(result.renditions[0])), [RED, GREEN, BLUE, GREY])

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_comes_out_upright(self, put: Put, orientation: int) -> None:
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        data = encoded(quadrants(), "JPEG", exif=exif)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

        result = process_image(put(data), declared_type="image/jpeg")
        assert (result.width, result.height) == upright.size
        assert result.renditions[0].width == (320 if orientation < 5 else 300)
        assert_close(corners(pixels(result.renditions[0])), corners(upright.convert("RGB")))

    def test_heic_is_turned_once_although_it_says_so_twice(self, put: Put) -> None:
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        result = process_image(put(heic(quadrants(), exif=exif.tobytes())), declared_type="image/heic")
        assert (result.width, result.height) == (300, 400)
        assert_close(corners(pixels(result.renditions[0])), [BLUE, RED, GREY, GREEN])

    def test_nothing_of_the_metadata_is_left(self, put: Put) -> None:
        exif = Image.Exif()
        exif[0x010E] = "SECRET-PLACE"
        profile = bytes(pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb").jpegsave_buffer(profile="p3"))
        icc = Image.open(io.BytesIO(profile)).info["icc_profile"]
        data = encoded(scene(800, 600), "JPEG", exif=exif, icc_profile=icc, xmp=b"<x>SECRET-XMP</x>", comment=b"SECRET")
        assert b"SECRET-PLACE" in data
        assert b"SECRET-XMP" in data

        result = process_image(put(data + b"SECRET-TRAILER"), declared_type="image/jpeg", avif=True)
        assert len(result.renditions) == 4
        for rendition in result.renditions:
            assert b"SECRET" not in rendition.data
            fields = pyvips.Image.new_from_buffer(rendition.data, "").get_fields()
            assert not [name for name in fields if name.startswith(("exif", "xmp", "icc", "iptc", "jpeg"))]


class TestRenditions:
    @pytest.mark.parametrize(
        ("width", "expected"),
        [(2000, [320, 640, 1080, 1600]), (1600, [320, 640, 1080, 1600]), (1000, [320, 640]), (320, [320]), (57, [57])],
    )
    def test_widths_are_never_scaled_up(self, put: Put, width: int, expected: list[int]) -> None:
        result = process_image(put(encoded(scene(width, width * 3 // 4), "JPEG")), declared_type="image/jpeg")
        assert [one.width for one in result.renditions] == expected
        for rendition in result.renditions:
            assert pixels(rendition).size == (rendition.width, rendition.height)
            assert rendition.height == pytest.approx(rendition.width * (width * 3 // 4) / width, abs=1)

    def test_a_single_pixel_is_a_picture(self, put: Put) -> None:
        result = process_image(put(encoded(Image.new("RGB", (1, 1), RED), "PNG")), declared_type="image/png")
        assert [(one.width, one.height) for one in result.renditions] == [(1, 1)]

    def test_large_jpegs_are_shrunk_while_loading_to_the_same_picture(self, put: Put) -> None:
        result = process_image(put(encoded(quadrants(6500, 200), "JPEG")), declared_type="image/jpeg")
        assert (result.width, result.height) == (6500, 200)
        assert [(one.width, one.height) for one in result.renditions][-1] == (1600, 49)
        assert_close(corners(pixels(result.renditions[-1])), [RED, GREEN, BLUE, GREY])

    def test_avif_comes_beside_webp_when_asked(self, put: Put) -> None:
        result = process_image(put(encoded(quadrants(700, 500), "PNG")), declared_type="image/png", avif=True)
        assert [(one.width, one.content_type) for one in result.renditions] == [
            (320, "image/webp"),
            (640, "image/webp"),
            (320, "image/avif"),
            (640, "image/avif"),
        ]
        assert all(sniff(one.data) == one.content_type for one in result.renditions)

    def test_the_placeholder_has_the_colours_of_the_picture(self, put: Put) -> None:
        result = process_image(put(encoded(quadrants(), "PNG")), declared_type="image/png")
        preview = blurhash_decode(result.blurhash, 32, 24).convert("RGB")
        assert_close(corners(preview), [RED, GREEN, BLUE, GREY], tolerance=70)


class TestPerceptualHash:
    @staticmethod
    def distance(one: ProcessedImage, other: ProcessedImage) -> int:
        return ((one.phash ^ other.phash) & (1 << 64) - 1).bit_count()

    def test_tells_copies_from_other_pictures(self, put: Put) -> None:
        original = process_image(put(encoded(scene(800, 600), "PNG")), declared_type="image/png")
        smaller = process_image(put(encoded(scene(500, 375), "JPEG", quality=40)), declared_type="image/jpeg")
        other = process_image(put(encoded(scene(800, 600, seed=2), "PNG")), declared_type="image/png")

        assert self.distance(original, smaller) <= 4
        assert self.distance(original, other) >= 16

    def test_fits_a_signed_64_bit_column(self, put: Put) -> None:
        hashes = [
            process_image(put(encoded(scene(64, 48, seed=seed), "PNG")), declared_type="image/png").phash
            for seed in range(12)
        ]
        assert all(-(2**63) <= one < 2**63 for one in hashes)
        assert any(one < 0 for one in hashes)
        assert any(one > 0 for one in hashes)


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (SVG, RejectionCode.UNSUPPORTED_TYPE),
            (encoded(quadrants(), "GIF"), RejectionCode.UNSUPPORTED_TYPE),
            (encoded(quadrants(), "TIFF"), RejectionCode.UNSUPPORTED_TYPE),
            (encoded(quadrants(), "BMP"), RejectionCode.UNSUPPORTED_TYPE),
            (b"%PDF-1.7\n", RejectionCode.UNSUPPORTED_TYPE),
            (b"I am only called photo.jpg", RejectionCode.NOT_AN_IMAGE),
            (b"<!doctype html><script>alert(1)</script>", RejectionCode.NOT_AN_IMAGE),
            (b"", RejectionCode.NOT_AN_IMAGE),
            (encoded(quadrants(), "PNG"), RejectionCode.TYPE_MISMATCH),
            (heic(quadrants()), RejectionCode.TYPE_MISMATCH),
        ],
        ids=["svg", "gif", "tiff", "bmp", "pdf", "text", "html", "empty", "png", "heic"],
    )
    def test_what_is_not_the_jpeg_it_claims_to_be(self, put: Put, data: bytes, code: RejectionCode) -> None:
        assert refusal(put(data), "image/jpeg") == code

    @pytest.mark.parametrize("declared_type", ["image/svg+xml", "image/gif", "application/pdf", "text/plain", ""])
    def test_a_type_that_is_not_taken(self, put: Put, declared_type: str) -> None:
        assert refusal(put(encoded(quadrants(), "JPEG")), declared_type) == RejectionCode.UNSUPPORTED_TYPE

    def test_too_many_bytes(self, put: Put) -> None:
        data = encoded(quadrants(), "JPEG")
        assert refusal(put(data), "image/jpeg", max_bytes=len(data) - 1) == RejectionCode.TOO_LARGE
        assert process_image(put(data), declared_type="image/jpeg", max_bytes=len(data)).width == 400

    @pytest.mark.parametrize("content_type", ENCODERS)
    def test_one_pixel_too_many(self, put: Put, content_type: str) -> None:
        path = put(ENCODERS[content_type](quadrants()))
        assert refusal(path, content_type, max_pixels=400 * 300 - 1) == RejectionCode.TOO_MANY_PIXELS
        assert process_image(path, declared_type=content_type, max_pixels=400 * 300).width == 400

    @pytest.mark.parametrize("content_type", ENCODERS)
    def test_a_bomb_is_refused_by_its_header_in_flat_memory(self, put: Put, content_type: str) -> None:
        path = put(bomb(content_type))
        before = resource.getrusage(resource.RUSAGE_SELF)
        assert refusal(path, content_type) == RejectionCode.TOO_MANY_PIXELS
        after = resource.getrusage(resource.RUSAGE_SELF)
        assert after.ru_maxrss - before.ru_maxrss < 50_000  # KiB; its pixels would be 2,600 MiB
        assert after.ru_utime - before.ru_utime < 0.5

    def test_a_strip_too_thin_for_any_rendition(self, put: Put) -> None:
        path = put(encoded(Image.new("RGB", (4, 20_000)), "PNG"))
        assert refusal(path, "image/png") == RejectionCode.TOO_NARROW

    @pytest.mark.parametrize("content_type", ENCODERS)
    @pytest.mark.parametrize("part", [0.4, 0.9])
    def test_a_broken_off_upload(self, put: Put, content_type: str, part: float) -> None:
        data = ENCODERS[content_type](scene(700, 500))
        assert refusal(put(data[: int(len(data) * part)]), content_type) == RejectionCode.TRUNCATED

    def test_a_damaged_picture(self, put: Put) -> None:
        data = bytearray(encoded(scene(700, 500), "PNG"))
        data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
        assert refusal(put(bytes(data)), "image/png") == RejectionCode.DECODE_FAILED

    def test_a_missing_file_is_a_fault_of_ours_not_of_the_picture(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            process_image(tmp_path / "absent", declared_type="image/jpeg")


def bomb(content_type: str) -> bytes:
    """A small file whose header promises 30,000 × 30,000 pixels (16,383 × 16,383 for WebP, its format's limit)."""
    data = ENCODERS[content_type](quadrants())
    match content_type:
        case "image/jpeg":
            return data.replace(struct.pack(">HH", 300, 400), struct.pack(">HH", 30_000, 30_000), 1)
        case "image/png":
            header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + data[24:29]
            return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
        case "image/webp":
            return data.replace(struct.pack("<HH", 400, 300), struct.pack("<HH", 16_383, 16_383), 1)
        case _:
            return data.replace(struct.pack(">II", 400, 300), struct.pack(">II", 30_000, 30_000))


class TestSniffing:
    @pytest.mark.parametrize("content_type", ENCODERS)
    def test_knows_the_accepted_formats(self, content_type: str) -> None:
        assert sniff(ENCODERS[content_type](quadrants(40, 30))[:512]) == content_type

    @pytest.mark.parametrize("head", [b"", b"\xff\xd8", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x18ftypmp42\0\0\0\0isom", SVG])
    def test_knows_nothing_else(self, head: bytes) -> None:
        assert sniff(head) is None

    @pytest.mark.parametrize(
        ("compatible", "expected"), [(b"mif1avif", "image/avif"), (b"miafheic", "image/heic"), (b"mif1miaf", None)]
    )
    def test_a_generic_brand_is_settled_by_the_compatible_ones(self, compatible: bytes, expected: str | None) -> None:
        assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0" + compatible + b"avifheic") == expected
