"""submit_multi: each destination has a verdict of its own."""

from dataclasses import replace

import pytest

from gateway.dataplane.attention import AcceptedRefusals, Hold
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action
from gateway.policy.checks.opt_out import OptOut
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import UnsuccessSme
from gateway.smpp.pdu import decode
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    DUBIOUS,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    answer,
    decisions,
    header,
    long_advert,
    rule,
    sender,
    sent,
    slow,
    smsc,
    status_of,
    udh,
    unnumbered,
    up,
)

OTHER = "13900139000"
REFUSED = CommandStatus.ESME_RSUBMITFAIL


def multi(text: str = "您好", *to: str, lists: tuple[str, ...] = (), sequence: int = 1) -> bytes:
    return builders.submit_multi(
        PORT,
        list(to or (SUBSCRIBER, OTHER)),
        builders.ucs2(text),
        distribution_lists=lists,
        registered_delivery=1,
        tlvs=[(0x1454, b"odd")],
        sequence=sequence,
    )


def consenting(on_error: Action = Action.REJECT) -> World:
    """Return a world in which OTHER refused."""
    refused = rule("R21", OptOut(), on_error={TrafficClass.COMMERCIAL: on_error})
    world = World(bundle=replace(BUNDLE, rules=(refused,)))
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    return world


def test_a_submit_multi_whose_destinations_all_pass_goes_on_as_it_came(world: World) -> None:
    session = world.session()
    pdu = multi() + b""

    batch = world.submit(session, pdu)

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(pdu)]
    assert [(row[7], row[8]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), "forward"),
        (OTHER.encode(), "forward"),
    ]


def test_destinations_that_refused_are_left_out_and_each_has_its_record() -> None:
    world = consenting()
    session = world.session()

    batch = world.submit(session, multi("您好", SUBSCRIBER, OTHER, sequence=9))

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(multi("您好", SUBSCRIBER))]
    assert not sent(batch, session)
    assert [(row[7], row[8], row[9], row[11], row[13]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), "forward", "", "", 0),
        (OTHER.encode(), "reject", "OPTED_OUT", "ESME_RSUBMITFAIL", 0),
    ]
    assert world.plane.tally.verdicts == {("reject", "OPTED_OUT"): 1}


def test_when_no_destination_may_get_it_the_whole_is_refused() -> None:
    world = consenting()
    session = world.session()

    batch = world.submit(session, multi("您好", OTHER, "me"))

    assert not up(batch, session)
    assert [status_of(pdu) for pdu in sent(batch, session)] == [REFUSED]
    assert [row[9] for row in decisions(batch)] == ["OPTED_OUT", "DESTINATION_INVALID"]
    assert world.plane.tally.verdicts == {
        ("reject", "OPTED_OUT"): 1,
        ("reject", "DESTINATION_INVALID"): 1,
    }


def test_a_distribution_list_is_refused_and_the_subscribers_beside_it_are_served(
    world: World,
) -> None:
    session = world.session()

    batch = world.submit(session, multi("您好", SUBSCRIBER, lists=("friends",)))

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(multi("您好", SUBSCRIBER))]
    assert [(row[7], row[9]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), ""),
        (b"friends", "LIST_DESTINATION"),
    ]


def test_distribution_lists_alone_are_refused(world: World) -> None:
    session = world.session()
    pdu = builders.submit_multi(PORT, [], b"", distribution_lists=["friends"])

    batch = world.submit(session, pdu)

    assert [status_of(p) for p in sent(batch, session)] == [CommandStatus.ESME_RINVDLNAME]


def test_a_text_that_is_refused_is_refused_for_all() -> None:
    world = consenting()
    session = world.session()

    batch = world.submit(session, multi(SPAM, SUBSCRIBER, OTHER))

    assert not up(batch, session)
    assert [header(p) for p in sent(batch, session)] == [(CommandId.SUBMIT_MULTI_RESP, REFUSED, 1)]
    assert sorted((row[7], row[9]) for row in decisions(batch)) == [
        (SUBSCRIBER.encode(), "CONTENT"),
        (OTHER.encode(), "OPTED_OUT"),
    ]


def test_what_is_held_of_many_is_held_for_those_who_may_get_it() -> None:
    world = consenting()

    batch = world.submit(world.session(), multi(DUBIOUS, OTHER, SUBSCRIBER))

    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert hold.pdu == multi(DUBIOUS, SUBSCRIBER)
    assert hold.destination == SUBSCRIBER.encode()
    assert [getattr(sme, "address", b"") for sme in hold.refused] == [OTHER.encode()]
    assert hold.receipt_asked


def test_one_of_many_can_not_be_held_so_it_is_refused() -> None:
    world = consenting(on_error=Action.QUARANTINE)
    world.sets.is_current = False
    session = world.session()

    batch = world.submit(session, multi())

    assert not batch.attention
    assert [status_of(p) for p in sent(batch, session)] == [CommandStatus.ESME_RMSGQFUL]
    assert {(row[8], row[9]) for row in decisions(batch)} == {("reject", "CONSENT_UNCHECKED")}


def test_every_destination_costs_a_token() -> None:
    world = slow(burst=2)
    session = world.session()

    batch = world.submit(session, multi("您好", SUBSCRIBER, OTHER, "13700137000"))

    assert [row[9] for row in decisions(batch)] == ["", "", "RATE"]


