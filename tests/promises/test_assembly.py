"""Long messages that go on whole or not at all: nothing lost and nothing twice, amid kills."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import read_message
from tests.promises.deployment import Account, Deployment, Keywords, seeded, source_of, tell
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

MESSAGES, PARTS = 300, 3
KILL_AFTER = (100, 350)
WINDOW = 60
LISTS = {"K-FRAUD": Keywords("reject", ("代开发票",))}
# Longer than the sender needs to send again what a kill left unanswered: parts that come later
# than that are messages of their own.
ASSEMBLE = "version: 1\nlong_messages: assemble\nparts_ttl_s: 60\n"
SETTLED_WITHIN_S = 180.0
_GONE = {HoldState.RELEASED, HoldState.IN_DOUBT}
_SETTLED = _GONE | {HoldState.REFUSED}

# Which message, and which of its parts.
Place = tuple[int, int]


def is_forbidden(message: int) -> bool:
    return message % 4 == 0


def octets_of(place: Place) -> bytes:
    """Return the text of a part behind its header; every fourth message holds the word."""
    message, number = place
    word = "代开发票" if is_forbidden(message) else "正规书店"
    text = (f"第{message}条：{word[:2]}", f"{word[2:]}，", "再见")[number - 1]
    head = b"\x06\x08\x04" + message.to_bytes(2, "big") + bytes((PARTS, number))
    return head + builders.ucs2(text)


def request(esme: RawEsme, place: Place) -> bytes:
    return builders.submit_sm(
        source_of("sp1"),
        "13800138000",
        octets_of(place),
        esm_class=builders.UDH_INDICATOR,
        sequence=esme.next_sequence(),
    )


async def test_long_messages_go_on_whole_or_not_at_all_amid_kills(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(answer_delay_s=0.02, out_of_order=5)
    deployment = await deploy(Account("sp1", window=WINDOW))
    deployment.write_policies(LISTS)
    (deployment.directory / "policies" / "content.yaml").write_text(ASSEMBLE, encoding="utf-8")
    await deployment.start()
    places = [(message, number) for message in range(MESSAGES) for number in range(1, PARTS + 1)]
    for start in range(0, len(places), 40):  # neighbours come mixed, not a whole campaign
        piece = places[start : start + 40]
        seeded(start).shuffle(piece)
        places[start : start + 40] = piece
    acknowledged = dict[str, Place]()

    left = places
    for count in KILL_AFTER:
        esme = await attach(deployment)
        left, _ = await asyncio.gather(
            _flood(esme, left, acknowledged), _kill_after(deployment, smsc, count)
        )
        await deployment.start()
    assert await _flood(await attach(deployment), left, acknowledged) == []
    held: list[HeldMessage] = []

    async def is_settled() -> bool:
        held[:] = await deployment.held()
        return {message.state for message in held} <= _SETTLED

    await eventually(is_settled, SETTLED_WITHIN_S)

    upstream = Counter(received.octets for received in smsc.journal)
    states = Counter(message.state for message in held)
    tell(f"assembly amid {len(KILL_AFTER)} kill -9: {dict(states)}, {upstream.total()} at the SMSC")
    assert acknowledged.keys() <= {str(message.message_id) for message in held}, "lost"
    # What was committed and not acknowledged is submitted again, by its sender and once more.
    committed = Counter(read_message(message.pdu).octets for message in held)
    assert upstream <= committed, "twice"
    ways = defaultdict[int, set[bool]](set)
    for message in held:
        ways[message.assembly].add(message.state in _GONE)
    assert all(len(each) == 1 for each in ways.values()), "a message was torn apart"
    in_doubt = {
        read_message(message.pdu).octets for message in held if message.state is HoldState.IN_DOUBT
    }
    for number in range(MESSAGES):
        missing = [octets for octets in octets_of_all(number) if octets not in upstream]
        assert missing if is_forbidden(number) else set(missing) <= in_doubt
    assert states[HoldState.REFUSED] > 0
    assert deployment.faults() == []


def octets_of_all(message: int) -> list[bytes]:
    return [octets_of((message, number)) for number in range(1, PARTS + 1)]


async def _kill_after(deployment: Deployment, smsc: SimulatedSmsc, count: int) -> None:
    await smsc.received(count)
    await deployment.kill()


async def _flood(
    esme: RawEsme, places: Sequence[Place], acknowledged: dict[str, Place]
) -> list[Place]:
    """Send parts; return those that were not acknowledged and must be sent again."""
    answers = await esme.flood([request(esme, place) for place in places], WINDOW)
    left = []
    for place, octets in zip(places, answers, strict=True):
        answer = None if octets is None else answer_of(octets)
        if answer is not None and answer.is_ok:
            acknowledged[answer.message_id] = place
        else:
            left.append(place)
    return left
