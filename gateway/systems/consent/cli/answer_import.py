"""The work of `smsward consent import`: lists of answers, checked, sorted and recorded."""

import csv
import gzip
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Protocol, TextIO

from rich.progress import Progress

from gateway.domain.consent import Answer
from gateway.domain.msisdn import misread_as
from gateway.domain.records import NewAccess
from gateway.runtime.clock import utcnow
from gateway.storage.sealed_columns import Kept
from gateway.systems.consent.answer_lines import (
    MAX_LINE_OCTETS,
    AnswerLines,
    LineFault,
    LineRejectedError,
    ListRejectedError,
    Unsaid,
)
from gateway.systems.consent.cli import AnswerDefaults, Scope
from gateway.systems.consent.cli.answers import end_of_option, scope_of
from gateway.systems.consent.sql import ANSWERS_PER_COMMIT, ConsentLists, KeptAnswer, PlainAnswer
from gateway.terminal.arguments import is_odd
from gateway.terminal.deployment import load_settings, senders_of
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_table,
    private_file,
    progress_bar,
    say,
    visible,
    warn,
)
from gateway.terminal.store import opened_store

# In bytes of memory, negative kilobytes as SQLite wants it; what is over goes to the disk.
_CACHE = "PRAGMA cache_size=-65536"
_TABLE = (
    "CREATE TABLE answers (msisdn, scope, answer, since INTEGER, channel, evidence, until INTEGER)"
)


class SpoolError(Exception):
    """The temporary file cannot hold what it is given. The text says why."""


class SortedAnswers:
    """Takes answers in any order and gives them back by number and scope.

    Into a table of millions, rows in the order of its key go many times faster: each page
    is written once. It holds of numbers what `seal` makes of them, and their order is that
    of what it makes. The file is SQLite's own: no name, no permissions, gone when closed.
    """

    def __init__(self, seal: Callable[[int], Kept] | None = None) -> None:
        self._seal = seal
        with _translated():
            self._file = sqlite3.connect("", isolation_level=None)
            for statement in (
                "PRAGMA journal_mode=OFF",
                _CACHE,
                _TABLE,
                "BEGIN",
            ):
                self._file.execute(statement)

    def add(self, answers: Sequence[PlainAnswer]) -> None:
        """Take some more. Raises SpoolError."""
        rows = answers if self._seal is None else _sealed(answers, self._seal)
        with _translated():
            self._file.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def batches(self, size: int) -> Iterator[list[KeptAnswer]]:
        """Give all in order, `size` at a time. Raises SpoolError."""
        with _translated():
            rows = self._file.execute("SELECT * FROM answers ORDER BY msisdn, scope")
        while batch := _fetched(rows, size):
            yield batch

    def close(self) -> None:
        """Let the file go; may be repeated."""
        self._file.close()


def _sealed(answers: Sequence[PlainAnswer], seal: Callable[[int], Kept]) -> list[KeptAnswer]:
    return [(seal(answer[0]), *answer[1:]) for answer in answers]


def _fetched(rows: sqlite3.Cursor, size: int) -> list[KeptAnswer]:
    with _translated():
        return rows.fetchmany(size)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolError(str(error)) from error


_GZIP = b"\x1f\x8b"
_BUFFER_OCTETS = 1 << 20
_LINES_PER_REPORT = 20_000
_LINES_AT_ONCE = 10_000
_MAX_SHOWN_OCTETS = 200


class _ListLines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


