"""Errors that a caller is told about. Features subclass `AppError` in their own `errors.py`."""

from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One invalid field: where (JSON pointer), what (stable code) and a sentence for people."""

    pointer: str
    code: str
    message: str


class AppError(Exception):
    """A refusal with a stable `code` and an HTTP status; `fields` become members of the problem document."""

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None, **fields: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = headers or {}
        self.fields = fields


class ValidationFailed(AppError):
    """The request is well-formed but wrong; `errors` names every field."""

    code, status, title = "validation_failed", 422, "The request has invalid fields."

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(None, errors=errors)
        self.errors = errors

    @classmethod
    def of(cls, pointer: str, code: str, message: str) -> "ValidationFailed":
        return cls([FieldError(pointer, code, message)])


class InvalidCursor(AppError):
    code, status, title = "invalid_cursor", 422, "The cursor is not one this collection gave."

    def __init__(self) -> None:
        super().__init__(None, errors=[FieldError("/cursor", self.code, self.title)])


class NotFound(AppError):
    code, status, title = "not_found", 404, "There is nothing here that you can see."


class NotAuthenticated(AppError):
    code, status, title = "not_authenticated", 401, "Sign in to do this."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class InvalidToken(NotAuthenticated):
    code, title = "invalid_token", "The access token is invalid, expired or revoked."


class PermissionDenied(AppError):
    code, status, title = "permission_denied", 403, "Your account may not do this."


class MfaEnrolmentRequired(AppError):
    code, status, title = "mfa_enrolment_required", 403, "You need a second factor; enrol one first."


class StepUpRequired(AppError):
    code, status, title = "step_up_required", 403, "Prove who you are once more, by `POST /auth/step-up`."


class NotWhileImpersonating(AppError):
    code, status, title = "not_while_impersonating", 403, "This is not done in somebody else's place."


class MalformedJson(AppError):
    code, status, title = "malformed_json", 400, "The body is not valid JSON."


class UnsupportedMediaType(AppError):
    code, status, title = "unsupported_media_type", 415, "Send the body as application/json."


class BodyTooLarge(AppError):
    code, status, title = "body_too_large", 413, "The body is larger than this endpoint accepts."


class StaleVersion(AppError):
    code, status, title = "stale_version", 412, "It has changed since you read it; read it again."


class ServiceBusy(AppError):
    code, status, title = "service_busy", 503, "The service is busy; try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class RequestTimedOut(AppError):
    code, status, title = "request_timed_out", 503, "The request took too long and was given up."


class InternalError(AppError):
    code, status, title = "internal_error", 500, "Something went wrong on our side."
