"""What is stopped for prohibited content comes out of the tick for the authority (R60)."""

from dataclasses import replace

import pytest

from gateway.dataplane.attention import Hold
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.verdict import Action
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    CLEAN,
    DUBIOUS,
    NOTED,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    decisions,
    long_advert,
    statuses,
    up,
)

OTHER = "13900139000"
GAMBLING = KeywordList("K-GAMBLING", "gambling", ListAction.QUARANTINE, ("六合彩",))
# As the fraud that is rejected, but a person is to see it.
HELD = replace(BUNDLE, keyword_lists=(*BUNDLE.keyword_lists, GAMBLING))


def test_r60_what_is_refused_is_told_with_the_evidence(world: World) -> None:
    batch = world.submit(world.session(), advert(f"本公司{SPAM}，量大从优"))

    (told,) = batch.prohibited
    (row,) = decisions(batch)
    assert batch.attention == []
    assert (told.system_id, told.source, told.destination, told.recipients, told.at) == (
        "sp1",
        PORT.encode(),
        SUBSCRIBER.encode(),
        1,
        AT,
    )
    assert (told.finding.rule, told.finding.category, told.action) == (
        "K-FRAUD",
        "fraud",
        Action.REJECT,
    )
    assert told.text == f"本公司{SPAM}，量大从优"
    assert told.digest == BUNDLE.digest
    assert told.message_id > 8 * 10**18
    assert row[13] == told.message_id


@pytest.mark.parametrize("text", [CLEAN, DUBIOUS, NOTED])
def test_r60_of_what_the_law_does_not_prohibit_nothing_is_told(world: World, text: str) -> None:
    batch = world.submit(world.session(), advert(text))

    assert batch.prohibited == []
    assert all(item.prohibited is None for item in batch.attention if isinstance(item, Hold))


def test_r60_what_is_held_bears_what_is_told_of_it_under_its_own_id() -> None:
    batch = World(HELD).submit(World(HELD).session(), advert("六合彩特码"))

    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert batch.prohibited == []
    assert hold.prohibited is not None
    assert hold.prohibited.message_id == hold.message_id
    assert (hold.prohibited.action, hold.prohibited.text) == (Action.QUARANTINE, "六合彩特码")


@pytest.mark.parametrize("kind", ["payload", "data_sm", "replace_sm", "multi"])
def test_r60_it_is_told_whatever_carries_the_text(world: World, kind: str) -> None:
    pdu = {
        "payload": builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2(SPAM)),
        "data_sm": builders.data_sm(PORT, SUBSCRIBER, builders.ucs2(SPAM)),
        "replace_sm": builders.replace_sm("ab12", PORT, builders.ucs2(SPAM)),
        "multi": builders.submit_multi(PORT, [SUBSCRIBER, OTHER], builders.ucs2(SPAM)),
    }[kind]
    session = world.session()

    batch = world.submit(session, pdu)

    assert not up(batch, session)
    (told,) = batch.prohibited
    assert SPAM in told.text
    assert told.recipients == (2 if kind == "multi" else 1)
    assert {row[13] for row in decisions(batch)} == {told.message_id}


def test_r60_a_replacement_that_would_be_held_is_refused_and_told() -> None:
    world = World(HELD)

    batch = world.submit(
        world.session(), builders.replace_sm("ab12", PORT, builders.ucs2("六合彩"))
    )

    (told,) = batch.prohibited
    assert told.action is Action.REJECT


def test_r60_of_a_long_message_the_text_is_told_as_far_as_it_came(world: World) -> None:
    session = world.session()
    first, second, third = long_advert(["本公司代开", "发票，量大", "从优"])

    passed = world.submit(session, first)
    stopped = world.submit(session, second)
    after = world.submit(session, third)

    assert passed.prohibited == []
    (told,) = stopped.prohibited
    assert told.text == "本公司代开发票，量大"
    assert [one.finding.rule for one in after.prohibited] == ["K-FRAUD"]


def test_r60_who_of_many_had_a_stopped_part_before_is_told_alone(world: World) -> None:
    session = world.session()
    first, second = long_advert([SPAM, "再见"])
    world.submit(session, first)
    octets = second[second.index(b"\x05\x00\x03") :]
    multi = builders.submit_multi(PORT, [SUBSCRIBER, OTHER], octets, esm_class=0x40)

    batch = world.submit(session, multi)

    (told,) = batch.prohibited
    assert (told.destination, told.recipients) == (SUBSCRIBER.encode(), 1)
    assert len(up(batch, session)) == 1


def test_what_is_told_prints_neither_text_nor_subscriber(world: World) -> None:
    (told,) = world.submit(world.session(), advert(SPAM)).prohibited

    assert SUBSCRIBER not in repr(told)
    assert f"text='{SPAM}'" not in repr(told)


def test_r60_sixteen_words_of_another_list_leave_the_report_as_it_is() -> None:
    others = tuple(chr(0x4E00 + number) for number in range(16))
    retail = KeywordList("K-A", "retail", ListAction.REJECT, others)
    world = World(replace(BUNDLE, keyword_lists=(retail, *BUNDLE.keyword_lists)))

    batch = world.submit(world.session(), advert("".join(others) + SPAM))

    (told,) = batch.prohibited
    assert (told.finding.rule, told.finding.category) == ("K-FRAUD", "fraud")


def test_r60_telling_changes_no_answer() -> None:
    assert statuses(World(), advert(SPAM), advert(CLEAN)) == [0x45, None]
