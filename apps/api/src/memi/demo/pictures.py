"""Draws the photos of the demo shop, so that a fresh start needs no download and no one's real pictures.

A picture is composed as SVG (backdrop, shadow, garment with fabric and folds) and gets the grain of a photo on top.
"""

import colorsys
import random

import pyvips

from memi.demo.silhouettes import SILHOUETTES, Silhouette, shapes_for

_CANVAS_WIDTH, _CANVAS_HEIGHT = 300, 400
_BACKDROPS = (
    ("#f4efe9", "#d9cdbf"),
    ("#eef1f4", "#c9d2da"),
    ("#f6e9e6", "#dfc3bd"),
    ("#e9f0ea", "#bfd0c2"),
    ("#f5f0dd", "#dccfa4"),
    ("#ece9f3", "#c9c2da"),
    ("#e3e0dc", "#b3aca3"),
    ("#dfe9ee", "#a9c0cc"),
)


def draw_picture(seed: int, *, category: str, color_hex: str, width: int = 1500, height: int = 2000) -> bytes:
    """A JPEG of a garment that suits the `category` slug, in `color_hex` (`#rrggbb`).

    The same arguments give the same bytes. `width` and `height` in pixels; 3:4 fits best.
    Raises `ValueError` for a colour that is not `#rrggbb`.
    """
    chance = random.Random(f"{seed}:{category}")  # noqa: S311  # pictures are no secret
    shape = SILHOUETTES[chance.choice(shapes_for(category))]
    # Drawn at half the size, a quarter of the work; the doubling gives the slight softness of a lens, and grain of two
    # pixels looks more like a sensor's than noise in every single one.
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    svg = _compose(chance, shape, _parse(color_hex), half_width, half_height)
    picture = pyvips.Image.svgload_buffer(svg.encode()).extract_band(0, n=3)
    grain = pyvips.Image.gaussnoise(half_width, half_height, sigma=4, mean=0, seed=chance.getrandbits(31))
    picture = (picture + grain).cast("uchar").copy(interpretation="srgb").resize(2, kernel="linear")
    return picture.crop(0, 0, width, height).jpegsave_buffer(Q=85)


def _parse(color_hex: str) -> tuple[float, float, float]:
    digits = color_hex.removeprefix("#")
    if len(digits) != 6:
        raise ValueError(f"not a colour: {color_hex!r}")
    red, green, blue = bytes.fromhex(digits)
    return red / 255, green / 255, blue / 255


def _hex(red: float, green: float, blue: float) -> str:
    return "#" + bytes(round(255 * min(max(part, 0.0), 1.0)) for part in (red, green, blue)).hex()


