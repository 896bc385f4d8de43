"""Promise 5: whatever one peer sends, the others are served and the process stays whole."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from gateway.smpp.pdu import decode
from gateway.smpp.status import DecodeError
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandId, header_of
from tests.promises.deployment import PASSWORD, Account, Deployment, seeded, source_of, tell
from tests.promises.garbage import UNBOUND_MARK, Garbage
from tests.promises.ledger import LISTS, Ledger, settle

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

PDUS = 100_000
# More than twenty of one that has not bound close it.
PER_CONNECTION, UNBOUND = 200, 15
AT_ONCE = 16
GROWTH_OCTETS = 30 << 20
_PROBE = 0x7EEE_EEEE
_MESSAGES = frozenset({CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI, CommandId.DATA_SM})


class Vandal:
    """Opens connection after connection and sends garbage over each."""

    def __init__(self, deployment: Deployment, draw: random.Random) -> None:
        self.draw = draw
        self.sent = self.connections = self.answers = 0
        self.bodies: set[bytes] = set()  # what bound connections sent, sequence_number apart
        self.with_strays = 0  # of these, messages with a few octets behind their last TLV
        self.rss_octets = 0
        self._deployment = deployment

    async def run(self) -> None:
        while self.sent < PDUS:
            self.connections += 1
            if self.sent > PDUS // 10 and not self.rss_octets:
                self.rss_octets = self._deployment.running.rss_octets()
            async with await RawEsme.connect("127.0.0.1", self._deployment.port) as esme:
                await self._abuse(esme, is_bound=self.connections % 2 == 0)
                self.answers += len(esme.strays)

    async def _abuse(self, esme: RawEsme, *, is_bound: bool) -> None:
        garbage = Garbage(self.draw, source_of("sp2"), is_bound=is_bound)
        if is_bound:
            assert await esme.bind("sp2", PASSWORD) == 0
        pdus = [garbage.framed() for _ in range(PER_CONNECTION if is_bound else UNBOUND)]
        if is_bound:
            self.bodies.update(_unnumbered(octets) for octets in pdus)
            self.with_strays += sum(map(_has_strays, pdus))
        esme.octets_per_write = self.draw.choice((0, 0, 0, 1_000))
        await esme.send(b"".join(pdus))
        # Its answer says that everything before was read, and that the session still stands.
        await esme.request(builders.enquire_link(_PROBE), within_s=60)
        self.sent += len(pdus) + 1
        is_bind = not is_bound and self.draw.randrange(10) == 0
        await esme.send(garbage.bad_bind() if is_bind else garbage.last_words())
        await esme.lost()


async def test_a_healthy_session_is_served_beside_100_000_malformed_pdus(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    # No timer shall do what the garbage itself must bring about: the end of its connection.
    deployment = await deploy(
        *map(Account, ("sp1", "sp2", "sp3")), timers={"session_init_s": 60, "pdu_read_s": 60}
    )
    deployment.write_policies(LISTS)
    await deployment.start()
    healthy = await attach(deployment)
    ledger = Ledger(seeded(1), weights=(1, 0, 0))
    vandal = Vandal(deployment, seeded(34))

    async with asyncio.TaskGroup() as group:
        vandals = [group.create_task(vandal.run()) for _ in range(AT_ONCE)]
        served_at = [0]
        while not all(one.done() for one in vandals):
            texts = ledger.texts(100)
            ledger.enter(texts, await healthy.submit_many(texts, 10, source=source_of("sp1")))
            served_at.append(vandal.sent)
    grown = deployment.running.rss_octets() - vandal.rss_octets
    sessions = await deployment.metric("smsward_sessions", side="esme")

    strange = [r for r in smsc.journal if r.system_id == "sp2"]
    tell(
        f"garbage: {vandal.sent} PDUs over {vandal.connections} connections,"
        f" {vandal.answers} answers; {len(ledger.accepted())} of {len(ledger.answers)} healthy"
        f" messages accepted; {len(strange)} readable ones forwarded;"
        f" memory {grown / 2**20:+.1f} MiB"
    )
    assert vandal.sent >= PDUS
    # Throughout, and however fast this machine is: between two hundreds of its messages there
    # was never much garbage.
    assert max(after - before for before, after in pairwise(served_at)) < PDUS // 4
    assert len(ledger.accepted()) == len(ledger.answers)
    at_smsc = settle(ledger, [r for r in smsc.journal if r.system_id == "sp1"], []).at_smsc
    assert at_smsc == len(ledger.answers)
    assert {_unnumbered(received.pdu) for received in strange} <= vandal.bodies
    assert not any(UNBOUND_MARK in received.pdu for received in smsc.journal)
    assert {received.system_id for received in smsc.journal} <= {"sp1", "sp2"}
    # Stray octets at the end are common in the field: they pass, and the SMSC has its own view.
    assert smsc.counters.malformed <= vandal.with_strays
    assert smsc.counters.framing_errors == 0
    assert grown < GROWTH_OCTETS
    assert sessions == 1
    assert deployment.faults() == []


def _unnumbered(octets: bytes) -> bytes:
    return octets[:12] + octets[16:]


def _has_strays(octets: bytes) -> bool:
    try:
        message = decode(octets)
    except DecodeError:
        return False
    return bool(message.trailing) and header_of(octets).command_id in _MESSAGES
