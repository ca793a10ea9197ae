"""Refusals of the reports feature."""

from datetime import datetime
from uuid import UUID

from memi.platform.errors import AppError


class OwnThing(AppError):
    code, status, title = "own_thing", 403, "You cannot report what is your own."


class ReportExists(AppError):
    """Names the `report_id` of the caller's own that is open."""

    code, status, title = "report_exists", 409, "You have reported this already, and it is being looked at."

    def __init__(self, report_id: UUID) -> None:
        super().__init__(None, report_id=report_id)


class ReportClaimed(AppError):
    """Says until when, unless it is resolved before."""

    code, status, title = "report_claimed", 409, "Another moderator is working on this report."

    def __init__(self, claimed_until: datetime | None) -> None:
        super().__init__(None, claimed_until=claimed_until)


class ReportIsResolved(AppError):
    code, status, title = "report_resolved", 409, "This report is resolved."


class NotClaimed(AppError):
    code, status, title = "not_claimed", 403, "Claim this report first; a claim lapses after 30 minutes."


class NotImpartial(AppError):
    code, status, title = "not_impartial", 403, "You reported this, or it is about you: a colleague must decide."


class ActionDoesNotFit(AppError):
    """Carries the `allowed_actions` for a report of this kind."""

    code, status, title = "action_does_not_fit", 409, "This action does not fit what was reported."

    def __init__(self, allowed_actions: list[str]) -> None:
        super().__init__(None, allowed_actions=allowed_actions)


class TargetGone(AppError):
    code, status, title = "target_gone", 409, "What this would be done to is not there any more."


class ChatIsClosed(AppError):
    code, status, title = "chat_already_closed", 409, "This chat is closed already."


class AlreadyBlocked(AppError):
    code, status, title = "already_blocked", 409, "This account is blocked already."


class StaffProtected(AppError):
    code, status, title = "staff_protected", 409, "Only an administrator can decide about the accounts of staff."


class NotYoursToAppeal(AppError):
    code, status, title = "not_yours_to_appeal", 403, "Only the person it was decided about can appeal."


class AlreadyAppealed(AppError):
    code, status, title = "already_appealed", 409, "This decision has been appealed; that is possible once."


class AppealTooLate(AppError):
    code, status, title = "appeal_too_late", 409, "The 30 days in which this could be appealed are over."


class AppealIsDecided(AppError):
    code, status, title = "appeal_decided", 409, "This appeal is decided."


class SameModerator(AppError):
    code, status, title = "same_moderator", 403, "You took this decision: a colleague must decide about the appeal."
