"""Ready bytes for public, cacheable reads: rendered once per edition and language, answered with 304 where possible."""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import msgspec
from litestar import MediaType, Response
from litestar.di import NamedDependency

from memi.catalog.schemas import Language
from memi.catalog.service import Catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.catalog.views import preferred_language
from memi.platform.dependencies import AnyRequest, App
from memi.platform.etags import is_unchanged

_FRESH_SECONDS = 300


@dataclass(frozen=True)
class Rendered:
    """A body and its ETag."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, content: object) -> "Rendered":
        body = msgspec.json.encode(content)
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


@dataclass(frozen=True)
class Reader:
    """What a reply depends on besides the query: the catalogue, the wanted language, what the client has already."""

    snapshot: CatalogSnapshot
    accept_language: str | None
    if_none_match: str | None

    def language(self, asked: Language | None) -> Language:
        """`asked`, or what the client's headers prefer."""
        return asked or preferred_language(self.accept_language)

    def reply(self, key: Hashable, make: Callable[[], object]) -> Response[bytes]:
        """What `make` gives for this edition, computed once per `key`; keys must be a bounded set."""
        return self.send(self.snapshot.derived(key, lambda: Rendered.of(make())))

    def send(self, rendered: Rendered) -> Response[bytes]:
        headers = {
            "ETag": rendered.tag,
            "Cache-Control": f"public, max-age={_FRESH_SECONDS}",
            "Vary": "Accept-Language",
        }
        if is_unchanged(self.if_none_match, rendered.tag):
            return Response(b"", status_code=304, headers=headers)
        return Response(rendered.body, media_type=MediaType.JSON, headers=headers)


async def provide_reader(request: AnyRequest, app: App) -> Reader:
    snapshot = await app.adapters.get(Catalog).snapshot()
    headers = request.headers
    return Reader(snapshot, headers.get("accept-language"), headers.get("if-none-match"))


Read = NamedDependency[Reader]
