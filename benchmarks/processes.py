"""The processes of the end-to-end benchmark, each pinned to its core."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias
from urllib.error import URLError
from urllib.request import urlopen

from pydantic import BaseModel

from benchmarks.bed import Ports

Process: TypeAlias = subprocess.Popen[bytes] | subprocess.Popen[str]
SERVER_CORE, LOAD_CORE = 0, 1
_START_S = 120.0
_STOP_S = 30.0
_RUN_S = 180.0


class Loop(StrEnum):
    """The event loops that the gateway runs on."""

    UVLOOP = "uvloop"
    ASYNCIO = "asyncio"


class RunError(Exception):
    """A run whose figures would mean nothing."""


class Latency(BaseModel):
    """Microseconds from the moment a message was due."""

    p50: float
    p99: float


class LoadReport(BaseModel):
    """What sp_load prints when it ends."""

    sent: int
    msgs: int
    ok: int
    rate: float
    lat_us: Latency
    status: dict[str, int]
    bad_seq: int
    dup_resp: int
    lost: int
    disconnects: int
    malformed: int
    content_sum: str
    clean: bool

    @property
    def is_answered(self) -> bool:
        """Tell whether every message got one answer, whatever it was."""
        odd = (self.bad_seq, self.dup_resp, self.lost, self.disconnects, self.malformed)
        return self.sent == self.msgs and not any(odd)


class SinkReport(BaseModel):
    """What smsc_sink counted since it was last asked."""

    submit_sm: int
    malformed: int
    content_sum: str


@dataclass(frozen=True, slots=True)
class LoadPair:
    """The two built programs."""

    sp_load: Path
    smsc_sink: Path

    @classmethod
    def build(cls, sources: Path, directory: Path) -> Self:
        """Compile both. Raises RunError where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise RunError("there is no C compiler (cc)")
        built = []
        for name in ("sp_load", "smsc_sink"):
            target = directory / name
            subprocess.run([compiler, "-O2", "-o", target, sources / f"{name}.c"], check=True)
            built.append(target)
        return cls(*built)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        load = subprocess.Popen(
            [self.sp_load, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        pin(load.pid, LOAD_CORE)
        return load

    def report(self, load: subprocess.Popen[str], within_s: float = _RUN_S) -> LoadReport:
        """Wait for `load`. Raises RunError when it ends without a report."""
        try:
            printed, complaint = load.communicate(timeout=within_s)
        except subprocess.TimeoutExpired as error:
            load.kill()
            load.communicate()
            raise RunError(f"the load did not end within {within_s:.0f} s") from error
        if not printed:
            raise RunError(f"the load gave up: {complaint.strip()}")
        return LoadReport.model_validate_json(printed)

    def load(self, *arguments: str) -> LoadReport:
        return self.report(self.start(*arguments))


class Sink:
    """smsc_sink, running."""

    def __init__(self, program: Path, port: int) -> None:
        self.process = subprocess.Popen(
            [program, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        pin(self.process.pid, LOAD_CORE)
        wait_until(lambda: is_listening(port), self.process)

    def counters(self) -> SinkReport:
        """Return what was counted since the last call, and start again from zero."""
        if self.process.stdout is None:
            raise RunError("the sink has no output")
        self.process.send_signal(signal.SIGUSR1)
        return SinkReport.model_validate_json(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        stop(self.process)


class Server:
    """What is measured: it listens on `port`, alone on its core."""

    def __init__(
        self,
        name: str,
        command: list[str],
        directory: Path,
        port: int,
        *,
        core: int = SERVER_CORE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.port = name, port
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        pin(self.process.pid, core)

    def cpu_s(self) -> float:
        """Return the processor time of the process and its descendants so far."""
        return sum(cpu_s_of(pid) for pid in family(self.process.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        stop(self.process)
        if error is not None:
            sys.stderr.write(f"{self.name} wrote last:\n{self.log.read_text()[-2000:]}\n")


def gateway(directory: Path, ports: Ports, loop: Loop = Loop.UVLOOP) -> Server:
    """Start the gateway on the bed in `directory`; it is ready when this returns."""
    server = Server(
        "gateway",
        [sys.executable, "-m", "gateway", "run", "--config", "config", "--policies", "policies"],
        directory,
        ports.esme,
        environment=_without_uvloop(directory) if loop is Loop.ASYNCIO else None,
    )
    wait_until(lambda: is_ready(ports.metrics), server.process)
    return server


def _without_uvloop(directory: Path) -> dict[str, str]:
    """Return the environment in which uvloop cannot be imported: asyncio's own loop is taken."""
    hidden = directory / "without_uvloop"
    hidden.mkdir(exist_ok=True)
    (hidden / "uvloop.py").write_text("raise ImportError\n", encoding="utf-8")
    paths = (str(hidden), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def relay(directory: Path, port: int, smsc_port: int) -> Server:
    """Start the blind relay in front of the sink."""
    script = Path(__file__).with_name("blind_relay.py")
    ends = ["--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{smsc_port}"]
    server = Server("relay", [sys.executable, str(script), *ends], directory, port)
    wait_until(lambda: is_listening(port), server.process)
    return server


def pin(pid: int, core: int) -> None:
    """Keep a process that has just started, and all it will start, on one core."""
    os.sched_setaffinity(pid, {core})


def let_pass(pid: int) -> None:
    """Let a process have what others leave of its core: whoever takes the time of answers there."""
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(metrics_port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{metrics_port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def wait_until(condition: Callable[[], bool], process: Process) -> None:
    """Wait for `condition`; raise RunError when the process ends or takes too long."""
    deadline = time.perf_counter() + _START_S
    while not condition():
        if process.poll() is not None:
            raise RunError(f"{process.args!r} ended with {process.returncode} at its start")
        if time.perf_counter() > deadline:
            stop(process)
            raise RunError(f"{process.args!r} was not ready within {_START_S:.0f} s")
        time.sleep(0.05)


def stop(process: Process) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def family(pid: int) -> list[int]:
    """Return `pid` and every living descendant of it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat_of(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for member in found:
        found.extend(child for child, parent in parents.items() if parent == member)
    return found


def cpu_s_of(pid: int) -> float:
    fields = stat_of(pid)
    # utime and stime, the 14th and 15th field (proc(5)); fields starts with the third.
    ticks = int(fields[11]) + int(fields[12]) if fields else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def stat_of(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, or none when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
