"""`run`: the foreground process, its signals, its files and its exit codes."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

import httpx
import pytest
import structlog

from gateway.app.gateway import Gateway, TakeOver
from gateway.app.run import ConsoleChild, FindCommand, run
from gateway.runtime.passed_sockets import PASSED_ON, PassedSocket, Successor
from gateway.runtime.tasks import spawn
from gateway.terminal.failure import ExitCode
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of
from tests.real_time import poll

LogLines = list[dict[str, object]]
Deploy = Callable[..., tuple[Path, Path]]
Told = Callable[..., Awaitable[dict[str, object]]]
Story = Callable[[tuple[str, int]], Awaitable[None]]
RunHere = Callable[[tuple[Path, Path], Story], int]
Child = asyncio.subprocess.Process
Launch = Callable[[Path, Path], Awaitable[Child]]
LineOf = Callable[[Child, str], Awaitable[dict[str, object]]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"
FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [{}]\n"


def tell_to_drain() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


# Stopping


def test_sigterm_answers_what_is_under_way_unbinds_both_sides_and_ends_well(
    deploy: Deploy, run_here: RunHere, told: Told, free_smsc_port: int
) -> None:
    counters: list[tuple[int, int]] = []

    async def story(address: tuple[str, int]) -> None:
        async with SimulatedSmsc(port=free_smsc_port) as smsc:
            smsc.behaviour = Behaviour(hold_answers=True)
            async with await RawEsme.connect(*address) as esme:
                await esme.bind("sp1", "secret")
                waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
                await smsc.received(1)

                tell_to_drain()
                await told("gateway.draining")
                refused = await esme.submit(SOURCE, DESTINATION, "您好")
                smsc.release_answers()
                (answer,) = await waiting
                farewell = await esme.next_pdu()
                await esme.lost()
                await smsc.until(lambda: not smsc.sessions)

                assert answer.is_ok
                assert refused.command_status == CommandStatus.ESME_RMSGQFUL
                assert header_of(farewell).command_id == CommandId.UNBIND
                counters.append((smsc.counters.unbinds, smsc.counters.messages))

    code = run_here(deploy(free_smsc_port), story)

    assert code == ExitCode.FINE
    assert counters == [(1, 1)]


def test_a_second_sigterm_does_not_wait(
    deploy: Deploy, run_here: RunHere, told: Told, free_smsc_port: int
) -> None:
    async def story(address: tuple[str, int]) -> None:
        async with SimulatedSmsc(port=free_smsc_port) as smsc:
            smsc.behaviour = Behaviour(hold_answers=True)
            async with await RawEsme.connect(*address) as esme:
                await esme.bind("sp1", "secret")
                await esme.send(builders.submit_sm(SOURCE, DESTINATION, b"hi", data_coding=0))
                await smsc.received(1)

                tell_to_drain()
                await told("gateway.draining")
                tell_to_drain()
                await esme.lost()

                assert esme.pdus().empty()

    assert run_here(deploy(free_smsc_port), story) == ExitCode.FINE


def test_sigint_is_as_good_as_sigterm(deploy: Deploy, run_here: RunHere, told: Told) -> None:
    async def story(_address: tuple[str, int]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert (await told("signal.received"))["signal"] == "SIGINT"
        await told("gateway.stopped")

    assert run_here(deploy(), story) == ExitCode.FINE


def test_without_uvloop_the_loop_of_asyncio_will_do(
    deploy: Deploy, run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    async def story(address: tuple[str, int]) -> None:
        async with await RawEsme.connect(*address) as esme:
            assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RBINDFAIL

    assert run_here(deploy(), story) == ExitCode.FINE


# Reloading


def test_sighup_takes_new_policies_over(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    free_smsc_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unwatched(*_arguments: object) -> None:
        """Leave the files to the signal."""

    monkeypatch.setattr("gateway.app.run.watch", unwatched)
    directories = deploy(free_smsc_port)

    async def story(address: tuple[str, int]) -> None:
        async with (
            SimulatedSmsc(port=free_smsc_port),
            await RawEsme.connect(*address) as esme,
        ):
            await esme.bind("sp1", "secret")
            before = await esme.submit(SOURCE, DESTINATION, "免费领奖")
            words = FRAUD.format("代开发票, 免费领奖")
            (directories[1] / "keywords/fraud.yaml").write_text(words, encoding="utf-8")

            os.kill(os.getpid(), signal.SIGHUP)
            reloaded = await told("policy.reloaded")
            after = await esme.submit(SOURCE, DESTINATION, "免费领奖")
            os.kill(os.getpid(), signal.SIGHUP)
            unchanged = await told("policy.unchanged")

            assert before.is_ok
            assert after.command_status == CommandStatus.ESME_RSUBMITFAIL
            assert reloaded["digest"] == unchanged["digest"]
            await esme.unbind()

    assert run_here(directories, story) == ExitCode.FINE


def test_a_saved_file_is_taken_over_and_a_faulty_one_is_not(
    deploy: Deploy, run_here: RunHere, told: Told, free_smsc_port: int
) -> None:
    directories = deploy(free_smsc_port)
    fraud = directories[1] / "keywords/fraud.yaml"
    senders = directories[0] / "senders.yaml"

    async def story(address: tuple[str, int]) -> None:
        async with (
            SimulatedSmsc(port=free_smsc_port),
            await RawEsme.connect(*address) as esme,
        ):
            await esme.bind("sp1", "secret")

            fraud.write_text("version: 1\nid: K-FRAUD\nwords: [x]\n", encoding="utf-8")
            refused = await told("policy.refused")
            still = await esme.submit(SOURCE, DESTINATION, "代开发票")
            fraud.write_text(FRAUD.format("代开发票, 免费领奖"), encoding="utf-8")
            await told("policy.reloaded")
            now = await esme.submit(SOURCE, DESTINATION, "免费领奖")
            kept = senders.read_text(encoding="utf-8").partition("  - system_id: sp2")[2]
            senders.write_text(
                "version: 1\nallow_plain_passwords: true\nsenders:\n  - system_id: sp2" + kept,
                encoding="utf-8",
            )
            farewell = await esme.next_pdu()

            assert "fraud.yaml:1:1" in str(refused["faults"])
            assert still.command_status == CommandStatus.ESME_RSUBMITFAIL
            assert now.command_status == CommandStatus.ESME_RSUBMITFAIL
            assert header_of(farewell).command_id == CommandId.UNBIND

    assert run_here(directories, story) == ExitCode.FINE


def test_what_the_gateway_writes_itself_is_no_change(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    tmp_path: Path,
    free_smsc_port: int,
    log: LogLines,
) -> None:
    config, policies = deploy(free_smsc_port)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    inside = text.replace(f"{tmp_path}/var", f"{config}/var")
    (config / "gateway.yaml").write_text(inside, encoding="utf-8")

    async def story(address: tuple[str, int]) -> None:
        async with (
            SimulatedSmsc(port=free_smsc_port),
            await RawEsme.connect(*address) as esme,
        ):
            await esme.bind("sp1", "secret")
            await esme.submit_many(["低息贷款"] * 20, window=5)
            (policies / "keywords/fraud.yaml").write_text(
                FRAUD.format("代开发票, 免费领奖"), encoding="utf-8"
            )
            await told("policy.reloaded")
            await esme.unbind()

    assert run_here((config, policies), story) == ExitCode.FINE
    assert "policy.unchanged" not in [line["event"] for line in log]


def test_a_sighup_that_comes_while_it_starts_is_kept_for_later(
    deploy: Deploy, run_here: RunHere, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Gateway.start

    async def start_slowly(gateway: Gateway, take_over: TakeOver | None) -> bool:
        os.kill(os.getpid(), signal.SIGHUP)
        return await start(gateway, take_over)

    monkeypatch.setattr(Gateway, "start", start_slowly)

    async def story(_address: tuple[str, int]) -> None:
        await told("policy.unchanged")

    assert run_here(deploy(), story) == ExitCode.FINE


# The console beside it

CONSOLE = """\
version: 1
address: "127.0.0.1:{port}"
clients:
  - {{name: shop, role: sp, system_id: sp1, token: "sha256:{digest}"}}
