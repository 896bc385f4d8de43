"""The demo of the linkage: one complaint, from a subscriber's SMS to the answer by SMS."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

from rich.console import Console

from gateway.app.case_exchange import CaseExchange
from gateway.app.complaint_worker import complaint_matcher, reporter_teller
from gateway.app.gateway import Gateway
from gateway.app.linkage import LinkageDeployment, LinkageNode
from gateway.cli.demo.cast import PASSWORD
from gateway.cli.demo.linkage_stage import (
    EAST,
    HUB,
    OWN_BIND,
    PORT,
    REPORT_CODE,
    SENDER,
    WEST,
    DemoMember,
    LinkageStage,
    build_linkage_stage,
)
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import masked
from gateway.domain.sender import PortOwners
from gateway.domain.suspension import NewPortSuspension
from gateway.policy.bundle import Bundle
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.runtime.sealing import signing_key
from gateway.settings.directories import policies_directory
from gateway.settings.linkage import LinkageSettings, load_linkage
from gateway.settings.schema import Address
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.cases.model import (
    Actor,
    Case,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    MeasureKind,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.complaint_replies import words_of
from gateway.terminal.deployment import load_deployment
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.screen import console, print_json_line
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

_SUBSCRIBER = "13800138000"
MSISDN = 8613800138000
_SPAM = "【江畔置业】江景新房加推，首付八万起，到访送大米一袋，回T退订"
_ANSWER = "您举报的端口10690077已停用，发送方无您的订阅记录。感谢监督"
_OFFICER = "lin"
# Our own words for the measure: what another carrier suggests is for a person to approve.
_TOLD = words_of(MSISDN).outcomes[MeasureKind.PORT_SUSPENDED]
_PATIENCE_S = 120.0
_EVERY_S = 0.05

T = TypeVar("T")
Round = Callable[[], Awaitable[object]]


class Timeline:
    """Prints what happens, as a line each or as JSON."""

    def __init__(self, screen: Console, *, as_json: bool) -> None:
        self._screen = screen
        self._as_json = as_json
        self._began_at = utcnow()

    def tell(self, member: DemoMember, event: str, what: str) -> None:
        """Print that something happened just now."""
        now = utcnow()
        if self._as_json:
            at = now.isoformat(timespec="milliseconds")
            print_json_line({"at": at, "event": event, "member": member.name, "what": what})
            return
        since = (now - self._began_at).total_seconds()
        line = f"{since:6.1f} s  {member.organisation}  {event:<24} {what}"
        self._screen.print(line, soft_wrap=True, highlight=False)

    def end(self, stage: LinkageStage) -> None:
        """Say where everything stands."""
        took_s = (utcnow() - self._began_at).total_seconds()
        said = f"done in {took_s:.1f} s; configuration, stores and log: {stage.directory}"
        self._screen.print(said, soft_wrap=True, highlight=False)


class DemoCarrier:
    """A carrier of the demo: its gateway, its SMSC, and the desk of its case officer."""

    def __init__(self, gateway: Gateway, smsc: SimulatedSmsc, bundle: Bundle) -> None:
        self.gateway = gateway
        self.smsc = smsc
        self.stores = gateway.stores
        self.desk = CaseDesk(self.stores.cases, lambda: bundle.surroundings.calendar)

    async def case(self) -> Case | None:
        """Return the newest case."""
        found = await self.stores.cases.find(limit=1)
        return found[0] if found else None

    async def case_in(self, *states: CaseState) -> Case | None:
        """Return the newest case if it is in one of these states."""
        case = await self.case()
        return case if case is not None and case.state in states else None


class LinkageScene:
    """The acts of the demo, in their order; each waits for what the one before has caused."""

    def __init__(
        self, east: DemoCarrier, west: DemoCarrier, rounds: Sequence[Round], timeline: Timeline
    ) -> None:
        self._east = east
        self._west = west
        self._rounds = rounds
        self._tell = timeline.tell

    async def play(self, sender: RawEsme) -> None:
        """Play all acts. Raises TimeoutError where one has not the effect that it must have."""
        await self._send(sender)
        await self._complain()
        await self._pass_on()
        await self._stop_port(sender)
        await self._answer()

    async def _send(self, sender: RawEsme) -> None:
        """Let an SP of the western carrier write to a subscriber of the eastern one."""
        answer = await sender.submit(PORT, _SUBSCRIBER, _SPAM)
        if not answer.is_ok:
            raise CommandError(f"the advert was refused with 0x{answer.command_status:08X}")
        await self._west.smsc.received(1)
        what = f"{SENDER} sends an advert from {PORT} to {masked(MSISDN)}"
        self._tell(WEST, "message.passed", what)

    async def _complain(self) -> None:
        await self._east.smsc.bound(1)
        text = f"{PORT}*{_SPAM}"
        status = await self._east.smsc.deliver(OWN_BIND, _SUBSCRIBER, REPORT_CODE, text)
        (complaint,) = await self._east.stores.complaints.find(limit=1)
        what = f"{masked(MSISDN)} reports {PORT} to {REPORT_CODE}, gets number {complaint.number}"
        if status:
            raise CommandError(f"the complaint was answered 0x{status:08X}")
        self._tell(EAST, "complaint.received", what)
        case = await self._until(self._east.case)
        self._tell(EAST, "case.opened", f"case {case.number}, campaign {case.campaign}")

    async def _pass_on(self) -> None:
        case = await self._until(partial(self._east.case_in, CaseState.DISPATCHED, CaseState.ACKED))
        what = f"case {case.number} to {case.owner}, signed, through {HUB.organisation}"
        self._tell(EAST, "case.dispatched", what)
        case = await self._until(partial(self._east.case_in, CaseState.ACKED))
        self._tell(EAST, "case.accepted", f"case {case.number} by {case.owner}")

    async def _stop_port(self, sender: RawEsme) -> None:
        """Suspend the port, as the measure of the western case officer."""
        west = self._west
        case = await self._until(partial(west.case_in, CaseState.ACKED))
        now, note = utcnow(), f"case {case.number}: no consent on record"
        await self._act(west.desk.verify(case.number, Actor(_OFFICER, now)))
        new = NewPortSuspension(SENDER, PORT, now, _OFFICER, note)
        await west.stores.suspended_ports.suspend(new)
        await self._until(partial(self._is_refused, sender))
        what = f"{PORT} of {SENDER}: its next message is refused"
        self._tell(WEST, "port.suspended", what)
        measure = CaseMeasure(MeasureKind.PORT_SUSPENDED, now, PORT)
        feedback = CaseFeedback(
            CaseFinding.CONFIRMED, (measure,), "records of the day", SENDER, _ANSWER
        )
        await self._act(west.desk.feedback(case.number, feedback, Actor(_OFFICER, utcnow())))
        self._tell(WEST, "case.feedback_sent", "confirmed: port_suspended")

    async def _is_refused(self, sender: RawEsme) -> bool:
        return not (await sender.submit(PORT, _SUBSCRIBER, _SPAM)).is_ok

    async def _answer(self) -> None:
        told = (CaseState.FEEDBACK_RECEIVED, CaseState.USER_TOLD, CaseState.CLOSED)
        case = await self._until(partial(self._east.case_in, *told))
        journal = await self._east.stores.cases.journal_of(case.number)
        said = next((one.note for one in reversed(journal) if one.note), "")
        what = f"case {case.number}: {case.finding}; {said}"
        self._tell(EAST, "case.feedback_received", what)
        await self._until(self._answer_sent)
        self._tell(EAST, "reporter.told", f"{masked(MSISDN)}: {_TOLD}")
        case = await self._until(partial(self._east.case_in, CaseState.CLOSED))
        self._tell(EAST, "case.closed", f"case {case.number}")

    async def _answer_sent(self) -> bool:
        texts = (one.octets.decode("utf-16-be", "replace") for one in self._east.smsc.journal)
        return any(_TOLD in text for text in texts)

    async def _act(self, act: Awaitable[Case | CaseRefusal]) -> None:
        done = await act
        if isinstance(done, CaseRefusal):
            raise CommandError(f"case {done.number}: {done.why}")

    async def _until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """Let all work a round at a time until `look` finds something, and return that."""
        async with asyncio.timeout(_PATIENCE_S):
            while not (found := await look()):
                for work in self._rounds:
                    await work()
                await asyncio.sleep(_EVERY_S)
        return found


async def run_linkage_demo(*, as_json: bool) -> int:
    """Play the demo; return the exit code. Raises CommandError where an act fails."""
    timeline = Timeline(console(sys.stderr if as_json else None), as_json=as_json)
    async with SimulatedSmsc() as east, SimulatedSmsc() as west, AsyncExitStack() as stack:
        smscs = {EAST: east, WEST: west}
        addresses = {one: Address(smsc.host, smsc.port) for one, smsc in smscs.items()}
        stage = build_linkage_stage(addresses)
        log = stack.enter_context(stage.log.open("ab", buffering=0))

        def sink(line: bytes) -> None:
            log.write(line)

        configure_logging(json=True, sink=sink)
        # What is said once the file is closed is an error or nothing.
        stack.callback(configure_logging, level=LogLevel.ERROR)
        try:
            await _play(stage, smscs, stack, timeline)
        except (OSError, StoreUnavailable, TimeoutError) as error:
            said = f"{type(error).__name__} {error}".strip()
            raise CommandError(
                f"the demo cannot go on: {said}", advice=f"see {stage.log}"
            ) from error
        timeline.end(stage)
    return ExitCode.FINE


async def _play(
    stage: LinkageStage,
    smscs: Mapping[DemoMember, SimulatedSmsc],
    stack: AsyncExitStack,
    timeline: Timeline,
) -> None:
    carriers, rounds = list[DemoCarrier](), list[Round]()
    for member, smsc in smscs.items():
        deployment = load_deployment(stage.of(member), policies_directory())
        bundle, settings = deployment.bundle, deployment.settings
        gateway = Gateway(settings, deployment.senders, bundle)
        await stack.enter_async_context(_running(gateway))
        carrier = DemoCarrier(gateway, smsc, bundle)
        carriers.append(carrier)
        settled = _settled(stage, member)
        linked = LinkageDeployment(
            settings,
            *settled,
            PortOwners(deployment.senders.values()),
            bundle.surroundings.calendar,
        )
        rounds += [
            _at_now(complaint_matcher(carrier.stores, settings, bundle).work),
            *await stack.enter_async_context(
                _node(*settled, carrier.stores, linked.cases(carrier.stores))
            ),
            _at_now(reporter_teller(carrier.stores, settings, bundle).work),
        ]
    stores = await open_store(f"sqlite:///{stage.of(HUB)}/smsward.db")
    stack.push_async_callback(stores.close)
    rounds += await stack.enter_async_context(_node(*_settled(stage, HUB), stores))
    east, west = carriers
    # The list that the SP brought to its carrier says that the subscriber agreed.
    await west.stores.consent.record(
        [ConsentAnswer(MSISDN, SENDER, Answer.AGREED, utcnow(), "import")]
    )
    sender = await RawEsme.connect(*stage.esme_sides[WEST])
    stack.callback(sender.close)
    status = await sender.bind(SENDER, PASSWORD)
    if status:
        raise CommandError(f"the bind of {SENDER} was answered 0x{status:08X}")
    await LinkageScene(east, west, rounds, timeline).play(sender)


def _settled(stage: LinkageStage, member: DemoMember) -> tuple[LinkageSettings, str]:
    """Return what linkage.yaml of a member says, and the id of its key."""
    settings = load_linkage(stage.of(member) / "linkage.yaml")
    public = signing_key(settings.key).public_key().public_bytes_raw()
    kid = settings.registry.kid_in_use(public, utcnow())
    assert kid is not None  # noqa: S101 - the stage has just made it
    return settings, kid


def _at_now(work: Callable[[datetime], Awaitable[object]]) -> Round:
    return lambda: work(utcnow())


@asynccontextmanager
async def _node(
    settings: LinkageSettings, kid: str, stores: Stores, cases: CaseExchange | None = None
) -> AsyncIterator[list[Round]]:
    """Run the node of a member, over mTLS on loopback; give what its rounds are."""
    assert settings.tls is not None  # noqa: S101 - the stage has written it
    node = LinkageNode(settings, settings.tls, kid, stores, cases)
    try:
        await node.server.start()
        yield [node.work, node.deliver]
    finally:
        await node.stop()


@asynccontextmanager
async def _running(gateway: Gateway) -> AsyncIterator[None]:
    try:
        await gateway.start()
        yield
        await gateway.drain()
    finally:
        await gateway.stop()