def _lighter(color: tuple[float, float, float], by: float) -> str:
    """The colour with its lightness moved by `by` (-1 to 1)."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*color)
    return _hex(*colorsys.hls_to_rgb(hue, min(max(lightness + by, 0.04), 0.97), saturation))


def _compose(
    chance: random.Random, shape: Silhouette, color: tuple[float, float, float], width: int, height: int
) -> str:
    lightness = colorsys.rgb_to_hls(*color)[1]
    # Pure black and white have no folds left to show: keep the cloth within what a camera would see.
    body = _parse(_lighter(color, 0.10 if lightness < 0.12 else -0.05 if lightness > 0.93 else 0.0))
    seam, trim = _lighter(body, -0.16 if lightness > 0.3 else 0.16), _trim(chance, body)
    turn, size = chance.uniform(-2.5, 2.5), chance.uniform(0.93, 1.05)
    mirror = -1 if not shape.hangs and chance.random() < 0.4 else 1
    place = f"translate(150 212) rotate({turn:.2f}) scale({size * mirror:.3f} {size:.3f}) translate(-150 -212)"
    hanger = _hanger() if shape.hangs else ""
    drop = _drop_shadow(shape)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {_CANVAS_WIDTH} {_CANVAS_HEIGHT}" preserveAspectRatio="xMidYMid slice">'
        f"<defs>{_definitions(chance, shape, body)}</defs>{_scenery(chance, shape)}"
        f'<g transform="{place}">{hanger}{drop}'
        f'<path d="{shape.body}" fill="url(#cloth)" fill-rule="evenodd"/>'
        f'<path d="{shape.trim}" fill="{trim}" fill-rule="evenodd"/>'
        f'<g clip-path="url(#inside)">{_folds(chance, shape)}</g>'
        f'<path d="{shape.body} {shape.trim}" fill="url(#round)" fill-rule="evenodd"/>'
        f'<path d="{shape.seams}" fill="none" stroke="{seam}" stroke-width="1.1" opacity="0.75"/>'
        f'<path d="{shape.seams}" fill="none" stroke="#ffffff" stroke-width="0.6" stroke-dasharray="2 1.6" '
        f'opacity="0.28" transform="translate(1.3 1)"/>'
        f'<path d="{shape.body} {shape.trim}" fill="none" stroke="{_lighter(body, -0.2)}" '
        f'stroke-width="0.7" opacity="0.55"/>'
        f'</g><rect width="{_CANVAS_WIDTH}" height="{_CANVAS_HEIGHT}" fill="url(#vignette)"/></svg>'
    ).replace("CLIP", shape.body)


def _trim(chance: random.Random, body: tuple[float, float, float]) -> str:
    leather = ("#6b4a32", "#2b2725", "#c9a36a", "#efe9df")
    return chance.choice((_lighter(body, -0.14), _lighter(body, 0.2), chance.choice(leather)))


def _definitions(chance: random.Random, shape: Silhouette, body: tuple[float, float, float]) -> str:
    return (
        f"{_cloth(chance, body, shape.hangs)}"
        '<clipPath id="inside"><path d="CLIP"/></clipPath>'
        '<linearGradient id="round" x1="0" x2="1" y1="0" y2="0.25">'
        '<stop offset="0" stop-color="#000" stop-opacity="0.2"/>'
        '<stop offset="0.3" stop-color="#fff" stop-opacity="0.16"/>'
        '<stop offset="0.6" stop-color="#000" stop-opacity="0.02"/>'
        '<stop offset="1" stop-color="#000" stop-opacity="0.26"/></linearGradient>'
        '<radialGradient id="ground"><stop offset="0" stop-color="#1c1612" stop-opacity="0.5"/>'
        '<stop offset="0.5" stop-color="#1c1612" stop-opacity="0.22"/>'
        '<stop offset="1" stop-color="#1c1612" stop-opacity="0"/></radialGradient>'
        '<radialGradient id="vignette" r="0.8"><stop offset="0.6" stop-color="#000" stop-opacity="0"/>'
        '<stop offset="1" stop-color="#1a130d" stop-opacity="0.2"/></radialGradient>'
    )


def _cloth(chance: random.Random, body: tuple[float, float, float], is_fabric: bool) -> str:
    """The fabric as an SVG pattern named `cloth`: weave, stripes, dots, checks, ribs or small flowers."""
    base, dark, light = _hex(*body), _lighter(body, -0.09), _lighter(body, 0.13)
    accent = chance.choice(("#ffffff", "#f3e6cf", "#22242b", "#b23a48", "#27496d"))
    step = chance.choice((9, 12, 16))
    # Shoes, bags and the like are leather more often than print.
    weights = (9, 3, 2, 2, 3, 2) if is_fabric else (14, 1, 0, 1, 1, 0)
    kind = chance.choices(("weave", "stripes", "dots", "check", "rib", "flowers"), weights=weights)[0]
    ground = f'<rect width="{step}" height="{step}" fill="{base}"/>'
    turn = ""
    match kind:
        case "stripes":
            turn = f' patternTransform="rotate({chance.choice((0, 0, 90, 45))})"'
            art = f'<rect width="{step}" height="{step * 0.38:.2f}" fill="{accent}" opacity="0.85"/>'
        case "dots":
            art = "".join(
                f'<circle cx="{x * step:.2f}" cy="{y * step:.2f}" r="{step * 0.14:.2f}" fill="{accent}" opacity="0.9"/>'
                for x, y in ((0.25, 0.25), (0.75, 0.75))
            )
        case "check":
            half = step / 2
            art = (
                f'<rect width="{half}" height="{step}" fill="{dark}" opacity="0.75"/>'
                f'<rect width="{step}" height="{half}" fill="{light}" opacity="0.55"/>'
                f'<rect width="{step}" height="0.7" y="{half * 1.5:.2f}" fill="{accent}" opacity="0.5"/>'
            )
        case "rib":
            # A tile holds many ribs, as of the threads below: painting with small tiles is several times slower.
            step = 24
            ground = f'<rect width="{step}" height="{step}" fill="{base}"/>'
            art = "".join(
                f'<rect x="{x}" width="1.3" height="{step}" fill="{dark}" opacity="0.7"/>'
                f'<rect x="{x + 1.3:.1f}" width="0.5" height="{step}" fill="{light}" opacity="0.5"/>'
                for x in range(0, step, 3)
            )
        case "flowers":
            step = 22
            ground = f'<rect width="22" height="22" fill="{base}"/>'
            art = _flower(6, 6, accent, light) + _flower(17, 16, light, accent)
        case _:
            step = 24
            ground = f'<rect width="{step}" height="{step}" fill="{base}"/>'
            threads = range(0, step, 2)
            art = "".join(
                f'<rect x="{x}" width="1" height="{step}" fill="{dark}" opacity="0.2"/>'
                f'<rect y="{x + 1}" height="1" width="{step}" fill="{light}" opacity="0.22"/>'
                for x in threads
            )
    size = f'width="{step}" height="{step}" patternUnits="userSpaceOnUse"'
    return f'<pattern id="cloth" {size}{turn}>{ground}{art}</pattern>'


def _flower(x: int, y: int, petal: str, heart: str) -> str:
    around = ((2, 0), (0.6, 1.9), (-1.6, 1.2), (-1.6, -1.2), (0.6, -1.9))
    petals = "".join(f'<circle cx="{x + dx}" cy="{y + dy}" r="1.5" fill="{petal}" opacity="0.9"/>' for dx, dy in around)
    return f'{petals}<circle cx="{x}" cy="{y}" r="1.1" fill="{heart}"/>'


def _scenery(chance: random.Random, shape: Silhouette) -> str:
    wall, far = chance.choice(_BACKDROPS)
    across, down = chance.uniform(0.2, 0.8), chance.uniform(0.1, 0.4)
    light = (
        f'<radialGradient id="wall" cx="{across:.2f}" cy="{down:.2f}" r="1"><stop offset="0" stop-color="{wall}"/>'
        f'<stop offset="1" stop-color="{far}"/></radialGradient>'
    )
    backdrop = f'{light}<rect width="{_CANVAS_WIDTH}" height="{_CANVAS_HEIGHT}" fill="url(#wall)"/>'
    if shape.hangs:
        return backdrop
    table = chance.choice(("#c7a680", "#e9e4dc", "#8f7a66", "#d8cfc4"))
    edge = shape.floor - chance.randint(34, 60)
    return (
        f'{backdrop}<rect y="{edge}" width="{_CANVAS_WIDTH}" height="{_CANVAS_HEIGHT - edge}" fill="{table}"/>'
        f'<rect y="{edge}" width="{_CANVAS_WIDTH}" height="5" fill="#000" opacity="0.07"/>'
        f'<ellipse cx="154" cy="{shape.floor}" rx="136" ry="17" fill="url(#ground)"/>'
    )


def _hanger() -> str:
    return (
        '<path d="M150 74 L150 58 C150 50 162 52 162 42 C162 30 140 30 140 42" fill="none" '
        'stroke="#9a938a" stroke-width="2.6" stroke-linecap="round"/>'
        '<path d="M150 72 C128 84 108 92 92 104 L208 104 C192 92 172 84 150 72 Z" fill="none" '
        'stroke="#a67c52" stroke-width="5.5" stroke-linejoin="round"/>'
    )


def _drop_shadow(shape: Silhouette) -> str:
    # Stacked outlines instead of a blur filter, which alone would take longer than everything else.
    opacity = 0.045 if shape.hangs else 0.02
    layers = "".join(f'<path d="{shape.body}" stroke-width="{breadth}"/>' for breadth in (1, 5, 9, 13, 17))
    return (
        f'<g fill="#2a221c" stroke="#2a221c" stroke-linejoin="round" fill-rule="evenodd" fill-opacity="{opacity}" '
        f'stroke-opacity="{opacity}" transform="translate(6 8)">{layers}</g>'
    )


def _folds(chance: random.Random, shape: Silhouette) -> str:
    """Soft vertical shadows and lights that make flat cloth hang; fewer on things that stand."""
    drawn: list[str] = []
    for _ in range(7 if shape.hangs else 3):
        x, lean, reach = chance.uniform(70, 230), chance.uniform(-18, 18), chance.uniform(90, 200)
        top = chance.uniform(120, 260)
        tone, depth = chance.choice((("#000", 0.16), ("#000", 0.12), ("#fff", 0.16)))
        drawn.append(
            f'<g fill="none" stroke="{tone}" stroke-linecap="round" stroke-opacity="{depth / 5:.3f}">'
            + "".join(
                f'<path d="M{x:.1f} {top + cut:.1f} q{lean:.1f} {reach / 2 - cut:.1f} '
                f'{lean / 2:.1f} {reach - 2 * cut:.1f}" stroke-width="{breadth}"/>'
                for cut, breadth in ((0, 20), (3, 16), (6, 12), (9, 8), (12, 4))
            )
            + "</g>"
        )
    return "".join(drawn)