"""


@pytest.fixture
def console_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def with_console(port: int) -> dict[str, str]:
    return {"config/console.yaml": CONSOLE.format(port=port, digest="0" * 64)}


async def answers(port: int) -> int:
    """Return the status of /readyz, once there is one."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        async def look() -> int | None:
            with suppress(httpx.TransportError):
                return (await client.get("/readyz")).status_code
            return None

        return await poll(look)


def test_the_console_runs_beside_it_and_comes_back_when_it_is_killed(
    deploy: Deploy, run_here: RunHere, told: Told, console_port: int
) -> None:
    found: list[int] = []

    async def story(address: tuple[str, int]) -> None:
        first = await told("child.started")
        found.append(await answers(console_port))
        os.kill(int(str(first["pid"])), signal.SIGKILL)
        await told("child.ended")
        await told("child.started", past=1)
        found.append(await answers(console_port))
        async with await RawEsme.connect(*address) as esme:
            assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RBINDFAIL

    directories = deploy(files=with_console(console_port))

    assert run_here(directories, story) == ExitCode.FINE
    assert found == [200, 200]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", console_port))


def test_a_console_at_fault_keeps_no_message_from_its_way(
    deploy: Deploy, run_here: RunHere, told: Told, free_smsc_port: int
) -> None:
    async def story(address: tuple[str, int]) -> None:
        ended = await told("child.ended")
        async with (
            SimulatedSmsc(port=free_smsc_port),
            await RawEsme.connect(*address) as esme,
        ):
            await esme.bind("sp1", "secret")
            assert ended["said"] == "exit code 2"
            assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok

    directories = deploy(free_smsc_port, files={"config/console.yaml": "version: 9\n"})

    assert run_here(directories, story) == ExitCode.FINE


