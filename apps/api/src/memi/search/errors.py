"""Refusals of the search feature."""

from uuid import UUID

from memi.platform.errors import AppError


class ReplayUnderWay(AppError):
    """Names the `replay_id` of the one that is at it."""

    code, status, title = "replay_under_way", 409, "Everything is being rebuilt already."

    def __init__(self, replay_id: UUID | None) -> None:
        super().__init__(None, replay_id=replay_id)
