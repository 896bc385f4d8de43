"""The demo from its first file to its last line."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from rich.console import Console
from watchfiles import awatch

from gateway.app.gateway import Gateway
from gateway.cli.demo.cast import PACES, Audit, Ledger, Performer, Stage, build_stage, enter
from gateway.cli.demo.view import DemoSummary, DemoView, Moment, hints, percentile_ms, print_ending
from gateway.console.user_rules import first_link
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.settings.directories import policies_directory
from gateway.settings.schema import Address
from gateway.storage.errors import StoreUnavailable
from gateway.stores import open_store
from gateway.systems.users.model import UserAct
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import console
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


_MAX_SECONDS = 86_400
_MAX_PORT = 65_535
_FAULTS_TOLD = 5
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the demo is to be played."""

    seconds: float
    port: int
    keep: bool = False
    as_json: bool = False


async def run_demo(wishes: Wishes) -> int:
    """Play the demo; return the exit code, 1 when the audit fails."""
    if not 0 < wishes.seconds <= _MAX_SECONDS:
        raise misused(f"--seconds: more than 0, at most {_MAX_SECONDS}")
    if not 1 <= wishes.port <= _MAX_PORT:
        raise misused(f"--port: 1 to {_MAX_PORT}")
    screen = console(sys.stderr if wishes.as_json else None)
    async with SimulatedSmsc(behaviour=Behaviour(receipts=True, verify=True)) as smsc:
        try:
            stage = build_stage(wishes.port, smsc.port)
            ending = await _play(wishes, stage, smsc, screen)
        except (OSError, StoreUnavailable, TimeoutError) as error:
            raise CommandError(f"the demo cannot go on: {error}") from error
    print_ending(ending, stage, keep=wishes.keep, as_json=wishes.as_json)
    return ExitCode.FINE if ending.audit.is_balanced else ExitCode.FAILED


async def _play(wishes: Wishes, stage: Stage, smsc: SimulatedSmsc, screen: Console) -> DemoSummary:
    async with AsyncExitStack() as stack:
        _log_to(stage, stack)
        gateway = await stack.enter_async_context(_running(stage))
        ledger = Ledger(gateway.stores.quarantine, (p.system_id for p in PERSONAS.values()))
        performers = [
            await stack.enter_async_context(_bound(name, stage, ledger)) for name in PACES
        ]
        _announce(wishes, stage, screen)
        if wishes.keep:
            await _open_console(stage, gateway, screen, stack)
        stopped = asyncio.Event()
        scene = Scene(gateway, smsc, ledger, performers)
        view = DemoView(screen)
        await _perform(scene, wishes, stage, view, stopped)
        audit = await scene.audit()
        return DemoSummary(scene.moment(), audit, smsc.counters.disagreements)


def _announce(wishes: Wishes, stage: Stage, screen: Console) -> None:
    screen.print(f"policies: a copy of {policies_directory().absolute()}", soft_wrap=True)
    if stage.esme_side.port != wishes.port:
        screen.print(f"port {wishes.port} is taken: SPs bind at {stage.esme_side}", soft_wrap=True)
    if wishes.keep:
        for line in hints(stage, keep=True):
            screen.print(line, soft_wrap=True)


async def _open_console(
    stage: Stage, gateway: Gateway, screen: Console, stack: AsyncExitStack
) -> None:
    """Run the console of the demo as a process; once it answers, print how to sign in to it."""
    log = stack.enter_context(stage.log.open("ab", buffering=0))
    places = ("--config", str(stage.config), "--policies", str(stage.policies))
    command = (sys.executable, "-m", "gateway", "console", *places)
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=log)
    stack.push_async_callback(_end, process)
    link = await first_link(gateway.stores.users, UserAct(acting(None), utcnow()))
    url = f"http://{stage.console}"
    screen.print("console: it starts ...")
    if not await _opened(stage.console, process):
        screen.print(f"console: it did not open; see {stage.log}", soft_wrap=True)
        return
    screen.print(f"console: {url}/ is open. To sign in the first time, open this link, once:")
    screen.print(f"  {url}/enrol/{link.token}", soft_wrap=True)


async def _opened(where: Address, process: asyncio.subprocess.Process) -> bool:
    """Wait until the console answers; tell whether it does, and has not ended."""
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection(where.host, where.port)
        except OSError:
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            writer.close()
            return True
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # Ctrl-C has reached it, too
        process.terminate()
    await process.wait()


async def _perform(
    scene: Scene, wishes: Wishes, stage: Stage, view: DemoView, stopped: asyncio.Event
) -> None:
    """Let everyone play until time is up or Ctrl-C is pressed."""
    loop = asyncio.get_running_loop()
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
                    loop.call_later(wishes.seconds, stopped.set)
    except* (ConnectionError, StoreUnavailable) as errors:
        first = errors.exceptions[0]
        raise CommandError(f"the demo broke off: {first}", advice=f"see {stage.log}") from errors
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


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
async def _running(stage: Stage) -> AsyncIterator[Gateway]:
    """Give a gateway that knows the subscribers' answers; drain and stop it at the end."""
    deployment = stage.load()
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
