"""Records read in a process beside the one that judges them, so that two cores share the work."""

import gc
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from gateway.app.replay.decisions import Decision
from gateway.app.replay.record_blocks import Block, BlockReader, HourUnreadableError, Read
from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_scan import size_of
from gateway.runtime.sealing import Keys

# Below that a process takes longer to start than to read them.
_WORTH_OCTETS = 16 << 20


class ReaderLostError(Exception):
    """The process that read the records has ended before they did; the words are for people."""


@contextmanager
def reading(archive: RecordArchive, keys: Keys | None) -> Iterator[Read]:
    """Give what reads the records of `archive`: beside this process if that is worth it."""
    hours = archive.hours()
    octets = size_of(archive, hours[0], hours[-1]) if hours else 0
    if octets < _WORTH_OCTETS or _cores() == 1:
        yield BlockReader(archive, keys).read
        return
    with reading_beside(archive, keys) as read:
        yield read


@contextmanager
def reading_beside(archive: RecordArchive, keys: Keys | None) -> Iterator[Read]:
    """Start a process that reads, and end it. It is never more than a block or two ahead.

    What `read` raises besides HourUnreadableError is ReaderLostError. It may be called once.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, archive, keys), daemon=True)
    with _unheard_interrupt():
        process.start()
    theirs.close()

    def read(hours: Iterable[int]) -> Iterator[Block]:
        try:
            ours.send(list(hours))
            yield from _received(ours)
        except (EOFError, OSError) as error:
            process.join()
            raise ReaderLostError(f"its exit code is {process.exitcode}") from error

    try:
        yield read
    finally:
        ours.close()
        process.terminate()
        process.join()


def _cores() -> int:
    """Return how many cores this process may run on, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _received(pipe: Connection) -> Iterator[Block]:
    while True:
        match pipe.recv():
            case Block() as block, list(decisions):
                # Decision._make takes twice as long.
                yield block._replace(decisions=[tuple.__new__(Decision, one) for one in decisions])
            case int(hour), str(why):
                raise HourUnreadableError(hour, why)
            case _:
                return


def _serve(pipe: Connection, archive: RecordArchive, keys: Keys | None) -> None:
    """Send what `reading_beside` receives, as long as it does."""
    reader = BlockReader(archive, keys)
    gc.freeze()
    with suppress(EOFError, ConnectionError):
        try:
            for block in reader.read(pipe.recv()):
                # To pickle plain tuples takes a fifth of the time.
                pipe.send((block._replace(decisions=[]), list(map(tuple, block.decisions))))
        except HourUnreadableError as error:
            pipe.send((error.hour, str(error)))
        else:
            pipe.send(None)


@contextmanager
def _unheard_interrupt() -> Iterator[None]:
    """Let what is started meanwhile not hear Ctrl-C: it ends with the process that started it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
