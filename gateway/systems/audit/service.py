"""The audit written out with a digest, and verified: the chain, and what was written out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from gateway.domain.audit import ActFilter, kind_of
from gateway.domain.records import Access, JournalRow, JournalState
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals

_AT_ONCE = 1000
_DIGEST_CHARS = 64


@dataclass(frozen=True, slots=True)
class ExportState:
    """What an exported file says of itself: whether it is `whole`, and how many entries it has."""

    is_whole: bool
    entries: int
    problem: str = ""


def described(entry: Access) -> dict[str, object]:
    """Return an entry as programs read it."""
    return {
        "number": entry.number,
        "at": entry.at,
        "kind": kind_of(entry.action),
        "action": entry.action,
        "by": entry.by,
        "reason": entry.reason,
        "about": entry.about,
    }


def row_noted(text: str) -> JournalRow | None:
    """Return the row that ``NUMBER:DIGEST`` names, as a log or an export has it; None for other."""
    number, _, digest = text.partition(":")
    is_digest = len(digest) == _DIGEST_CHARS and set(digest) <= set("0123456789abcdef")
    if not (number.isascii() and number.isdigit() and is_digest):
        return None
    return JournalRow(int(number), digest)


async def export_lines(
    journals: SqlJournals, wanted: ActFilter, by: str, at: datetime
) -> AsyncIterator[bytes]:
    """Yield entries as lines of JSON, each with its digest in the chain; last a line about them.

    That line has the SHA-256 of all octets before it, what was asked for, and the last row of the
    audit at the beginning. Entries that come meanwhile are left out. Raises StoreUnavailable.
    """
    head, digest, count, last = await journals.head(), sha256(), 0, 0
    while page := await journals.accesses_after(last, _AT_ONCE, wanted):
        for entry, chain in page:
            last = entry.number
            if last > head.number:
                break
            line = orjson.dumps({**described(entry), "digest": chain}) + b"\n"
            digest.update(line)
            count += 1
            yield line
        if last > head.number:
            break
    yield (
        orjson.dumps(
            {
                "sha256": digest.hexdigest(),
                "entries": count,
                "head": f"{head.number}:{head.digest}",
                "filter": {name: value for name, value in asdict(wanted).items() if value},
                "exported_at": at,
                "by": by,
            }
        )
        + b"\n"
    )


def verify_export(lines: Iterable[bytes]) -> ExportState:
    """Tell whether an exported file is as it was written, by the digest of its last line."""
    digest, count, before = sha256(), 0, b""
    for line in lines:
        if before:
            digest.update(before)
            count += 1
        before = line
    try:
        said = orjson.loads(before)
        stands, entries = said["sha256"], said["entries"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ExportState(is_whole=False, entries=count, problem="its last line has no digest")
    if entries != count:
        return ExportState(is_whole=False, entries=count, problem=f"it had {entries} entries")
    if stands != digest.hexdigest():
        return ExportState(is_whole=False, entries=count, problem="its digest is another one")
    return ExportState(is_whole=True, entries=count)


class ChainVerification:
    """Verifies the chains in the background, one time at a time, and keeps what was found.

    `utcnow` tells when.
    """

    def __init__(self, journals: SqlJournals, utcnow: Callable[[], datetime]) -> None:
        self._journals = journals
        self._utcnow = utcnow
        self._running: asyncio.Task[None] | None = None
        self.done = self.total = 0
        self.verified_at: datetime | None = None
        self.states: tuple[JournalState, ...] = ()
        self.problem = ""

    @property
    def is_running(self) -> bool:
        """Tell whether rows are being verified."""
        return self._running is not None and not self._running.done()

    def start(self) -> None:
        """Begin, unless it runs already."""
        if not self.is_running:
            self.done = self.total = 0
            self._running = spawn(self._run(), name="audit.verify")

    async def wait(self) -> None:
        """Wait until it is over."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            self.states = tuple(await self._journals.states(self._told))
            self.problem, self.verified_at = "", self._utcnow()
        except StoreUnavailable as error:
            self.problem = str(error)

    def _told(self, _journal: str, done: int, total: int) -> None:
        self.done, self.total = done, total
