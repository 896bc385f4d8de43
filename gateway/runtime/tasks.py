"""The only place that starts asyncio tasks: none is lost, and every failure is logged."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TypeVar

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
