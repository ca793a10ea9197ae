"""Structured logs: JSON lines with request and user ids, sensitive fields redacted."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from memi.platform.settings import Settings

_SENSITIVE = (
    "password",
    "token",
    "secret",
    "authorization",
    "cookie",
    "key_ring",
    "private_key",
    "api_key",
    "recovery_code",
    "otpauth",
    "database_url",
    "dsn",
)
REDACTED = "[redacted]"
_DETAIL = re.compile(r"(DETAIL: +)[^\n]*")


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose name says they are secret, at any depth."""
    for name, value in event.items():
        event[name] = _clean(name, value)
    return event


def _clean(name: str, value: Any) -> Any:
    if any(part in name.lower() for part in _SENSITIVE):
        return REDACTED
    if isinstance(value, str):
        # What PostgreSQL says of a refused row shows the row.
        return _DETAIL.sub(r"\1" + REDACTED, value) if "DETAIL" in value else value
    if isinstance(value, Mapping):
        return {key: _clean(str(key), item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_clean(name, item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def redacted(values: Mapping[str, object]) -> dict[str, Any]:
    """A copy whose secret values, by their names, are replaced at any depth."""
    return {name: _clean(name, value) for name, value in values.items()}


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's records to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_json:
        # Never the local variables of a traceback: they hold passwords and tokens.
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        final: list[Any] = [tracebacks, redact, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        final = [redact, plain]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("pgqueuer", "pyvips", "httpx", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