def test_a_part_to_many_is_stopped_only_for_whom_its_text_is_complete(world: World) -> None:
    session = world.session()
    world.submit(session, *long_advert([SPAM[:2], SPAM[2:]]))  # to SUBSCRIBER: stopped
    second = udh("udh8", 7, b"\2\2") + builders.ucs2(SPAM[2:])
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, OTHER], second, esm_class=UDHI)

    batch = world.submit(session, pdu)

    assert [(row[7], row[8], row[9]) for row in decisions(batch)] == [
        (OTHER.encode(), "forward", ""),
        (SUBSCRIBER.encode(), "reject", "CONTENT"),
    ]


def test_a_rule_on_trial_is_noted_for_many_as_for_one(world: World) -> None:
    session = world.session()

    batch = world.submit(session, multi("限时优惠", SUBSCRIBER, "me"))

    assert [(row[7], row[8], row[10]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), "shadow", "K-NOTE"),
        (b"me", "reject", "DESTINATION"),
    ]
    assert world.plane.tally.verdicts["shadow", "CONTENT"] == 1


def test_a_consent_rule_on_trial_is_noted_for_many() -> None:
    refused = rule("R21", OptOut(), mode=Enforcement.SHADOW)
    world = World(bundle=replace(BUNDLE, rules=(refused,)))
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    session = world.session()

    batch = world.submit(session, multi("您好", OTHER))

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(multi("您好", OTHER))]
    assert [(row[8], row[9]) for row in decisions(batch)] == [("shadow", "OPTED_OUT")]


def accepting(*reasons: str) -> tuple[World, Link]:
    """Return a world in which OTHER refused, and a session whose SP takes refusals as receipts."""
    refused = rule("R21", OptOut())
    world = World(
        bundle=replace(BUNDLE, rules=(refused,)), senders=(sender(accept=frozenset(reasons)),)
    )
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    return world, world.session()


def refusals(batch: Batch) -> AcceptedRefusals:
    (item,) = batch.attention
    assert isinstance(item, AcceptedRefusals)
    return item


def unsuccessful(pdu: bytes) -> list[bytes]:
    listed = decode(pdu).fields["unsuccess_sme"]
    assert isinstance(listed, tuple)
    return [one.address for one in listed if isinstance(one, UnsuccessSme)]


ADVERT = "会员日全场八折，拒收请回复R"
TWO_REFUSED = {"OPTED_OUT", "CONTENT"}


@pytest.mark.parametrize(
    ("reasons", "accepted", "told"),
    [
        (TWO_REFUSED, [OTHER, SUBSCRIBER], []),
        ({"OPTED_OUT"}, [OTHER], [SUBSCRIBER]),
        ({"CONTENT"}, [SUBSCRIBER], [OTHER]),
    ],
)
def test_each_destination_that_is_refused_is_kept_for_a_receipt_of_its_own(
    reasons: set[str], accepted: list[str], told: list[str]
) -> None:
    world, session = accepting(*reasons)

    item = refusals(world.submit(session, multi(f"{ADVERT}，{SPAM}", SUBSCRIBER, OTHER)))

    assert [one.destination.decode() for one in item.smes] == accepted
    assert {(one.source, one.receipt_asked) for one in item.smes} == {(PORT.encode(), True)}
    assert header(item.kept) == (CommandId.SUBMIT_MULTI_RESP, 0, 1)
    assert [one.decode() for one in unsuccessful(item.kept)] == told
    assert decode(item.kept).octets("message_id") == item.message_id == str(item.own_id).encode()
    assert header(item.failed)[1] != 0
    assert session.held == 1


def test_what_no_receipt_is_wanted_for_is_refused_in_the_answer() -> None:
    world, session = accepting("PARTS_FORGOTTEN")

    batch = world.submit(session, multi(ADVERT, OTHER))

    assert not batch.attention
    assert header(sent(batch, session)[0])[1] != 0


def test_of_those_that_pass_in_part_receipts_have_the_id_of_the_smsc() -> None:
    world, session = accepting("OPTED_OUT", "LIST_DESTINATION")
    forwarded = world.submit(session, multi(ADVERT, SUBSCRIBER, OTHER, lists=("all",)))

    batch = world.resp(smsc(session), answer(1, b"17", command_id=CommandId.SUBMIT_MULTI_RESP))

    item = refusals(batch)
    assert not forwarded.attention
    assert not sent(batch, session)
    assert (item.message_id, item.own_id) == (b"17", 0)
    assert [one.destination for one in item.smes] == [OTHER.encode()]
    assert [unsuccessful(pdu) for pdu in (item.kept, item.failed)] == [
        [b"all"],
        [b"all", OTHER.encode()],
    ]
    assert session.held == 1


def test_what_the_smsc_refuses_altogether_is_answered_so() -> None:
    world, session = accepting("OPTED_OUT")
    world.submit(session, multi(ADVERT, SUBSCRIBER, OTHER))

    batch = world.resp(smsc(session), answer(1, status=8, command_id=CommandId.SUBMIT_MULTI_RESP))

    assert not batch.attention
    assert header(sent(batch, session)[0])[1] == 8
