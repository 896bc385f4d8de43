import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.smsc.__main__ import main
from simulators.wire import CommandStatus, read_message

Run = Callable[..., Awaitable[tuple[Process, str, int]]]


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Starts ``python -m simulators.smsc`` and returns it with the address it listens on."""
    started: list[Process] = []

    async def start(*flags: str) -> tuple[Process, str, int]:
        command = (sys.executable, "-m", "simulators.smsc", "--port", "0", *flags)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        started.append(process)
        host, _, port = str((await line_of(process))["listening"]).partition(":")
        return process, host, int(port)

    yield start

    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: Process) -> dict[str, int | str]:
    assert process.stdout is not None
    line: dict[str, int | str] = json.loads(await process.stdout.readline())
    return line


async def test_counters_are_printed_on_usr1_and_on_term(run: Run) -> None:
    process, host, port = await run("--throttle-every", "2", "--password", "sp1:secret")
    esme = await RawEsme.connect(host, port)
    assert await esme.bind("sp1", "secret") == 0
    answers = await esme.submit_many(["一", "二"], window=1)
    await esme.unbind()

    process.send_signal(signal.SIGUSR1)
    middle = await line_of(process)
    process.terminate()
    end = await line_of(process)

    assert [one.command_status for one in answers] == [0, CommandStatus.ESME_RTHROTTLED]
    assert (middle["messages"], middle["throttled"], middle["unbinds"]) == (2, 1, 1)
    assert end == middle
    assert await process.wait() == 0


async def test_every_behaviour_has_a_flag(run: Run) -> None:
    process, host, port = await run(
        *("--error-every", "1", "--error-status", "0x45", "--id-style", "hex", "--receipts"),
        *("--answer-delay-s", "0.001", "--receipt-id-style", "decimal", "--verify"),
    )
    async with await RawEsme.connect(host, port) as esme:
        assert await esme.bind("anybody", "anything") == 0
        answer = await esme.submit("10690001", "13800138000", "一")

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert process.returncode is None


async def test_a_port_in_use_is_said_plainly(smsc: SimulatedSmsc) -> None:
    command = (sys.executable, "-m", "simulators.smsc", "--port", str(smsc.port))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)

    said, complaint = await process.communicate()

    assert process.returncode == 1
    assert said == b""
    assert complaint.startswith(f"cannot listen on 127.0.0.1:{smsc.port}: ".encode())
    assert complaint.count(b"\n") == 1


@pytest.mark.parametrize("flags", [["--password", "sp1"], ["--id-style", "roman"], ["--nonsense"]])
def test_a_flag_that_makes_no_sense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(flags)

    assert left.value.code == 2


async def test_a_subscriber_writes_to_a_port_from_the_command_line(smsc: SimulatedSmsc) -> None:
    esme = await RawEsme.connect(smsc.host, smsc.port)
    assert await esme.bind("sp1", "secret", "rx") == 0
    esme.deliver_status = 0x65

    refused = await _mo(smsc, "--system-id", "sp1")
    esme.deliver_status = 0
    taken = await _mo(smsc)
    away = await _mo(smsc, "--system-id", "sp2")

    assert refused == (1, {"command_status": "0x00000065", "is_taken": False})
    assert taken == (0, {"command_status": "0x00000000", "is_taken": True})
    assert away == (1, {"command_status": "0x00000064", "is_taken": False})
    message = read_message(await esme.next_pdu())
    assert (message.source, message.destinations) == ("13800138000", ("10690001",))
    assert message.octets.decode("utf-16-be") == "TD"
    assert smsc.journal == []
    await esme.unbind()


async def _mo(smsc: SimulatedSmsc, *flags: str) -> tuple[int | None, dict[str, int | str]]:
    command = (sys.executable, "-m", "simulators.smsc", "mo", "--port", str(smsc.port), *flags)
    words = ("--from", "13800138000", "--to", "10690001", "--text", "TD")
    process = await asyncio.create_subprocess_exec(*command, *words, stdout=PIPE)
    line = await line_of(process)
    return await process.wait(), line


def test_a_subscriber_without_an_smsc_is_told_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", "13800138000", "--to", "10690001", "--text", "TD")

    assert main(("mo", "--port", "1", *words)) == 1

    assert "no SMSC at 127.0.0.1:1" in capsys.readouterr().err
