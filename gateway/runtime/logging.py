"""Structured logging: one line per fact of EVENTS, JSON for machines, colour for people."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from enum import StrEnum

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.runtime import clock
from gateway.runtime.events import EVENTS
from gateway.runtime.masking import describe_error, mask_values

Sink = Callable[[bytes], None]

_STDERR = 2


class LogLevel(StrEnum):
    """What is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class UnlistedEventError(ValueError):
    """Code logged an event that EVENTS does not hold."""


class EventCheck:
    """Guards the closed list of events; a structlog processor.

    Strict (tests, development): an event that is not listed raises. Otherwise its line is
    written as ``log.unlisted`` and counted in `unlisted`: a wrong name must not stop traffic.
    """

    def __init__(self, *, strict: bool) -> None:
        self.unlisted = 0
        self._strict = strict

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return `event` with a listed name."""
        name = event["event"]
        if name in EVENTS:
            return event
        if self._strict:
            raise UnlistedEventError(f"{name} is not in gateway.runtime.events")
        self.unlisted += 1
        event["event"], event["unlisted"] = "log.unlisted", name
        return event


def configure_logging(
    *,
    level: LogLevel = LogLevel.INFO,
    json: bool | None = None,
    strict: bool = False,
    sink: Sink | None = None,
) -> EventCheck:
    """Send all log lines of the process to `sink`, by default the standard error.

    `json` None means JSON unless the standard error is a terminal. Warnings of libraries
    come the same way as ``library.warned``. May be called again. Returns the check of
    event names, strict or not, for its count.
    """
    is_json = not sys.stderr.isatty() if json is None else json
    check = EventCheck(strict=strict)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            check,
            describe_error,
            mask_values,
            _stamp,
            *(_JSON if is_json else _PEOPLE),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=_LineFactory(sink or _to_stderr),
        # Loggers are not cached: a second configuration would leave some on the first.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()  # noqa: TID251 - libraries log here; their lines join ours
    root.handlers[:] = [_LibraryLines(logging.WARNING)]
    root.setLevel(logging.WARNING)
    return check


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"at": clock.utcnow().isoformat(timespec="milliseconds"), **event}


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return orjson.dumps(event)


def _as_octets(_logger: WrappedLogger, _method: str, line: EventDict | str) -> bytes:
    return str(line).encode()


_JSON: tuple[Processor, ...] = (_as_json,)
_PEOPLE: tuple[Processor, ...] = (
    structlog.dev.ConsoleRenderer(timestamp_key="at"),
    _as_octets,
)


def _to_stderr(line: bytes) -> None:
    # A full disk or a closed pipe behind the standard error must not stop traffic.
    with contextlib.suppress(OSError):
        os.write(_STDERR, line)


class _LineLogger:
    """What structlog calls a logger: every method writes one line."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, line: bytes) -> None:
        self._sink(line + b"\n")

    debug = info = warning = error = critical = exception = msg


class _LineFactory:
    def __init__(self, sink: Sink) -> None:
        self._lines = _LineLogger(sink)

    def __call__(self, *_names: object) -> _LineLogger:
        return self._lines


class _LibraryLines(logging.Handler):
    """Carries libraries' warnings over; their arguments stay behind, they may be anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().warning(
            "library.warned", library=record.name, said=str(record.msg), exc_info=error
        )
