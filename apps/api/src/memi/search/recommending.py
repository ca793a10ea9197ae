"""What to show somebody who has not asked for anything: by a plug-in, or the newest of what they like."""

from uuid import UUID

from memi.intelligence import service as intelligence
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.ports import RECOMMENDER, RecommendationQuestion
from memi.intelligence.service import Intelligence
from memi.platform.runtime import Runtime
from memi.search.cards import finish_card
from memi.search.recommendation_statements import BY_IDS, NEAR_FAVORITES


async def recommended(app: Runtime, viewer: UUID, limit: int) -> bytes:
    """One page of cards as JSON, never of their own."""
    plugins, hot = app.adapters.get(Intelligence), app.database.hot
    rows: list[tuple[bytes, int, bool]] = []
    if plugins.has(RECOMMENDER):
        answer = await plugins.ask(RECOMMENDER, RecommendationQuestion(viewer_id=viewer, limit=limit))
        intelligence.note(app.adapters.get(VerdictBuffer), answer, "USER", viewer, user_id=viewer)
        if answer.value is not None and answer.value.listing_ids:
            wanted = list(dict.fromkeys(answer.value.listing_ids))
            rows = await hot.fetch(BY_IDS, viewer, wanted, limit)
    if not rows:
        rows = await hot.fetch(NEAR_FAVORITES, viewer, limit)
    return b'{"items":[%b],"next_cursor":null}' % b",".join([finish_card(row[0], row[1], row[2]) for row in rows])
