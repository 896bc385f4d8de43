"""`smsward trace`: one message, or all of a subscriber, from the submit to the receipt."""

import asyncio
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.cli.explain_labels import print_findings
from gateway.cli.record_search import print_records
from gateway.cli.record_work import shown_record
from gateway.domain.msisdn import is_mobile, masked
from gateway.records.archive import RecordArchive, start_of, words_of
from gateway.records.sealed_values import REQUESTS, Joint, Record, Subscriber, joint_of, stamp_of
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import SealError
from gateway.settings.gateway import GatewaySettings
from gateway.terminal.arguments import moment_of, reason_of, subscriber_of
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import UnmaskOptions
from gateway.terminal.screen import print_json, progress_bar, say, visible
from gateway.terminal.store import cannot_open, journal_access, sealer_of

_USUAL = timedelta(hours=48)
_IDS = ("message_id", "gateway_id", "smsc_message_id")
# A message goes on under these ids; a receipt only repeats its own.
_NEW_IDS = ("gateway_id", "smsc_message_id")
_PASSED = "forward"
# A number may stand there with spaces or after 086; ids of the gateway have more digits.
_DIGITS = re.compile(r"\d(?:[\W_]*\d){7,}")
_MOST_DIGITS = 18
_MAX_ABOUT_CHARS = 65


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its outcome: its records, one for each recipient."""

    at: object
    others: list[Record] = field(default_factory=list)  # that are not taken yet
    is_taken: bool = False


class MessageTrail:
    """Picks out, of records in their order, all about the messages that `is_meant` names.

    That are the request, its outcome, and what bears one of its ids later: a release from the
    quarantine, the receipt, its delivery.
    """

    def __init__(self, is_meant: Callable[[Record], bool]) -> None:
        self.found: list[Record] = []
        self._is_meant = is_meant
        self._ids: set[tuple[object, str]] = set()  # with the system_id: SPs may share an id
        self._open: dict[Joint, _Exchange] = {}

    def follow(self, records: Iterable[Record]) -> None:
        """Look at more records, none earlier than those before."""
        for record in records:
            if record.get("kind") == "outcome":
                self._end(record)
            else:
                self._begin(record)

    def _begin(self, record: Record) -> None:
        is_taken = self._is_meant(record) or any(
            (record.get("system_id"), str(record.get(name))) in self._ids for name in _IDS
        )
        if is_taken:
            self.found.append(record)
            self._know(record, _NEW_IDS)
        # What the gateway has answered itself has no outcome.
        if record.get("kind") not in REQUESTS or record.get("action", _PASSED) != _PASSED:
            return
        joint, at = joint_of(record), record.get("at")
        exchange = self._open.get(joint)
        if exchange is None or exchange.at != at:  # else it is another recipient of the same
            exchange = self._open[joint] = _Exchange(at)
        if is_taken:
            exchange.is_taken = True
        else:
            exchange.others.append(record)

    def _end(self, outcome: Record) -> None:
        exchange = self._open.pop(joint_of(outcome), _NO_EXCHANGE)
        if exchange.is_taken or self._is_meant(outcome):
            if not exchange.is_taken:
                self.found += exchange.others
            self.found.append(outcome)
            self._know(outcome, ("message_id",))

    def _know(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            if record.get(name):
                self._ids.add((record.get("system_id"), str(record[name])))


_NO_EXCHANGE = _Exchange("")


def trace_messages(
    settings: GatewaySettings,
    what: str,
    since: datetime | None,
    unmasking: UnmaskOptions,
    *,
    as_json: bool,
) -> int:
    """Print the records of one message, or of a subscriber's; return the exit code."""
    reason, sealer = reason_of(unmasking), sealer_of(settings)
    begin = utcnow() - _USUAL if since is None else moment_of(since)
    is_number = what.startswith("+") or is_mobile(what.encode("utf-8", "replace"))
    if is_number:
        subscriber = Subscriber(subscriber_of(what), sealer)
        trail = MessageTrail(subscriber.is_named_in)
    else:
        trail = MessageTrail(lambda record: any(str(record.get(one)) == what for one in _IDS))
    if reason is not None:
        about = visible(_DIGITS.sub(_masked_run, what))[:_MAX_ABOUT_CHARS]
        since_when = f"{about} since {begin:%Y-%m-%dT%H:%M%z}"
        asyncio.run(journal_access(settings, "trace", reason, since_when))
    with progress_bar() as progress:
        archive = RecordArchive(settings.records.directory)
        hours = [hour for hour in archive.hours() if start_of(hour + 1) > begin]
        for hour in progress.track(hours, description="looking through"):
            trail.follow(_since(archive, hour, stamp_of(begin)))
    found = sorted(trail.found, key=lambda record: str(record.get("at")))
    try:
        shown = [shown_record(one, sealer, is_whole=reason is not None) for one in found]
    except SealError as error:
        raise cannot_open(error) from error
    if as_json:
        print_json(shown)
    elif shown:
        print_records(shown)
        print_findings(shown)
    else:
        say(f"nothing on record since {begin:%Y-%m-%d %H:%M} UTC: --since goes further back")
    return ExitCode.FINE


def _masked_run(run: re.Match[str]) -> str:
    digits = "".join(filter(str.isdigit, run[0]))
    return masked(digits) if len(digits) <= _MOST_DIGITS else run[0]


def _since(archive: RecordArchive, hour: int, begin: str) -> Iterator[Record]:
    try:
        for record in archive.read(hour):
            if str(record.get("at")) >= begin:
                yield record
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CommandError(
            f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read: {words_of(error)}"
        ) from error
