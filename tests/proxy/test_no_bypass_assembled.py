"""R62, no bypass: every rule that can stop a message against long ones that go on whole or not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from gateway.dataplane.attention import Hold
from gateway.domain.policy import ContentRule, LongMessages
from gateway.domain.verdict import Action, Reason, Verdict
from gateway.proxy.hold_writer import held_message
from gateway.proxy.rejudge import judge_leaving
from tests.dataplane.carriers_of_text import Kind, Letter, TextCarrier, carriers
from tests.dataplane.conftest import AT, World, decisions
from tests.dataplane.rules_that_stop import RULES, Scene

ASSEMBLE = ContentRule(Action.QUARANTINE, long_messages=LongMessages.ASSEMBLE)
NOW = datetime.fromtimestamp(AT, UTC)
CARRIERS = [carrier for carrier in carriers() if carrier.kind is Kind.PARTS]
# These look at addresses alone, or are charged for what comes: the SP hears of them at once.
AT_ONCE = {
    "R01 the sender",
    "R02 the source",
    "R03 the extension",
    "the destination",
    "R44 the sender's rate",
}


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


@pytest.fixture(autouse=True)
def _at_the_moment_of_the_data_plane(wall: Wall) -> None:
    wall.set(NOW.isoformat())


def _world(scene: Scene) -> World:
    world = scene.world()
    world.reload(replace(world.bundle, content=ASSEMBLE))
    if scene.filter_fails:
        world.failing_filter()
    return world


def _sent(world: World, carrier: TextCarrier, letter: Letter) -> tuple[list[Hold], list[str]]:
    """Send the parts; return those that wait for each other, and why others were stopped."""
    session = world.session()
    batches = [world.submit(session, pdu) for pdu in carrier.build(letter)]
    holds = [item for batch in batches for item in batch.attention if isinstance(item, Hold)]
    reasons = [row[9] for batch in batches for row in decisions(batch)]
    return holds, [reason for reason in reasons if reason != Reason.PARTS_AWAITED]


def _left(world: World, holds: list[Hold]) -> Verdict | None:
    """Judge the parts together, as they leave."""
    first, *others = (held_message(item, NOW, 60) for item in holds)
    return judge_leaving(world.plane, world.rules.accounts["sp1"], first, others)


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
@pytest.mark.parametrize("name", RULES)
def test_r62_a_rule_finds_against_a_long_message_once_and_as_a_whole(
    name: str, carrier: TextCarrier
) -> None:
    stops = RULES[name]
    against = stops.against
    world = _world(against)

    letter = Letter(against.han, stops.decent.han, against.source, against.to)
    holds, reasons = _sent(world, carrier, letter)

    if name in AT_ONCE:
        assert not holds
        assert set(reasons) == {stops.reason}
        return
    assert len(holds) == len(carrier.build(letter))
    assert not reasons
    verdict = _left(world, holds)
    assert verdict is not None
    assert verdict.deciding is not None
    assert verdict.deciding.reason is stops.reason


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
@pytest.mark.parametrize("name", RULES)
def test_a_long_message_that_no_rule_minds_leaves(name: str, carrier: TextCarrier) -> None:
    decent = RULES[name].decent
    world = _world(decent)

    holds, reasons = _sent(world, carrier, Letter(decent.han, decent.han, decent.source, decent.to))

    assert not reasons
    assert _left(world, holds) is None
