"""ETags: the version, and a hash of the numbers that change often, so that a conditional read sees them too."""

from typing import Any, TypeVar
from zlib import crc32

from litestar import Response

T = TypeVar("T")


def etag(version: int, *numbers: int) -> str:
    """`"<version>-<hash>"`; `If-Match` compares the version alone."""
    if not numbers:
        return f'"{version}"'
    return f'"{version}-{crc32(repr(numbers).encode()):x}"'


def tagged(body: T, version: int, *numbers: int, status_code: int | None = None, **headers: str) -> Response[T]:
    """A reply that carries its ETag."""
    options: dict[str, Any] = {} if status_code is None else {"status_code": status_code}
    return Response(body, headers={"ETag": etag(version, *numbers), **headers}, **options)


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether a conditional GET may answer 304."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
