"""The demo from its first file to its last line."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from rich.console import Console
from watchfiles import awatch

from gateway.app.gateway import Gateway
from gateway.cli.demo.cast import PACES, Audit, Ledger, Performer, Stage, build_stage, enter
from gateway.cli.demo.view import (
    DemoSummary,
    DemoView,
    Moment,
    hints,
    percentile_ms,
    print_ending,
    program,
)
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.runtime.tasks import asked_to_stop, spawn
from gateway.settings.directories import policies_directory
from gateway.storage.errors import StoreUnavailable
from gateway.stores import open_store
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.screen import console, print_json
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.traffic import OPTED_OUT, PERSONAS, SUBSCRIBERS, PersonaName


class Scene:
    """The gateway, the SMSC and the SPs of one demo, with the books that are kept of them."""

    def __init__(
        self,
        gateway: Gateway,
        smsc: SimulatedSmsc,
        ledger: Ledger,
        performers: Sequence[Performer],
    ) -> None:
        self.gateway = gateway
        self.performers = performers
        self._smsc = smsc
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._began_at = self._looked_at = self._loop.time()
        self._submitted = 0
        self._held = 0

    async def watch(self, view: DemoView, stopped: asyncio.Event) -> None:
        """Show how things stand once a second, and keep the ledger small."""
        while not stopped.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await stopped.wait()
            except TimeoutError:
                await self._look()
                view.show(self.moment())

    async def audit(self) -> Audit:
        """Close the counts after the last SP has stopped sending."""
        await self._look()
        return await self._ledger.audit()

    def moment(self) -> Moment:
        """Return how things stand now."""
        now = self._loop.time()
        tally = self.gateway.plane.tally
        told = {performer.system_id: performer.told for performer in self.performers}
        submitted = sum(one.submitted for one in told.values())
        since_s = max(now - self._looked_at, 0.001)
        per_s = (submitted - self._submitted) / since_s
        self._looked_at, self._submitted = now, submitted
        return Moment(
            elapsed_s=now - self._began_at,
            per_s=per_s,
            told=told,
            verdicts={("forward", ""): tally.forwarded, **tally.verdicts},
            p50_ms=percentile_ms(tally.latency_us, 0.5),
            p99_ms=percentile_ms(tally.latency_us, 0.99),
            held=self._held,
            sessions=self.gateway.session_counts(),
        )

    async def _look(self) -> None:
        self._ledger.deliver(self._smsc.journal)
        self._smsc.journal.clear()
        await self._ledger.strike_out()
        counts = await self.gateway.stores.quarantine.count_by_state()
        self._held = counts[HoldState.HELD]


_FAULTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the demo is to be played."""

    seconds: float
    port: int
    keep: bool = False
    as_json: bool = False


async def run_demo(wishes: Wishes) -> int:
    """Play the demo; return the exit code, 1 when the audit fails."""
    screen = console(sys.stderr if wishes.as_json else None)
    async with SimulatedSmsc(behaviour=Behaviour(receipts=True, verify=True)) as smsc:
        try:
            stage = build_stage(wishes.port, smsc.port)
            audit = await _play(wishes, stage, smsc, screen)
        except (OSError, StoreUnavailable, TimeoutError) as error:
            raise CommandError(f"the demo cannot go on: {error}") from error
    return ExitCode.FINE if audit.is_balanced else ExitCode.FAILED


async def _play(wishes: Wishes, stage: Stage, smsc: SimulatedSmsc, screen: Console) -> Audit:
    """Play, and print how it ended; on a terminal the console stays open after that."""
    view = DemoView(screen)
    has_pages = wishes.keep or (view.is_live and not wishes.as_json)
    async with AsyncExitStack() as stack:
        _log_to(stage, stack)
        gateway = await stack.enter_async_context(_running(stage, screen))
        ledger = Ledger(gateway.stores.quarantine, (p.system_id for p in PERSONAS.values()))
        performers = [
            await stack.enter_async_context(_bound(name, stage, ledger)) for name in PACES
        ]
        _announce(wishes, stage, screen)
        pages = None
        if has_pages:
            pages = await _open_console(stage, view, stack)
        else:
            screen.print(f"console: {program()} demo --keep opens it, and prints a link to sign in")
        scene = Scene(gateway, smsc, ledger, performers)
        is_over = await _perform(scene, wishes, stage, view)
        audit = await scene.audit()
        ending = DemoSummary(scene.moment(), audit, smsc.counters.disagreements)
        if wishes.as_json:
            print_json(ending.as_json(stage))
        else:
            print_ending(ending, stage, () if wishes.keep else hints(stage, has_pages=has_pages))
        if pages is not None and is_over:
            await _stay_open(pages, stage, screen)
        return audit


def _announce(wishes: Wishes, stage: Stage, screen: Console) -> None:
    screen.print(f"policies: a copy of {policies_directory().absolute()}", soft_wrap=True)
    if stage.esme_side.port != wishes.port:
        screen.print(f"port {wishes.port} is taken: SPs bind at {stage.esme_side}", soft_wrap=True)
    if wishes.keep:
        for line in hints(stage, keep=True, has_pages=True):
            screen.print(line, soft_wrap=True)


