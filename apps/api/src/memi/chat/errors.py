"""Refusals of the chat feature."""

from memi.platform.errors import AppError


class SellerCannotStart(AppError):
    code, status, title = "seller_cannot_start", 403, "Only a buyer starts a chat about a listing."


class ListingUnavailable(AppError):
    code, status, title = "listing_unavailable", 409, "A chat about this listing can no longer be started."


class ChatBlocked(AppError):
    code, status, title = "chat_blocked", 403, "One of you has blocked this chat."


class ChatClosed(AppError):
    code, status, title = (
        "chat_closed",
        409,
        "A moderator closed this chat, or the other person's account is no longer active.",
    )


class TooManySubscriptions(AppError):
    code, status, title = "too_many_subscriptions", 429, "This socket has subscribed to as many chats as it may."


class FlagIsResolved(AppError):
    code, status, title = "flag_is_resolved", 409, "This flag has been dealt with."


class NotImpartial(AppError):
    code, status, title = "not_impartial", 403, "You are in this chat: a colleague must look."
