"""A gateway as its operators run it: a process with a directory of its own."""

import asyncio
import json
import os
import random
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.domain.quarantine import HeldMessage
from gateway.records.writer import read_records
from gateway.stores import open_store
from simulators.watch import Watch
from tests.real_time import WITHIN_S

PASSWORD = "secret"
FAULTS = frozenset({"tick.failed", "loop.failed", "task.failed", "log.unlisted", "records.lost"})
_PAGE = 1000
REFUSED = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
"""


def tell(counts: str) -> None:
    """Show what a test has counted; `pytest -s` lets it be seen."""
    sys.stdout.write(f"\n{counts}\n")


def seeded(seed: int | str) -> random.Random:
    """Return a source of choices that are the same in every run."""
    return random.Random(seed)  # noqa: S311 - no secret hangs on it


def source_of(system_id: str) -> str:
    """Return the port that an SP owns: no two may own the same."""
    return f"10690{int(system_id.removeprefix('sp')):03}"


@dataclass(frozen=True, slots=True)
class Account:
    """An SP of the deployment, sp0 to sp99, whose rate nobody reaches unless it is given."""

    system_id: str
    window: int = 100
    purpose: str = "marketing"
    per_s: int = 1_000_000

    def as_yaml(self) -> str:
        return f"""\
  - system_id: {self.system_id}
    password: plain:{PASSWORD}
    binds: {{max: 1000, types: [tx, rx, trx], addresses: ["127.0.0.0/8"]}}
    ports: [{{number: "{source_of(self.system_id)}", extension_digits: 4, purpose: {self.purpose}}}]
    rate: {{per_s: {self.per_s}, burst: {self.per_s}}}
    window: {self.window}
"""


@dataclass(frozen=True, slots=True)
class Keywords:
    """One list of the bundle."""

    action: str
    words: tuple[str, ...]


class Deployment:
    """Writes the files, starts and ends the process, and reads what it leaves.

    `timers`, `limits` and, in place of an SMSC at `smsc_port`, `smscs` go to gateway.yaml as they
    are.
    """

    def __init__(
        self,
        directory: Path,
        smsc_port: int,
        accounts: Iterable[Account],
        *,
        timers: Mapping[str, float] | None = None,
        limits: Mapping[str, int] | None = None,
        smscs: str = "",
    ) -> None:
        self.directory = directory
        self.process: GatewayProcess | None = None
        self.earlier: list[GatewayProcess] = []
        main = (
            f'  - {{name: main, address: "127.0.0.1:{smsc_port}", mode: transparent, tls: null}}\n'
        )
        self._write_config(smscs or main, accounts, timers or {}, limits or {})
        self.write_policies({})

    def _write_config(
        self,
        smscs: str,
        accounts: Iterable[Account],
        timers: Mapping[str, float],
        limits: Mapping[str, int],
    ) -> None:
        config = self.directory / "config"
        config.mkdir()
        (config / "gateway.yaml").write_text(
            f"""\
version: 1
listeners:
  - {{name: plain, address: "127.0.0.1:0"}}
