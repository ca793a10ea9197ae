"""What plug-ins see in pictures. Heard of while one is installed."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.intelligence import service as intelligence
from memi.intelligence.ports import CATEGORY_TAGGER, Picture
from memi.media import service as media
from memi.media.events import UploadReady
from memi.platform.events import durable

ASKS = (CATEGORY_TAGGER,)


@durable(UploadReady)
async def tag_picture(event: UploadReady, session: AsyncSession) -> None:
    """Once a picture is finished; by then it often has no listing yet."""
    plugins = intelligence.intelligence_of(session)
    picture = await media.small_picture(session, event.upload_id) if plugins.has(CATEGORY_TAGGER) else None
    if picture is None:
        return
    snapshot = await catalog.snapshot(session)
    question = Picture(
        data=picture.data,
        content_type=picture.content_type,
        width=picture.width,
        height=picture.height,
        categories=snapshot.derived("listings.leaves", lambda: _leaves(snapshot)),
    )
    answer = await plugins.ask(CATEGORY_TAGGER, question)
    await intelligence.record(session, answer, "UPLOAD", event.upload_id, user_id=picture.owner_id)


def _leaves(snapshot: CatalogSnapshot) -> tuple[str, ...]:
    return tuple(node.slug for root in snapshot.roots for node in root.subtree if node.is_leaf)
