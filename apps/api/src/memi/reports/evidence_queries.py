"""What moderators still need of listings: clauses lent to whoever purges them."""

from uuid import UUID

from sqlalchemy import ColumnElement, Interval, and_, exists, func, literal, or_
from sqlalchemy.orm import InstrumentedAttribute

from memi.chat.models import Chat
from memi.listings.purging import Keeper
from memi.reports.appeals import WITHIN
from memi.reports.models import Appeal, Decision, Report


def is_looked_at(listing_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """A report of it or of a chat about it is open, or such a decision is appealed or still can be."""
    appealed = exists().where(Appeal.decision_id == Decision.id, Appeal.status == "OPEN")
    can_be = and_(Decision.action != "DISMISS", Decision.decided_at >= func.now() - literal(WITHIN, Interval))
    decided = exists().where(Decision.id == Report.decision_id, or_(can_be, appealed))
    under_way = or_(Report.status == "OPEN", decided)
    return or_(
        exists().where(Report.listing_id == listing_id, under_way),
        exists().where(Chat.listing_id == listing_id, Report.chat_id == Chat.id, under_way),
    )


def is_decided_about(listing_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Somebody reported it once, or staff decided about it."""
    return exists().where(Report.listing_id == listing_id)


KEEPER = Keeper(whole=is_looked_at, stub=is_decided_about)
