"""The texts that two models dispute, found again in the records, numbers taken out."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.cli.failure import CommandError, misused
from gateway.cli.progress import progress_bar
from gateway.cli.unmask_reason import cannot_open, sealer_of
from gateway.filter.model_pair import name_of
from gateway.runtime.record_archive import RecordArchive, hour_of
from gateway.runtime.record_texts import text_of
from gateway.runtime.sealed_records import Record, is_sealed, opened
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.text import readings
from gateway.systems.learning.anonymous import anonymous


@dataclass(frozen=True, slots=True)
class DisputedText:
    """One text on which the models disagree, with its numbers masked."""

    name: str
    agreement: str
    system_id: str
    text: str


def disputed_texts(
    settings: GatewaySettings, sampled: Mapping[str, Sequence[str]], since: datetime
) -> list[DisputedText]:
    """Return the sampled texts that the records since then hold, the last hour first.

    `sampled` has the names by agreement. A long message was judged as a whole, and stands in
    the records part by part: it is not found. Raises CommandError.
    """
    wanted = {name: agreement for agreement, names in sampled.items() for name in names}
    directory = settings.records_directory
    if not directory.is_dir():
        raise misused(
            f"there are no records at {directory.absolute()}",
            "call this from the directory that the gateway runs in",
        )
    archive, sealer = RecordArchive(directory), sealer_of(settings)
    hours = [hour for hour in archive.hours() if hour >= hour_of(since)]
    found: dict[str, DisputedText] = {}
    with progress_bar() as progress:
        task = progress.add_task("looking through the records", total=len(hours))
        for hour in reversed(hours):
            if len(found) == len(wanted):
                break
            for record, text in _texts(archive, hour, sealer):
                name = name_of(text)
                if name in wanted and name not in found:
                    said = str(record.get("system_id", ""))
                    found[name] = DisputedText(name, wanted[name], said, anonymous(text))
            progress.advance(task)
    return list(found.values())


def _texts(
    archive: RecordArchive, hour: int, sealer: Sealer | None
) -> Iterator[tuple[Record, str]]:
    try:
        for record in archive.read(hour):
            said = text_of(_open(record, sealer)) if record.get("kind") == "text" else None
            for text in readings(said[1], said[0]) if said is not None else ():
                yield record, text
    except SealError as error:
        raise cannot_open(error) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CommandError(f"the records of an hour cannot be read: {why}") from error


def _open(record: Record, sealer: Sealer | None) -> Record:
    if sealer is not None:
        return opened(record, sealer)
    if is_sealed(record):
        raise SealError("sealed, and there are no keys")
    return record
