"""`smsward trace`: one message, or all of a subscriber, from the submit to the receipt."""

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from gateway.cli.explain_labels import print_findings
from gateway.cli.record_search import print_records
from gateway.domain.msisdn import is_mobile
from gateway.records.archive import FileLines, RecordArchive, scan_hour, start_of, words_of
from gateway.records.masked_records import shown_record
from gateway.records.message_search import (
    Window,
    earlier_windows,
    follow_message,
    hours_within,
    windows_of,
)
from gateway.records.message_trail import MessageTrail, masked_about
from gateway.records.sealed_values import Record, Subscriber, stamp_of
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import SealError
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.model import issued_at
from gateway.terminal.arguments import moment_of, reason_of, subscriber_of
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import UnmaskOptions
from gateway.terminal.screen import print_json, progress_bar, say, visible
from gateway.terminal.store import cannot_open, journal_access, sealer_of

_USUAL = timedelta(hours=48)
_CLOCKS_DIFFER = timedelta(hours=1)
_MAX_ABOUT_CHARS = 65


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
    subscriber = Subscriber(subscriber_of(what), sealer) if is_number else None
    until = utcnow() + _CLOCKS_DIFFER
    issued = None if is_number else issued_at(what)
    windows = windows_of(begin, until, issued, reaches_back=since is None)
    if reason is not None:
        about = visible(masked_about(what))[:_MAX_ABOUT_CHARS]
        since_when = f"{about} since {begin:%Y-%m-%dT%H:%M%z}{earlier_windows(windows)}"
        asyncio.run(journal_access(settings, "trace", reason, since_when))
    archive = RecordArchive(settings.records.directory)
    if subscriber is None:
        found = _followed(archive, what, windows)
    else:
        trail = MessageTrail(subscriber.is_named_in)
        with progress_bar() as progress:
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


def _followed(archive: RecordArchive, message_id: str, windows: Sequence[Window]) -> list[Record]:
    hours = hours_within(archive.hours(), windows)
    with progress_bar() as progress:
        task, done = progress.add_task("looking through", total=len(hours)), set[int]()

        def read(hour: int) -> Iterator[FileLines]:
            with _named(hour):
                yield from scan_hour(archive, hour, bool)
            done.add(hour)  # some are read again
            progress.update(task, completed=len(done))

        try:
            return follow_message(message_id, hours, windows, read)
        except ValueError as error:
            raise CommandError(f"the records cannot be read: {words_of(error)}") from error


def _since(archive: RecordArchive, hour: int, begin: str) -> Iterator[Record]:
    with _named(hour):
        for record in archive.read(hour):
            if str(record.get("at")) >= begin:
                yield record


@contextmanager
def _named(hour: int) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CommandError(
            f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read: {words_of(error)}"
        ) from error