class DemoConsole:
    """The process of the console, and what it said: where it is, and a one-time link."""

    def __init__(self, process: asyncio.subprocess.Process, view: DemoView) -> None:
        self.process = process
        self.said: list[str] = []
        self._view = view

    async def relay(self) -> None:
        """Show each line of the process from when it comes: the first ones as its pages open."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in self.process.stdout:
            self.said.append(line.decode().rstrip())
            self._view.keep(self.said[-1])


async def _open_console(stage: Stage, view: DemoView, stack: AsyncExitStack) -> DemoConsole:
    """Run the console of the demo as a process, which prints how to sign in to it, once."""
    log = stack.enter_context(stage.log.open("ab", buffering=0))
    places = ("--config", str(stage.config), "--policies", str(stage.policies))
    command = (sys.executable, "-m", "gateway", "console", "--first-link", *places)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=log)
    stack.push_async_callback(_end, process)
    pages = DemoConsole(process, view)
    spawn(pages.relay(), name="demo.console")
    return pages


async def _stay_open(pages: DemoConsole, stage: Stage, screen: Console) -> None:
    """Let people look at what was held until Ctrl-C: the gateway and the SMSC run on for it."""
    asked = asked_to_stop()
    screen.print("the console stays open until Ctrl-C:")
    for line in pages.said:
        screen.print(line, soft_wrap=True)
    stopped = spawn(asked.wait(), name="demo.asked")
    ended = spawn(pages.process.wait(), name="demo.ended")
    await asyncio.wait((stopped, ended), return_when=asyncio.FIRST_COMPLETED)
    if not asked.is_set():
        stopped.cancel()
        raise CommandError("the console of the demo has ended", advice=f"see {stage.log}")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # Ctrl-C has reached it, too
        process.terminate()
    await process.wait()


async def _perform(scene: Scene, wishes: Wishes, stage: Stage, view: DemoView) -> bool:
    """Let everyone play until time is up or Ctrl-C is pressed; tell whether time was up."""
    loop, stopped, is_over = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def end() -> None:
        if not stopped.is_set():
            is_over.set()
            stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        with view:
            async with asyncio.TaskGroup() as group:
                for performer in scene.performers:
                    group.create_task(performer.perform(stopped))
                group.create_task(_follow_policies(stage, scene.gateway, view, stopped))
                group.create_task(scene.watch(view, stopped))
                if not wishes.keep:
                    loop.call_later(wishes.seconds, end)
    except* (ConnectionError, StoreUnavailable) as errors:
        first = errors.exceptions[0]
        raise CommandError(f"the demo broke off: {first}", advice=f"see {stage.log}") from errors
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return is_over.is_set()


async def _follow_policies(
    stage: Stage, gateway: Gateway, view: DemoView, stopped: asyncio.Event
) -> None:
    """Reload when a file is saved, as `smsward run` does, and tell what came of it."""
    async for _ in awatch(stage.config, stage.policies, stop_event=stopped, debounce=400):
        faults = await gateway.reload()
        for fault in faults[:_FAULTS_TOLD]:
            view.tell(f"refused: {fault}")
        policy = gateway.plane.rules.digest
        view.tell(f"policy {policy} stays in force" if faults else f"policy {policy} is in force")


def _log_to(stage: Stage, stack: AsyncExitStack) -> None:
    log = stack.enter_context(stage.log.open("ab", buffering=0))

    def sink(line: bytes) -> None:
        log.write(line)

    configure_logging(json=True, sink=sink)
    # What is said once the file is closed is an error or nothing.
    stack.callback(configure_logging, level=LogLevel.ERROR)


@asynccontextmanager
async def _running(stage: Stage, screen: Console) -> AsyncIterator[Gateway]:
    """Give a gateway that knows the subscribers' answers; drain and stop it at the end."""
    screen.print("preparing: the policies")
    deployment = stage.load()
    screen.print("preparing: the gateway, the SMSC and three SPs")
    await _record_answers(deployment.settings.store.url)
    gateway = Gateway(
        deployment.settings,
        deployment.senders,
        deployment.bundle,
        config=stage.config,
        policies=stage.policies,
    )
    try:
        await gateway.start()
        yield gateway
        await gateway.drain()
    finally:
        await gateway.stop()


async def _record_answers(store_url: str) -> None:
    """Record who refused the retailer's adverts, and that all others agreed to them."""
    shop = PERSONAS[PersonaName.RETAILER].system_id
    now = utcnow()
    answers = [
        ConsentAnswer(
            msisdn,
            shop,
            Answer.REFUSED if number in OPTED_OUT else Answer.AGREED,
            now,
            "demo",
        )
        for number in SUBSCRIBERS
        if (msisdn := msisdn_of(number.encode())) is not None
    ]
    stores = await open_store(store_url)
    try:
        await stores.consent.record(answers)
    finally:
        await stores.close()


@asynccontextmanager
async def _bound(name: PersonaName, stage: Stage, ledger: Ledger) -> AsyncIterator[Performer]:
    voice = await enter(name, stage.esme_side)
    try:
        yield Performer(name, voice, ledger)
    finally:
        await voice.leave()
