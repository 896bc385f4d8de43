import asyncio
import gc

import pytest

from gateway.runtime.tasks import cancel_all, report_loop_error, spawn


async def test_a_failed_task_is_logged_and_told(log_lines: list[dict[str, object]]) -> None:
    told: list[BaseException] = []

    async def fail() -> None:
        raise ConnectionResetError("peer went away")

    task = spawn(fail(), name="link 7", on_failure=told.append)
    await asyncio.wait([task])

    assert [type(error) for error in told] == [ConnectionResetError]
    (line,) = log_lines
    assert (line["event"], line["task"], line["error"]) == (
        "task.failed",
        "link 7",
        "ConnectionResetError",
    )
    assert line["said"] == "peer went away"


async def test_a_failure_nobody_asked_about_is_logged_all_the_same(
    log_lines: list[dict[str, object]],
) -> None:
    async def fail() -> None:
        raise ValueError("代开发票")

    await asyncio.wait([spawn(fail(), name="job")])

    (line,) = log_lines
    assert line["error"] == "ValueError"
    assert "代开发票" not in str(line)


async def test_a_task_that_ends_well_or_is_cancelled_says_nothing(
    log_lines: list[dict[str, object]],
) -> None:
    told: list[BaseException] = []

    async def answer() -> int:
        return 42

    good = spawn(answer(), name="good", on_failure=told.append)
    cancelled = spawn(asyncio.Event().wait(), name="cancelled", on_failure=told.append)
    cancelled.cancel()
    await asyncio.wait([good, cancelled])

    assert good.result() == 42
    assert (told, log_lines) == ([], [])


async def test_a_task_nobody_refers_to_is_not_collected() -> None:
    done: asyncio.Queue[str] = asyncio.Queue(1)

    def start() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait_at_the_gate() -> None:
            await gate
            done.put_nowait("alive")

        spawn(wait_at_the_gate(), name="unreferenced")
        asyncio.get_running_loop().call_later(0.01, gate.set_result, None)

    start()
    gc.collect()

    assert await asyncio.wait_for(done.get(), 60) == "alive"


async def test_cancel_all_ends_every_task_but_the_caller() -> None:
    tasks = [spawn(asyncio.Event().wait(), name=f"task {number}") for number in range(3)]

    stubborn = await spawn(cancel_all(5.0), name="caller")

    assert stubborn == frozenset()
    assert all(task.cancelled() for task in tasks)


async def test_cancel_all_names_the_task_that_does_not_end() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def refuse_to_end() -> None:
        started.set()
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()

    task = spawn(refuse_to_end(), name="stubborn")
    await started.wait()

    assert await cancel_all(0.01) == {"stubborn"}

    release.set()
    await task


async def test_cancel_all_with_nothing_to_do_returns_at_once() -> None:
    assert await cancel_all(5.0) == frozenset()


async def test_an_error_in_a_callback_is_logged_without_the_arguments(
    log_lines: list[dict[str, object]],
) -> None:
    def receive(octets: bytes) -> None:
        raise KeyError(octets)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_loop_error)
    loop.call_soon(receive, b"invoice for 13800138000")
    turned = asyncio.Event()
    loop.call_soon(turned.set)
    await turned.wait()

    (line,) = log_lines
    assert (line["event"], line["error"]) == ("loop.failed", "KeyError")
    assert "invoice" not in str(line)


@pytest.mark.parametrize("with_task", [True, False])
async def test_what_the_loop_says_without_an_error_is_logged(
    log_lines: list[dict[str, object]], *, with_task: bool
) -> None:
    context: dict[str, object] = {"message": "Task was destroyed but it is pending!"}
    if with_task:
        context["task"] = asyncio.current_task()

    report_loop_error(asyncio.get_running_loop(), context)

    (line,) = log_lines
    assert line["said"] == "Task was destroyed but it is pending!"
    assert ("task" in line) is with_task
