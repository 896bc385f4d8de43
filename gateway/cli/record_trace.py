"""`smsward trace`: one message, or all of a subscriber, from the submit to the receipt."""

import asyncio
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from gateway.cli.explain_labels import print_findings
from gateway.cli.record_search import print_records
from gateway.domain.msisdn import is_mobile
from gateway.records.archive import RecordArchive, start_of, words_of
from gateway.records.masked_records import shown_record
from gateway.records.message_trail import MessageTrail, has_id, masked_about
from gateway.records.sealed_values import Record, Subscriber, stamp_of
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import SealError
from gateway.settings.gateway import GatewaySettings
from gateway.terminal.arguments import moment_of, reason_of, subscriber_of
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import UnmaskOptions
from gateway.terminal.screen import print_json, progress_bar, say, visible
from gateway.terminal.store import cannot_open, journal_access, sealer_of

_USUAL = timedelta(hours=48)
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
    if is_number:
        subscriber = Subscriber(subscriber_of(what), sealer)
        trail = MessageTrail(subscriber.is_named_in)
    else:
        trail = MessageTrail(has_id(what))
    if reason is not None:
        about = visible(masked_about(what))[:_MAX_ABOUT_CHARS]
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


def _since(archive: RecordArchive, hour: int, begin: str) -> Iterator[Record]:
    try:
        for record in archive.read(hour):
            if str(record.get("at")) >= begin:
                yield record
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CommandError(
            f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read: {words_of(error)}"
        ) from error
