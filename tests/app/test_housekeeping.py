"""Sealing and purging as a running gateway has them done: by processes of their own."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.app import housekeeping
from gateway.app.housekeeping import Housekeeping
from gateway.records.archive import RecordArchive
from gateway.records.writer import HourFiles
from gateway.runtime.tasks import spawn
from gateway.stores import open_store

HOUR = 383_480  # 2013-09-30, 08 UTC: past every keeping
LATE = 600_000  # far ahead: never due

Log = list[dict[str, object]]
Make = Callable[..., Housekeeping]


@pytest.fixture
def log() -> Iterator[Log]:
    with capture_logs() as lines:
        yield lines  # type: ignore[misc]


@pytest.fixture
async def make(tmp_path: Path) -> Callable[..., Housekeeping]:
    """Return a function that makes the housekeeping of a deployment that has run."""
    config, directory = tmp_path / "config", tmp_path / "cdr"
    config.mkdir()
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    (config / "gateway.yaml").write_text(
        "version: 1\n"
        'listeners: [{name: plain, address: "127.0.0.1:2775"}]\n'
        'smscs: [{name: main, address: "127.0.0.1:2776"}]\n'
        f'store: {{url: "sqlite:///{tmp_path}/smsward.db"}}\n'
        f"records: {{directory: {directory}}}\n"
        f"privacy: {{keys: {keys}, current: k1}}\n"
    )
    await (await open_store(f"sqlite:///{tmp_path}/smsward.db")).close()

    def make(*, hour: int = HOUR, is_sealing: bool = True) -> Housekeeping:
        files = HourFiles(directory)
        files.append(hour, b'{"kind":"decision","destination":"13800138000"}\n')
        files.close()
        return Housekeeping(config, directory, is_sealing=is_sealing)

    return make


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cdr").iterdir())


async def test_a_closed_hour_is_sealed(make: Make, tmp_path: Path, log: Log) -> None:
    await make().seal()

    assert names(tmp_path) == ["cdr-20130930-08.jsonl.gz"]
    assert log == [{"event": "records.sealed", "log_level": "info", "files": 1, "rows": 1}]


async def test_where_nothing_is_closed_no_process_is_started(
    make: Make, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_COMMAND", ("/no/such/program",))

    await make(hour=LATE).seal()

    assert log == []


async def test_without_keys_nothing_is_sealed(make: Make, tmp_path: Path, log: Log) -> None:
    await make(is_sealing=False).seal()

    assert (names(tmp_path), log) == (["cdr-20130930-08.jsonl"], [])


async def test_what_is_past_keeping_goes(make: Make, tmp_path: Path, log: Log) -> None:
    await make().purge()

    assert names(tmp_path) == []
    line, *journals = log
    assert [(one["event"], one["journal"], one["rows"]) for one in journals] == [
        ("journal.verified", "access_log", 0),
        ("journal.verified", "purge_log", 1),
    ]
    assert [len(str(one["head"])) for one in journals] == [0, 64]
    assert line["event"] == "records.purged"
    assert line["purged"] == [
        {"what": "records", "gone": 1, "held": 0},
        {"what": "messages", "gone": 0, "held": 0},
        {"what": "relations", "gone": 0, "held": 0},
        {"what": "reports", "gone": 0, "held": 0},
        {"what": "audits", "gone": 0, "held": 0},
        {"what": "preferences", "gone": 0, "held": 0},
        {"what": "suspensions", "gone": 0, "held": 0},
        {"what": "warnings", "gone": 0, "held": 0},
        {"what": "complaints", "gone": 0, "held": 0},
        {"what": "cases", "gone": 0, "held": 0},
        {"what": "samples", "gone": 0, "held": 0},
    ]


async def test_a_command_that_fails_is_logged_in_its_own_words(
    make: Make, tmp_path: Path, log: Log
) -> None:
    keeping = make()
    (tmp_path / "keys.yaml").chmod(0o644)

    await keeping.seal()

    (line,) = log
    assert (line["event"], line["command"]) == ("records.housekeeping_failed", "seal")
    assert "others may read it: chmod 600" in str(line["said"])


async def test_a_command_that_cannot_be_started_is_logged(
    make: Make, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = make()
    monkeypatch.setattr(housekeeping, "_COMMAND", ("/no/such/program",))

    await keeping.purge()

    assert [line["event"] for line in log] == ["records.housekeeping_failed"]


async def test_a_directory_that_cannot_be_looked_at_is_left_to_the_command(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = make()

    def fail(_: RecordArchive) -> None:
        raise PermissionError

    monkeypatch.setattr(RecordArchive, "files", fail)

    assert keeping._is_due()


async def test_it_is_looked_again_and_again_and_purged_once_a_day(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    enough = asyncio.Event()

    def noting(what: str) -> Callable[[Housekeeping], Awaitable[None]]:
        async def note(_keeping: Housekeeping) -> None:
            done.append(what)
            if len(done) >= 9:
                enough.set()

        return note

    monkeypatch.setattr(housekeeping, "_PURGE_EVERY", 3)
    monkeypatch.setattr(Housekeeping, "seal", noting("seal"))
    monkeypatch.setattr(Housekeeping, "purge", noting("purge"))

    task = spawn(make().keep(0.001), name="housekeeping")
    await asyncio.wait_for(enough.wait(), 60)
    task.cancel()
    await asyncio.wait([task])

    day = ["seal", "purge", "seal", "seal"]
    assert done[:9] == [*day, *day, "seal"]


async def test_at_the_end_a_command_under_way_is_stopped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: asyncio.Queue[Process] = asyncio.Queue()
    really = asyncio.create_subprocess_exec

    async def start(*_command: str, stdin: int, stdout: int, stderr: int) -> Process:
        process = await really("sleep", "600", stdin=stdin, stdout=stdout, stderr=stderr)
        started.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    task = spawn(make().purge(), name="housekeeping")
    process = await started.get()
    await asyncio.sleep(0)
    niceness = os.getpriority(os.PRIO_PROCESS, process.pid)

    task.cancel()
    await asyncio.wait([task])

    assert await process.wait() == -signal.SIGKILL
    assert niceness == 10  # traffic goes first