def numbered_lines(path: Path, on_read: Callable[[int], object]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that hold anything, counted from 1.

    A line longer than MAX_LINE_OCTETS is cut just behind them. `on_read` hears from time to
    time how many octets of the file are read. Raises OSError, also for a broken gzip file,
    EOFError and zlib.error.
    """
    with ExitStack() as stack:
        raw = BufferedReader(stack.enter_context(FileIO(path)), _BUFFER_OCTETS)
        lines: _ListLines = raw
        if raw.peek(len(_GZIP)).startswith(_GZIP):
            lines = stack.enter_context(gzip.GzipFile(fileobj=raw))
        number = 0
        while line := lines.readline(MAX_LINE_OCTETS + 1):
            number += 1
            if len(line) > MAX_LINE_OCTETS and not line.endswith(b"\n"):
                _skip_rest(lines)
            if number % _LINES_PER_REPORT == 0 and raw.seekable():
                on_read(raw.tell())
            if not line.isspace():
                yield number, line


def _skip_rest(lines: _ListLines) -> None:
    while (rest := lines.readline(_BUFFER_OCTETS)) and not rest.endswith(b"\n"):
        pass


@dataclass(slots=True)
class Rejections:
    """What was not taken: each line into a file if one is wanted, a count for each fault."""

    lines: TextIO | None
    counts: dict[LineFault, int] = field(default_factory=dict)
    firsts: dict[LineFault, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._write("file", "line", "reason", "text")

    def add(self, path: Path, number: int, fault: LineFault, line: bytes) -> None:
        """Note one line."""
        self.counts[fault] = self.counts.get(fault, 0) + 1
        self.firsts.setdefault(fault, f"{path}:{number}")
        text = line[:_MAX_SHOWN_OCTETS].decode("utf-8", "replace").strip()
        self._write(str(path), str(number), fault, visible(text))

    def _write(self, *row: str) -> None:
        if self.lines is not None:
            csv.writer(self.lines).writerow(row)


@dataclass(slots=True)
class Doubts:
    """Lines that were taken although their numbers may be mistyped."""

    count: int = 0
    first: str = ""

    def add(self, path: Path, number: int) -> None:
        """Note one line."""
        self.count += 1
        self.first = self.first or f"{path}:{number}"

    def warn(self) -> None:
        """Say how many there are, and where to look."""
        if self.count:
            warn(
                "with too few or too many digits for a mainland mobile number:"
                f" {counted(self.count, 'line')}, first {self.first}: mistyped?"
            )


@dataclass(frozen=True, slots=True)
class _ImportContext:
    """What reading a list needs besides the list."""

    said: AnswerDefaults
    scope: str | None
    senders: Collection[str] | None
    now: datetime
    answers: SortedAnswers
    rejections: Rejections
    doubts: Doubts
    progress: Progress


async def import_answers(
    config: Path,
    files: Sequence[Path],
    said: AnswerDefaults,
    rejects: Path | None,
    *,
    as_json: bool,
) -> int:
    """Record what the lists say; return the exit code, 1 when lines were rejected.

    Nothing is recorded before all files are read to their ends.
    """
    _sound(files, said, rejects)
    senders = senders_of(config)
    scope = None
    if said.system_id is not None or said.all_senders:
        scope = scope_of(Scope(said.system_id, said.all_senders), config)
    with ExitStack() as stack:
        stack.enter_context(_faults_in_words(rejects))
        lines = None if rejects is None else stack.enter_context(private_file(rejects))
        progress = stack.enter_context(progress_bar())
        async with opened_store(load_settings(config), ConsentLists) as lists:
            answers = SortedAnswers(lists.number_seal())
            stack.callback(answers.close)
            noted = Rejections(lines), Doubts()
            reading = _ImportContext(said, scope, senders, utcnow(), answers, *noted, progress)
            read = sum([_read(path, reading) for path in files])
            task = progress.add_task("recording", total=read)
            done = 0
            names = ", ".join(visible(path.name) for path in files)[:_MAX_SHOWN_OCTETS]
            about = f"{counted(read, 'answer')} of {names}"
            staff = NewAccess(acting(None), "consent import", said.evidence, about, reading.now)
            async for count in lists.record_list(answers.batches(ANSWERS_PER_COMMIT), staff):
                done += count
                progress.update(task, completed=done)
    report(read, reading.rejections, rejects, as_json=as_json)
    reading.doubts.warn()
    return ExitCode.FAILED if reading.rejections.counts else ExitCode.FINE


def _sound(files: Sequence[Path], said: AnswerDefaults, rejects: Path | None) -> None:
    for path in files:
        if path.is_dir() or not path.exists():
            raise misused(f"there is no file {path}")
        if rejects is not None and rejects.resolve() == path.resolve():
            raise misused("--rejects: this is one of the lists")
    if said.system_id is not None and said.all_senders:
        raise misused("give --system-id or --all-senders, not both")
    if said.until is not None and said.answer is Answer.REFUSED:
        raise misused("--until: a refusal has no end, only the subscriber takes it back")


def _read(path: Path, reading: _ImportContext) -> int:
    """Take the answers of one file; return how many there are."""
    task = reading.progress.add_task(
        f"reading {visible(path.name)}", total=path.stat().st_size or None
    )
    taken: list[PlainAnswer] = []
    count = 0
    reader: AnswerLines | None = None
    with _list_faults(path):
        for number, line in numbered_lines(
            path, lambda octets: reading.progress.update(task, completed=octets)
        ):
            if reader is None:
                reader = AnswerLines(line, _unsaid(path, reading), reading.senders, reading.now)
                if reader.has_header:
                    continue
            try:
                answer = reader.read(line)
            except LineRejectedError as error:
                reading.rejections.add(path, number, error.fault, line)
                continue
            if is_odd(answer[0]):
                reading.doubts.add(path, number)
            taken.extend(_readings(answer))
            count += 1
            if len(taken) >= _LINES_AT_ONCE:
                reading.answers.add(taken)
                taken.clear()
    reading.answers.add(taken)
    reading.progress.remove_task(task)
    return count


def _readings(answer: PlainAnswer) -> tuple[PlainAnswer, ...]:
    """Return the answer; a refusal also for the number that its number may be a misreading of."""
    other = misread_as(answer[0]) if answer[2] == Answer.REFUSED else None
    return (answer,) if other is None else (answer, (other, *answer[1:]))


def _unsaid(path: Path, reading: _ImportContext) -> Unsaid:
    """Return what a silent line means: as of when the list was written, unless later is now.

    So that the same import may be repeated, and outlasts nothing that was said since.
    """
    said = reading.said
    since = said.since
    if since is None:
        since = min(datetime.fromtimestamp(path.stat().st_mtime, UTC), reading.now)
    elif since.tzinfo is None or since > reading.now:
        raise misused("--since: a past time with its offset, as 2013-11-04T09:30:00+08:00")
    return Unsaid(
        reading.scope,
        said.answer,
        since,
        visible(said.channel.strip())[:64] or "import",
        visible(said.evidence.strip())[:200],
        None if said.until is None else end_of_option(said.until),
    )


@contextmanager
def _list_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except ListRejectedError as error:
        raise misused(
            f"{path}: {error}",
            "a list is CSV with a header, or one number a line; --system-id or --all-senders and"
            " --answer say what it does not",
        ) from error
    except (EOFError, zlib.error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{path} cannot be read: {why}; nothing was recorded") from error


@contextmanager
def _faults_in_words(rejects: Path | None) -> Iterator[None]:
    try:
        yield
    except SpoolError as error:
        raise CommandError(
            f"the answers cannot be sorted: {error}",
            advice="ten million take about a gigabyte in the directory that SQLITE_TMPDIR"
            " names, else /var/tmp",
        ) from error
    except OSError as error:
        raise CommandError(
            f"{rejects or 'the store'} cannot be written: {error.strerror}"
        ) from error


def report(recorded: int, rejections: Rejections, rejects: Path | None, *, as_json: bool) -> None:
    """Say what was done; no number is in it."""
    rejected = sum(rejections.counts.values())
    if as_json:
        reasons = [
            {"reason": fault, "lines": lines, "first": rejections.firsts[fault]}
            for fault, lines in rejections.counts.items()
        ]
        print_json({"recorded": recorded, "rejected": rejected, "reasons": reasons})
        return
    say(f"recorded: {counted(recorded, 'answer')}; rejected: {counted(rejected, 'line')}")
    if rejected:
        rows = (
            (fault, str(lines), rejections.firsts[fault])
            for fault, lines in rejections.counts.items()
        )
        print_table(("rejected because", "lines", "first"), rows)
        say(f"they are in {rejects}" if rejects else "add --rejects FILE to keep them")
