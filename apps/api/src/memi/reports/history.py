"""What is known of a person's conduct, for moderators."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import NotFound
from memi.reports import history_queries as queries
from memi.reports import views
from memi.reports.schemas import UserModeration
from memi.users import service as users

_SHOWN = 100


async def of_user(session: AsyncSession, user_id: UUID) -> UserModeration:
    """Reports by and against them, and what was decided; raises `NotFound`."""
    found = await users.get_many(session, [user_id])
    if user_id not in found:
        raise NotFound
    counts, tally = await queries.counts(session, user_id), await queries.tally(session, user_id)
    rows = await queries.decisions(session, user_id, None, _SHOWN)
    return UserModeration(
        user_id=user_id,
        is_blocked=found[user_id].is_blocked,
        reports_against=counts.against,
        open_reports_against=counts.against_open,
        reports_made=counts.made,
        dismissed=_standing(tally, "DISMISS"),
        warnings=_standing(tally, "WARN_USER"),
        removed_listings=_standing(tally, "REMOVE_LISTING"),
        blocks=_standing(tally, "BLOCK_USER"),
        closed_chats=_standing(tally, "CLOSE_CHAT"),
        overturned=sum(count for (_, undone), count in tally.items() if undone),
        decisions=[views.decision(row, None if appeal is None else appeal.status) for row, appeal in rows],
    )


def _standing(tally: Mapping[tuple[str, bool], int], action: str) -> int:
    return tally.get((action, False), 0)
