"""Structured logging: one line per fact of EVENTS, JSON for machines, colour for people."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.runtime import clock
from gateway.runtime.masking import describe_error, mask_values

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "directories.chosen": (
            "Configuration and policies are read there, and relative paths count from"
            " `working_directory`; a warning where the policies are only those shipped."
        ),
        "senders.exposed": "SPs still have the password of the sample, which everybody knows.",
        "senders.readable": "Every account here can read senders.yaml, which has secrets.",
        "gateway.started": "All listeners are open and the policy is loaded.",
        "gateway.draining": "No new binds are taken; outstanding messages are being answered.",
        "gateway.stopped": "Both sides are unbound and the stores are closed.",
        "gateway.failed": "The gateway could not start or go on; the process ends.",
        "listener.opened": "A listener accepts SPs.",
        "esme.bound": "An SP bound, and its SMSC side too.",
        "esme.refused": "A bind was answered with an error; `reason` says why.",
        "esme.repeated": (
            "How often `of` came within a minute beside the one that was logged, from the same"
            " address or, as `others`, from those without a line of their own."
        ),
        "esme.unbound": "An SP unbound in good order.",
        "esme.closed": "An SP's connection ended without unbind, or was cut; `reason` says why.",
        "smsc.bound": "A bind at the SMSC stands.",
        "smsc.refused": "The SMSC answered a bind with an error.",
        "smsc.lost": "A link to the SMSC ended; its outstanding messages were answered.",
        "smsc.unreachable": "No connection to the SMSC could be made; it is tried again.",
        "policy.reloaded": "A new policy judges from now on.",
        "policy.refused": "A new policy was refused and the old one stays; `faults` says why.",
        "policy.unchanged": "A reload found the policy that is in force already.",
        "policy.history_failed": "A policy in force could not be written into the history.",
        "policy.request_unreadable": (
            "Requests of operators for a reload cannot be read from the store."
        ),
        "models.loaded": "Another classifier is in force, or in shadow, from now on.",
        "models.refused": "A classifier cannot be used and the old one stays; `fault` says why.",
        "models.report_failed": "The comparison of two classifiers cannot be written to its file.",
        "posture.chosen": "How much of what looks like spam is stopped: watch, balanced, strict.",
        "bundle.open": "The policy in force forwards everything.",
        "consent.loaded": "The consent and opt-out sets are in memory.",
        "consent.behind": "Consent changes could not be read for longer than allowed.",
        "notice.failed": "A webhook did not take an SP's notices, for the first time in a row.",
        "notice.recovered": "A webhook that had failed took notices; `attempts` says how often.",
        "notice.given_up": "Notices that a webhook did not take in 72 hours were given up.",
        "notice.store_failed": (
            "The store of notices does not answer; all notices wait until it does."
        ),
        "licence.ending": "An SP bound whose licence ends in less than 30 days; `days` says when.",
        "filings.loaded": "What SPs have filed is in memory.",
        "filings.behind": "Filings cannot be read for too long; the last known hold.",
        "preferences.loaded": "Subscribers' preferences are in memory.",
        "preferences.behind": "Preferences cannot be read for too long; the last known hold.",
        "subscriptions.lapsed": "Orders, trials and requests for consent passed their time.",
        "errands.expired": (
            "Messages of the gateway's own could not be sent in time (counted, not listed)."
        ),
        "scheduled.cancel_expired": (
            "Scheduled messages of refused senders were not cancelled at the SMSC in time"
            " (counted)."
        ),
        "suspensions.loaded": "The suspended numbers are in memory.",
        "suspensions.behind": "Suspensions cannot be read for too long; the last known hold.",
        "suspension.begun": "A number exceeded its limits and is suspended.",
        "suspension.notice_failed": (
            "The notice of a suspension could not be sent; `reason` says why."
        ),
        "quarantine.released": "A held message went to the SMSC and was accepted.",
        "quarantine.refused": "A held message was judged again at release and refused.",
        "quarantine.due": (
            "Deferred messages were due: how many had which result (counted, not listed)."
        ),
        "quarantine.expired": (
            "Held messages were kept for their whole time without a decision (counted, not listed)."
        ),
        "quarantine.in_doubt": "A release ended without an answer; a person decides.",
        "warning.raised": "An SP is warned of something for the first time in 24 hours.",
        "warning.write_failed": (
            "Warnings cannot be written to the store; they wait and are tried again."
        ),
        "warning.kinds_exceeded": (
            "There were more kinds of warnings than are kept apart; the rest were only counted."
        ),
        "reports.behind": (
            "Reports to the authority cannot be written to the store; they wait in memory."
        ),
        "reports.caught_up": "All reports to the authority that waited are in the store.",
        "reports.released": "Reports were closed because people released their messages (counted).",
        "reports.lost": (
            "Reports to the authority were dropped because the memory for them was full; the"
            " records have the messages."
        ),
        "follower.failed": (
            "A `step` that reads the store again and again failed; it is tried again."
        ),
        "follower.recovered": "A step that had failed succeeds again.",
        "store.failed": "The store cannot be written; messages that need it are refused.",
        "store.recovered": "The store can be written again.",
        "records.failed": "Records cannot be written; they are kept in memory and tried again.",
        "records.recovered": "Records are written again.",
        "records.repaired": "A record file ended in half a line; the half line was cut off.",
        "records.sealed": "Closed hours of records were sealed.",
        "records.purged": "Records past their retention were deleted.",
        "journal.verified": "A journal is whole; `head` is the digest of its last row, once a day.",
        "journal.broken": "A journal was tampered with; `broken` is its first wrong row.",
        "records.housekeeping_failed": "Sealing or purging failed; it is tried again.",
        "records.lost": "Records were dropped because no more can be kept in memory.",
        "disk.low": "A disk has little room left; `stage` says whether SPs are stopped for it.",
        "disk.sender_stopped": (
            "The SP that wrote most lately is stopped; nothing more is written for it."
        ),
        "disk.full": "A disk is full; messages that would be written are refused.",
        "disk.recovered": "A disk has room again; no SP is stopped for it.",
        "disk.check_failed": (
            "The free space of a disk could not be read; its stage stays as it was."
        ),
        "probes.opened": "The probe and metrics address answers.",
        "api.opened": "The address of the API answers.",
        "api.answered": "The API answered a request; `status` says how.",
        "api.repeated": (
            "How many requests without a valid token were answered alike within a minute beside the"
            " one that was logged."
        ),
        "api.reloaded": "The API knows the clients and SPs that the files name now.",
        "api.refused": "A new list of clients was refused and the old one stays.",
        "api.hours_changed": "The policy has other hours in which consent may be requested.",
        "api.policy_refused": "The policies cannot be read; the API keeps the hours that it knows.",
        "api.stopped": "The API stopped answering.",
        "api.codes_guessed": "A client's codes of subscribers were wrong too often: it must wait.",
        "api.failed": "The API could not start; the process ends.",
        "signal.received": "The process was asked to reload, drain or stop.",
        "task.failed": "A task ended with an exception.",
        "tick.failed": "One turn of the data path failed; the sessions in it were closed.",
        "loop.failed": "The event loop met an error that belongs to no task.",
        "library.warned": "A library logged a warning; `said` is its fixed text, without values.",
        "log.unlisted": "Code logged an event that is not on this list; `unlisted` names it.",
    }
)


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
