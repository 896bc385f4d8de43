"""The only place that starts asyncio tasks and long threads; deadlines and locks for them."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")
FailureReport = Callable[[BaseException], None]

# asyncio keeps only weak references: a task without another reference may be collected early.
_running: set[asyncio.Task[object]] = set()


def spawn(
    coro: Coroutine[object, object, T],
    *,
    name: str,
    on_failure: FailureReport | None = None,
) -> asyncio.Task[T]:
    """Start `coro` as a task and keep a reference until it ends.

    An exception is logged as ``task.failed`` and passed to `on_failure`; cancelling is not a
    failure. `name` goes to the log: it must not contain a subscriber number.
    """
    task = asyncio.create_task(coro, name=name)  # noqa: TID251 - the ban points to this function
    _running.add(task)
    task.add_done_callback(partial(_report_end, on_failure))
    return task


async def cancel_all(timeout_s: float) -> frozenset[str]:
    """Cancel all other spawned tasks of this loop; return the names of those still running."""
    loop = asyncio.get_running_loop()
    caller = asyncio.current_task()
    tasks = [task for task in _running if task is not caller and task.get_loop() is loop]
    for task in tasks:
        task.cancel()
    if not tasks:
        return frozenset()
    _, stubborn = await asyncio.wait(tasks, timeout=timeout_s)
    return frozenset(task.get_name() for task in stubborn)


def asked_to_stop() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set from now on, in a process that serves until then.

    Errors that only its loop sees are logged.
    """
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(report_loop_error)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked


def report_loop_error(_loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
    """Log an error that only the loop saw; for `loop.set_exception_handler`.

    The loop's own handler prints a callback's arguments, which may include a subscriber's PDU.
    """
    error = context.get("exception")
    task = context.get("task")
    named = {"task": task.get_name()} if isinstance(task, asyncio.Task) else {}
    if isinstance(error, BaseException):
        log.error("loop.failed", exc_info=error, **named)
    else:
        log.error("loop.failed", said=context.get("message"), **named)


def _report_end(on_failure: FailureReport | None, task: asyncio.Task[object]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        return
    log.error("task.failed", task=task.get_name(), exc_info=error)
    if on_failure is not None:
        on_failure(error)


_STEP_S = 0.1


async def wait_listening(awaited: AbstractSet[asyncio.Future[T]], deadline_s: float) -> float:
    """Wait until all are done, at most while the loop has listened for `deadline_s`.

    Returns for how many seconds it has listened. A step in which the loop stood still counts
    as 0.1 s, however long that was: an answer that lies ready was in time.
    """
    listened_s = 0.0
    while listened_s < deadline_s:
        step_s = min(_STEP_S, deadline_s - listened_s)
        _, pending = await asyncio.wait(awaited, timeout=step_s)
        if not pending:
            break
        listened_s += step_s
    return listened_s


class KeyedLock:
    """Gives out turns by key, in the order they were asked for; keeps nothing of a key at rest."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[asyncio.Lock, list[None]]] = {}

    @asynccontextmanager
    async def of(self, key: int) -> AsyncIterator[None]:
        """Wait for the turn of `key`, and have it inside."""
        lock, users = self._waiting.setdefault(key, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._waiting[key]


Given = ParamSpec("Given")
Result = TypeVar("Result")

# A thread that computes keeps the interpreter for 5 ms by default before the loop gets it. In
# turns of half a millisecond the loop came to nothing for as long as the thread made many short
# calls of RE2 and numba, which let go of it by themselves.
_TURN_S = 0.0001
# What the work makes would set off full collections, 30 ms each with a full text cache. Young ones
# go on: left to the end, they would be one of 3 ms.
_NO_FULL = 1_000_000


async def to_thread(
    work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """Return what `work` does in a thread; messages wait for it a millisecond or two at most.

    That is, as long as no call in it is longer that keeps the interpreter to itself: sorting or
    copying a hundred thousand objects is one. Not for two at a time.
    """
    with _yielding():
        return await asyncio.to_thread(work, *args, **kwargs)


@contextmanager
def _yielding() -> Iterator[None]:
    turn_s, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_TURN_S)
    gc.set_threshold(*thresholds[:2], _NO_FULL)
    try:
        yield
    finally:
        # A gateway that has started meanwhile has set its own, for good.
        if gc.get_threshold()[2] == _NO_FULL:
            gc.set_threshold(*thresholds)
        sys.setswitchinterval(turn_s)


# So many collections of what is young for one of everything; Python's own is 10.
_YOUNG_PER_FULL = 100


def set_aside() -> None:
    """Keep what is loaded by now, and stays, out of every later collection; make full ones rare.

    The remembered texts are a quarter of a million objects: all messages wait 30 ms while they
    are looked over, and 12 000 new texts were enough to bring that about. What refers to itself
    and outlives the young collections, as a closed connection may, waits for a full one.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _YOUNG_PER_FULL)