def test_a_console_that_is_slow_to_end_keeps_the_gateway_from_no_drain(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    console_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[object] = []

    class SlowChild:
        def __init__(self, *_: object) -> None:
            pass

        async def stop(self) -> None:
            ended.append((await told("gateway.draining"))["event"])

    async def story(_address: tuple[str, int]) -> None:
        pass

    monkeypatch.setattr("gateway.app.run.ChildProcess", SlowChild)

    assert run_here(deploy(files=with_console(console_port)), story) == ExitCode.FINE
    assert ended == ["gateway.draining"]


def test_a_certificate_that_is_saved_while_the_gateway_starts_is_a_cause_to_reload(
    deploy: Deploy, run_here: RunHere, told: Told, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = papers / "gateway.pem"

    def save(*_senders: object) -> None:  # the settings are read by then, the certificate is not
        os.utime(certificate, ns=(1, 1))

    async def story(_address: tuple[str, int]) -> None:
        await told("policy.unchanged")

    monkeypatch.setattr("gateway.app.run.tell_known_passwords", save)
    config, policies = deploy()
    gateway = config / "gateway.yaml"
    text, plain = gateway.read_text(encoding="utf-8"), '"127.0.0.1:0"}'
    tls = f'"127.0.0.1:0", tls: {{certificate: {certificate}, key: {papers}/gateway.key}}}}'
    assert plain in text
    gateway.write_text(text.replace(plain, tls), encoding="utf-8")

    assert run_here((config, policies), story) == ExitCode.FINE


def test_a_console_begins_and_ends_with_its_file_while_the_gateway_runs(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class NotedChild:
        def __init__(self, name: str, _command: Sequence[str]) -> None:
            structlog.get_logger().info("child.started", child=name, pid=1)

        async def stop(self) -> None:
            structlog.get_logger().info("child.stopped", child="console", code=0)

    def count(event: str) -> int:
        return [line["event"] for line in log].count(event)

    async def story(_address: tuple[str, int]) -> None:
        assert count("child.started") == 0
        for past in range(2):
            file.write_text("version: 1\n", encoding="utf-8")
            await told("child.started", past=past)
            reloads = count("policy.unchanged")
            file.write_text("version: 1\n\n", encoding="utf-8")  # the console itself reads it again
            await told("policy.unchanged", past=reloads)
            file.unlink()
            await told("child.stopped", past=past)
        file.write_text("version: 1\n", encoding="utf-8")
        await told("child.started", past=2)

    monkeypatch.setattr("gateway.app.run.ChildProcess", NotedChild)
    config, policies = deploy()
    file = config / "console.yaml"

    assert run_here((config, policies), story) == ExitCode.FINE
    assert (count("child.started"), count("child.stopped")) == (3, 3)


async def test_a_directory_that_cannot_be_read_leaves_the_console_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[str] = []

    class NotedChild:
        def __init__(self, name: str, _command: Sequence[str]) -> None:
            self.name = name

        async def stop(self) -> None:
            ended.append(self.name)

    found: list[Sequence[str] | OSError] = [("console",), PermissionError(), ("console",), ()]

    def find() -> Sequence[str]:
        one = found.pop(0)
        if isinstance(one, OSError):
            raise one
        return one

    monkeypatch.setattr("gateway.app.run.ChildProcess", NotedChild)
    console = ConsoleChild(find)
    for _ in range(3):
        await console.follow()
    assert ended == []
    await console.follow()
    assert ended == ["console"]


async def test_a_file_system_that_hangs_keeps_no_console_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, entered, gate = asyncio.Event(), threading.Event(), threading.Event()
    first = [("console",)]

    class NotedChild:
        def __init__(self, *_arguments: object) -> None:
            """Start nothing."""

        async def stop(self) -> None:
            ended.set()

    def find() -> Sequence[str]:
        if first:
            return first.pop()
        entered.set()
        gate.wait()
        return ("console",)

    monkeypatch.setattr("gateway.app.run.ChildProcess", NotedChild)
    console = ConsoleChild(find)
    await console.follow()
    hanging = spawn(console.follow(), name="follow")
    try:
        await asyncio.to_thread(entered.wait)
        async with asyncio.timeout(60):
            await console.stop()
        assert ended.is_set()
        ended.clear()
    finally:
        gate.set()
    await hanging
    await console.stop()
    assert not ended.is_set()  # nothing was started once it was over


@pytest.mark.parametrize("file", [{}, {"config/console.yaml": "version: 1\n"}])
def test_there_is_no_console_where_none_is_wanted(
    deploy: Deploy, file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[Sequence[str]] = []

    async def note(*arguments: object) -> int:
        commands.append(cast(FindCommand, arguments[-1])())
        return 0

    monkeypatch.setattr("gateway.app.run._run", note)

    run(*deploy(files=file), has_console=not file)

    assert commands == [()]


# Handing over


def tell_to_hand_over() -> None:
    os.kill(os.getpid(), signal.SIGUSR2)


@pytest.fixture
def started_again(monkeypatch: pytest.MonkeyPatch) -> list[PassedSocket]:
    """Return the sockets that a new process has got, which says that it is ready."""
    sockets: list[PassedSocket] = []

    def note(successor: Successor, passed: Sequence[PassedSocket]) -> None:
        sockets.extend(passed)
        for one in (successor.channel, *(each.socket for each in passed)):
            one.close()

    monkeypatch.setattr(Successor, "pass_on", note)
    monkeypatch.setattr("gateway.app.run.become_mind", Successor.dismiss)
    monkeypatch.setattr("gateway.app.run.block_signals", lambda: None)
    ready = "import os; os.write(int(os.environ['SMSWARD_FOLLOWS'].split()[0]), b'!')"
    command = [sys.executable, "-c", ready]
    monkeypatch.setattr("gateway.app.run.command_line", lambda: command)
    return sockets


def test_a_program_that_cannot_be_started_takes_nothing_over(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    free_smsc_port: int,
    started_again: list[PassedSocket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.app.run.command_line", lambda: ["/nowhere/python"])

    async def story(address: tuple[str, int]) -> None:
        async with SimulatedSmsc(port=free_smsc_port), await RawEsme.connect(*address) as esme:
            tell_to_hand_over()
            refused = await told("handover.refused")

            assert "/nowhere/python" in str(refused["said"])
            assert await esme.bind("sp1", "secret") == CommandStatus.ESME_ROK

    assert run_here(deploy(free_smsc_port), story) == ExitCode.FINE
    assert started_again == []


def test_sigterm_while_it_hands_over_ends_the_drain_well_and_starts_nothing(
    deploy: Deploy,
    run_here: RunHere,
    told: Told,
    free_smsc_port: int,
    started_again: list[PassedSocket],
) -> None:
    listened: list[tuple[str, int]] = []

    async def story(address: tuple[str, int]) -> None:
        listened.append(address)
        async with SimulatedSmsc(port=free_smsc_port) as smsc:
            smsc.behaviour = Behaviour(hold_answers=True)
            async with await RawEsme.connect(*address) as esme:
                await esme.bind("sp1", "secret")
                waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
                await smsc.received(1)

                tell_to_hand_over()
                await told("gateway.draining")
                tell_to_drain()
                await told("signal.received", 1)
                smsc.release_answers()
                (answer,) = await waiting
                await esme.lost()

                assert answer.is_ok

    assert run_here(deploy(free_smsc_port), story) == ExitCode.FINE
    assert started_again == []
    with socket.create_server(listened[0]):
        """Nobody listens there any more."""


@pytest.fixture
def stopped_in_time() -> Iterator[None]:
    """Keep SIGUSR2 from ending the tests, and stop a gateway that never hands over."""
    before = signal.signal(signal.SIGUSR2, lambda _number, _frame: None)
    stopping = threading.Timer(20, tell_to_drain)
    stopping.start()
    yield
    stopping.cancel()
    signal.signal(signal.SIGUSR2, before)


@pytest.mark.usefixtures("stopped_in_time")
@pytest.mark.parametrize("step", ["start", "load_gateway"])
def test_a_hand_over_wanted_while_it_starts_is_kept_for_later(
    deploy: Deploy,
    started_again: list[PassedSocket],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    owner = "gateway.app.run.Gateway.start" if step == "start" else "gateway.app.run.load_gateway"
    begin = resolve_name(owner)

    def begin_signalled(*arguments: object) -> object:
        tell_to_hand_over()
        return begin(*arguments)

    monkeypatch.setattr(owner, begin_signalled)

    assert run(*deploy()) == PASSED_ON
    assert [one.name for one in started_again] == ["plain"]


# Not starting


def test_every_fault_of_every_file_is_shown_at_once(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "config/gateway.yaml": "version: 1\nlisteners: []\nsmscs: []\n",
        "config/senders.yaml": "version: 1\nsenders: [{system_id: sp1}]\n",
        "policies/bundle.yaml": "version: 2\nname: test\n",
    }

    code = run(*deploy(files=files))

    shown = capsys.readouterr().err.splitlines()
    assert code == ExitCode.MISUSED
    for place in ("gateway.yaml:2:", "gateway.yaml:3:", "senders.yaml:2:", "bundle.yaml:1:"):
        assert [line for line in shown if place in line], place


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield int(somebody.getsockname()[1])


def a_port_in_use(text: str, _root: Path, port: int) -> str:
    return text.replace("127.0.0.1:0", f"127.0.0.1:{port}")


def a_metrics_port_in_use(text: str, _root: Path, port: int) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("metrics")]
    return "\n".join([*lines, f'metrics: {{address: "127.0.0.1:{port}"}}'])


def records_that_cannot_be_written(text: str, root: Path, _port: int) -> str:
    (root / "file").write_text("in the way", encoding="utf-8")
    return text.replace(f"{root}/var/cdr", f"{root}/file/cdr")


def a_store_that_cannot_be_written(text: str, root: Path, _port: int) -> str:
    (root / "file").write_text("in the way", encoding="utf-8")
    return text.replace(f"{root}/var/smsward.db", f"{root}/file/smsward.db")


def a_store_that_is_none(text: str, root: Path, _port: int) -> str:
    (root / "var").mkdir()
    (root / "var/smsward.db").write_bytes(b"no database at all" * 100)
    return text


def a_certificate_that_is_none(text: str, root: Path, _port: int) -> str:
    (root / "cert.pem").write_text("nothing", encoding="utf-8")
    tls = f'"127.0.0.1:0", tls: {{certificate: {root}/cert.pem, key: {root}/cert.pem}}'
    return text.replace('"127.0.0.1:0"', tls)


def an_smsc_s_ca_that_is_none(text: str, root: Path, _port: int) -> str:
    (root / "ca.pem").write_text("nothing", encoding="utf-8")
    return text.replace("tls: null", f"tls: {{ca: {root}/ca.pem}}")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (a_port_in_use, "cannot listen on 127.0.0.1:"),
        (a_metrics_port_in_use, "for probes"),
        (records_that_cannot_be_written, "file/cdr"),
        (a_store_that_cannot_be_written, "no database file"),
        (a_store_that_is_none, "database"),
        (a_certificate_that_is_none, "cert.pem"),
        (an_smsc_s_ca_that_is_none, "ca.pem"),
    ],
)
def test_what_keeps_it_from_starting_is_told(
    deploy: Deploy,
    tmp_path: Path,
    taken_port: int,
    log: LogLines,
    broken: Callable[[str, Path, int], str],
    why: str,
) -> None:
    config, policies = deploy()
    path = config / "gateway.yaml"
    text = broken(path.read_text(encoding="utf-8"), tmp_path, taken_port)
    path.write_text(text, encoding="utf-8")

    code = run(config, policies)

    (failed,) = [line for line in log if line["event"] == "gateway.failed"]
    assert code == ExitCode.FAILED
    assert why in str(failed["said"])
    assert "gateway.started" not in [line["event"] for line in log]


def test_a_gateway_that_anybody_can_bind_at_says_so(
    deploy: Deploy, taken_port: int, tmp_path: Path, log: LogLines
) -> None:
    sample = Path(__file__).parents[2] / "config/senders.yaml"
    config, policies = deploy(files={"config/senders.yaml": sample.read_text(encoding="utf-8")})
    path = config / "gateway.yaml"
    busy = a_port_in_use(path.read_text(encoding="utf-8"), tmp_path, taken_port)
    path.write_text(busy, encoding="utf-8")

    run(config, policies)

    (exposed,) = [line for line in log if line["event"] == "senders.exposed"]
    assert exposed["senders"] == ["bank1", "sp1"]


# As a process of its own


@pytest.mark.slow
async def test_a_process_lives_as_its_operator_tells_it(
    deploy: Deploy, launch: Launch, line_of: LineOf, attach: Attach, smsc: SimulatedSmsc
) -> None:
    config, policies = deploy(smsc.port)
    child = await launch(config, policies)
    opened = await line_of(child, "listener.opened")
    host, _, port = str(opened["address"]).rpartition(":")
    await line_of(child, "gateway.started")
    esme = await attach((host, int(port)))
    held = await esme.submit(SOURCE, DESTINATION, "低息贷款")
    words = FRAUD.format("代开发票, 免费领奖")
    (policies / "keywords/fraud.yaml").write_text(words, encoding="utf-8")

    child.send_signal(signal.SIGHUP)
    await line_of(child, "policy.reloaded")
    refused = await esme.submit(SOURCE, DESTINATION, "免费领奖")
    child.send_signal(signal.SIGTERM)
    farewell = await esme.next_pdu()
    await line_of(child, "gateway.stopped")

    assert held.is_ok
    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert header_of(farewell).command_id == CommandId.UNBIND
    assert await child.wait() == ExitCode.FINE
    assert smsc.counters.unbinds == 1


@pytest.mark.slow
async def test_a_process_that_cannot_start_says_why_and_ends(
    deploy: Deploy, launch: Launch, line_of: LineOf, tmp_path: Path, taken_port: int
) -> None:
    config, policies = deploy()
    path = config / "gateway.yaml"
    text = a_port_in_use(path.read_text(encoding="utf-8"), tmp_path, taken_port)
    path.write_text(text, encoding="utf-8")

    child = await launch(config, policies)
    failed = await line_of(child, "gateway.failed")

    assert "cannot listen on 127.0.0.1" in str(failed["said"])
    assert await child.wait() == ExitCode.FAILED