smscs:
{smscs}timers: {json.dumps(timers)}
limits: {json.dumps(limits)}
store: {{url: "sqlite:///{self.directory}/var/smsward.db"}}
records: {{directory: "{self.directory}/var/cdr"}}
metrics: {{address: "127.0.0.1:0"}}
""",
            encoding="utf-8",
        )
        senders = "".join(account.as_yaml() for account in accounts)
        (config / "senders.yaml").write_text(
            f"version: 1\nallow_plain_passwords: true\nsenders:\n{senders}", encoding="utf-8"
        )

    def write_policies(self, lists: Mapping[str, Keywords], *, opt_out: bool = False) -> None:
        """Write a bundle; each file is exchanged whole, as a careful operator does."""
        policies = self.directory / "policies"
        (policies / "keywords").mkdir(parents=True, exist_ok=True)
        _exchange(policies / "bundle.yaml", "version: 1\nname: promises\n")
        if opt_out:
            (policies / "rules").mkdir(exist_ok=True)
            _exchange(policies / "rules" / "consent.yaml", REFUSED)
        for list_id, keywords in lists.items():
            _exchange(
                policies / "keywords" / f"{list_id}.yaml",
                f"version: 1\nid: {list_id}\ncategory: test\naction: {keywords.action}\n"
                f"words: {json.dumps(keywords.words)}\n",
            )

    @property
    def running(self) -> "GatewayProcess":
        """Return the process, which was started."""
        assert self.process is not None
        return self.process

    @property
    def port(self) -> int:
        """Return where SPs bind."""
        return self.running.port_of("listener.opened")

    async def start(self) -> None:
        """Start the gateway; return once it is ready."""
        if self.process is not None:
            self.earlier.append(self.process)
        self.process = await GatewayProcess.start(self.directory)
        await self.process.logged("gateway.started")

    async def kill(self) -> None:
        """Kill the gateway so that it can do nothing more."""
        self.running.signal(signal.SIGKILL)
        await self.running.ended()

    async def drain(self) -> int:
        """Ask the gateway to go; return its exit code."""
        self.running.signal(signal.SIGTERM)
        return await self.running.ended()

    async def stop(self) -> None:
        """End whatever still runs."""
        if self.process is not None and self.process.exit_code is None:
            await self.kill()

    def faults(self) -> list[Mapping[str, object]]:
        """Return what the log holds that it must never hold."""
        processes = [*self.earlier, self.running]
        return [line for one in processes for line in one.log if line["event"] in FAULTS]

    def log_octets(self) -> bytes:
        """Return everything that any process so far has logged or printed."""
        processes = (*self.earlier, self.running)
        return b"".join(bytes(one.octets + one.printed) for one in processes)

    async def metrics_text(self) -> str:
        """Return what Prometheus would read."""
        port = self.running.port_of("probes.opened")
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        return answer.raise_for_status().text

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of `name` that bear `labels`."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(await self.metrics_text())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def record_files(self) -> list[Path]:
        """Return the files of records, oldest first."""
        return sorted((self.directory / "var" / "cdr").glob("*.jsonl"))

    def records(self) -> Iterator[dict[str, object]]:
        """Yield every record."""
        for file in self.record_files():
            yield from read_records(file)

    async def held(self) -> list[HeldMessage]:
        """Return everything the quarantine holds, in any state."""
        stores = await open_store(f"sqlite:///{self.directory}/var/smsward.db", deadline_s=30)
        try:
            found: list[HeldMessage] = []
            while page := await stores.quarantine.find(
                before_id=found[-1].message_id if found else None, limit=_PAGE
            ):
                found += page
            return found
        finally:
            await stores.close()


def _exchange(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


class GatewayProcess(asyncio.SubprocessProtocol):
    """`smsward` in the foreground. `octets` is its standard error, `log` the lines of it.

    `printed` is its standard output.
    """

    _transport: asyncio.SubprocessTransport

    def __init__(self) -> None:
        self.octets = bytearray()
        self.printed = bytearray()
        self.log: list[Mapping[str, object]] = []
        self.exit_code: int | None = None
        self.watch = Watch()
        self._parsed = 0

    @classmethod
    async def start(cls, directory: Path, *command: str) -> "GatewayProcess":
        """Start a command of `smsward` in `directory`: `run`, unless another is given."""
        loop = asyncio.get_running_loop()
        transport, process = await loop.subprocess_exec(
            cls,
            *(sys.executable, "-m", "gateway"),
            *(command or ("run", "--config", "config", "--policies", "policies")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=directory,
        )
        process._transport = transport
        return process

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        if fd == 1:
            self.printed += cast("bytes", data)
            return
        self.octets += cast("bytes", data)
        end = self.octets.rfind(b"\n") + 1
        for line in self.octets[self._parsed : end].splitlines():
            # What Python itself prints when it dies is no JSON.
            said = json.loads(line) if line.startswith(b"{") else {"event": line.decode()}
            self.log.append(said)
        self._parsed = max(end, self._parsed)
        self.watch.changed()

    def process_exited(self) -> None:
        self.exit_code = self._transport.get_returncode()
        self._transport.close()
        self.watch.changed()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return int(self._transport.get_pid())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._transport.send_signal(number)

    async def ended(self, within_s: float = WITHIN_S) -> int:
        """Wait for the end; return the exit code, minus the signal if one killed it."""
        await self.watch.until(lambda: self.exit_code is not None, within_s)
        return cast("int", self.exit_code)

    def events(self, event: str) -> list[Mapping[str, object]]:
        """Return the lines of one event."""
        return [line for line in self.log if line["event"] == event]

    async def logged(self, event: str, count: int = 1, within_s: float = WITHIN_S) -> None:
        """Wait until an event was logged `count` times."""
        await self.watch.until(
            lambda: len(self.events(event)) >= count or self.exit_code is not None, within_s
        )
        assert len(self.events(event)) >= count, f"ended before {event}: {self.log[-3:]}"

    def port_of(self, event: str) -> int:
        """Return the port that `event` told of."""
        return int(str(self.events(event)[0]["address"]).rpartition(":")[2])

    # How it stands, in the words of proc(5).

    def rss_octets(self) -> int:
        """Return the memory it holds."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def limit_files(self, octets: int | None) -> None:
        """Let no file of it grow past `octets`, as if the disk were full; None lifts it."""
        hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(
            self.pid, resource.RLIMIT_FSIZE, (hard if octets is None else octets, hard)
        )
