"""What browsing shows of use. What staff look at in somebody's place is nobody's use."""

from typing import Any
from uuid import UUID

from memi.platform.ids import new_id
from memi.platform.principal import Principal
from memi.search.filters import Plan
from memi.search.schemas import ListingArrival
from memi.search.service import is_empty
from memi.usage.recorder import Recorder


def search(recorder: Recorder, scope: Any, viewer: Principal | None, plan: Plan, body: bytes) -> UUID:
    """Somebody searched, and this is the first page; the id that their clicks will name."""
    search_id = new_id()
    if not _is_in_anothers_place(viewer):
        recorder.record(
            scope,
            "SEARCH",
            viewer.user_id if viewer else None,
            search_id=search_id,
            category=plan.category,
            words=plan.kept_words,
            properties='{"empty": true}' if is_empty(body) else "{}",
        )
    return search_id


def view(
    recorder: Recorder, scope: Any, viewer: Principal | None, listing_id: UUID, arrival: ListingArrival | None
) -> None:
    """Somebody reads a listing, perhaps after a search."""
    if _is_in_anothers_place(viewer):
        return
    viewer_id = viewer.user_id if viewer else None
    if arrival is not None and arrival.search_id is not None:
        recorder.record(
            scope,
            "SEARCH_CLICK",
            viewer_id,
            listing_id=listing_id,
            search_id=arrival.search_id,
            position=arrival.position,
        )
    recorder.record(scope, "LISTING_VIEW", viewer_id, listing_id=listing_id)


def _is_in_anothers_place(viewer: Principal | None) -> bool:
    return viewer is not None and viewer.impersonator_id is not None
