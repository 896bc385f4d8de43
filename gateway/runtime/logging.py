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
from gateway.runtime.masking import describe_error, mask_values

# docs/reference/events.md says what each means.
_EVENTS = """
alert.failed alert.store_failed alert.told
api.answered api.codes_guessed api.failed api.gateway_silent api.hours_changed api.opened
api.policy_refused api.refused api.reloaded api.repeated api.stopped
bundle.open
case.accepted case.dispatched case.escalated case.escalation_failed case.feedback_received
case.opened case.received case.reopened case.undispatched case.unsent
child.ended child.started child.stopped
complaints.failed complaints.matched complaints.opened detector.hit detectors.failed
detectors.opened detectors.records_unread
config.refused config.reloaded
console.no_users
consent.behind consent.loaded
control.failed
directories.chosen
disk.check_failed disk.full disk.low disk.recovered disk.sender_stopped
errands.expired
esme.bound esme.closed esme.refused esme.repeated esme.unbound
filings.behind filings.loaded
follower.failed follower.recovered
gateway.draining gateway.failed gateway.started gateway.stopped
handover.refused
job.ended job.started
journal.broken journal.verified
library.warned
licence.ending
listener.closed listener.opened listener.unclaimed
log.unlisted
loop.failed
linkage.conflict linkage.dead linkage.failed linkage.opened linkage.refused
linkage.unapplied
models.loaded models.refused models.report_failed
notice.failed notice.given_up notice.recovered notice.store_failed
order.given
policy.history_failed policy.refused policy.reloaded policy.request_unreadable policy.unchanged
posture.chosen
peer.blocked peer.reported
port.suspended
ports.behind
preferences.behind preferences.loaded
probes.opened
quarantine.due quarantine.expired quarantine.held_again quarantine.in_doubt quarantine.overdue
quarantine.refused quarantine.released
receipt.unowned
records.failed records.housekeeping_failed records.lost records.purged records.recovered
records.repaired records.sealed
reporter.told
reports.behind reports.caught_up reports.lost reports.released
review.samples_unkept
scheduled.cancel_expired
sanction.carried_out sanction.proposed sanction.write_failed
sanctions.behind
sender.closed
senders.exposed senders.readable
signal.received
smsc.bound smsc.lost smsc.recovered smsc.refused smsc.unreachable
store.failed store.recovered
subscriptions.lapsed
suspension.begun suspension.notice_failed
suspensions.behind suspensions.loaded
task.failed
tick.failed
tracing.started tracing.unavailable
undelivered.forgotten
user.codes_guessed user.oidc_refused user.signed_in
warning.escalated warning.escalation_failed warning.kinds_exceeded warning.raised
warning.write_failed
"""
EVENTS = frozenset(_EVENTS.split())

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
            raise UnlistedEventError(f"{name} is not in gateway.runtime.logging")
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
    check, lines = EventCheck(strict=strict), _LineLogger(sink or _to_stderr)
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
        logger_factory=lambda *_names: lines,
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


class _LibraryLines(logging.Handler):
    """Carries libraries' warnings over; their arguments stay behind, they may be anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().warning(
            "library.warned", library=record.name, said=str(record.msg), exc_info=error
        )
