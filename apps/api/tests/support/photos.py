"""Photos, and the way a client brings them here."""

import io
import random
import zlib
from functools import cache
from struct import pack
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image

from support.people import Person


@cache
def photo(width: int = 400, height: int = 300, seed: int = 1) -> bytes:
    """A JPEG with some life in it."""
    coarse = Image.frombytes("RGB", (8, 6), random.Random(seed).randbytes(8 * 6 * 3))
    out = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


@cache
def huge_png(side: int = 30_000) -> bytes:
    """A valid grey PNG of `side` × `side` pixels in a few hundred kilobytes: every row is white."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * side
    rows = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def announce(person: Person, data: bytes, content_type: str = "image/jpeg", **changes: Any) -> dict[str, Any]:
    """The ticket for uploading `data`."""
    body = {"filename": "photo.jpg", "content_type": content_type, "size": len(data), **changes}
    reply = await person.post("/uploads", body)
    assert reply.status_code == 201, reply.text
    return reply.json()


async def put(client: httpx.AsyncClient, ticket: dict[str, Any], data: bytes, **headers: str) -> httpx.Response:
    """Send the file as the ticket says; `headers` replace the ticket's."""
    path = urlsplit(ticket["url"]).path
    return await client.request(ticket["method"], path, content=data, headers={**ticket["headers"], **headers})


async def upload(person: Person, data: bytes | None = None, content_type: str = "image/jpeg") -> dict[str, Any]:
    """Announce, send and complete a file; the upload as `complete` gives it."""
    data = photo() if data is None else data
    ticket = await announce(person, data, content_type)
    sent = await put(person.client, ticket, data)
    assert sent.status_code == 200, sent.text
    reply = await person.post(f"/uploads/{ticket['id']}/complete")
    assert reply.status_code == 202, reply.text
    return reply.json()
