"""What most routes for staff refuse with."""

from memi.platform.errors import (
    AppError,
    InvalidCursor,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ValidationFailed,
)
from memi.platform.paging import PageTooDeep
from memi.platform.problems import problems

STAFF: tuple[type[AppError], ...] = (NotAuthenticated, PermissionDenied)
DEED: tuple[type[AppError], ...] = (*STAFF, NotFound, ValidationFailed)
COLLECTION = problems(*STAFF, InvalidCursor, PageTooDeep, ValidationFailed)
