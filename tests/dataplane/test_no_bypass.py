"""R62, no bypass: every carrier of text against every rule that can stop a message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import pytest

from gateway.domain.verdict import Reason, TextMark
from gateway.policy.checks import all_checks
from gateway.policy.checks.opt_out import CONSENT_UNKNOWN
from gateway.policy.checks.public_interest import PublicInterest
from gateway.session.operations import Ruling, SessionState, Side, ruling
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import SmeAddress, UnsuccessSme
from gateway.smpp.pdu import decode
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.carriers_of_text import OTHERS, Kind, Letter, TextCarrier, carriers
from tests.dataplane.conftest import (
    PORT,
    SUBSCRIBER,
    World,
    answer,
    decisions,
    header,
    sent,
    smsc,
    up,
)
from tests.dataplane.rules_that_stop import HAN, RULES, Scene


class Stopped(Enum):
    """How a rule stops what a carrier brings."""

    WHOLLY = "no request of it goes on"
    IN_PART = "some of its parts do not go on, so that no phone puts it together"
    AS_CONFLICT = "nobody knows which of two texts the phone puts together, so neither goes on"
    AS_UNPLACED = "nobody knows the other parts, so it is refused where no rule refuses it"
    AS_UNKNOWN = "nobody knows whose message it changes, so what the subscriber said is unread"


@dataclass(frozen=True, slots=True)
class Passes:
    """Why a rule says nothing of a carrier: it does pass then."""

    why: str


Cell = Stopped | Passes

STOP, PART, ODD = Stopped.WHOLLY, Stopped.IN_PART, Stopped.AS_CONFLICT
UNKNOWN, UNPLACED = Stopped.AS_UNKNOWN, Stopped.AS_UNPLACED
NOBODY = Passes("it names no subscriber; the message that it changes was judged for one")
COUNTED = Passes("the message that it changes was counted")
ITS_HOUR = Passes("without an hour of its own the message keeps the one it was judged for")
NO_WORD = Passes("there is no text")


def _row(*cells: Cell) -> Mapping[Kind, Cell]:
    """Return one row; a cell for each kind of carrier, in the order of Kind.

    The new text of a part is stopped as that of any message is, or else as a part.
    """
    row = dict(zip((kind for kind in Kind if kind is not Kind.NEW_PART), cells, strict=True))
    usual = row[Kind.REPLACEMENT]
    return row | {Kind.NEW_PART: UNPLACED if isinstance(usual, Passes) else usual}


# One request, two texts, scheduled, many, parts, conflict, parts to many, no text, replace_sm,
# disguised.
TABLE: Mapping[str, Mapping[Kind, Cell]] = {
    "R01 the sender": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R02 the source": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R03 the extension": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "the destination": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, NOBODY, STOP),
    "R44 the sender's rate": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R60 a word refused": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R60 a word to look at": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R60 a failing filter": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R43 the number": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R04 the province": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, NOBODY, STOP),
    "R05 the purpose": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R06 the signature's port": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R12 the signature": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, STOP, STOP, STOP),
    "R12 no signature": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, STOP, STOP, STOP),
    "R12 the template": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, STOP, STOP, STOP),
    "R20 consent": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, UNKNOWN, STOP),
    "R21 the refusal": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, NOBODY, STOP),
    "R21 refusals unread": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R28 a walk": _row(STOP, STOP, STOP, STOP, STOP, STOP, PART, STOP, NOBODY, STOP),
    "R28 unknown numbers": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP),
    "R30 the way out": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, STOP, STOP, STOP),
    "R38 the name": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, STOP, STOP, STOP),
    "R40 the hour": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, ITS_HOUR, STOP),
    "R40 wait for the hour": _row(STOP, STOP, STOP, STOP, STOP, ODD, STOP, STOP, ITS_HOUR, STOP),
    "R42 too often": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, COUNTED, STOP),
    "R42 no room to count": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, COUNTED, STOP),
    "R44 the port's rate": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, COUNTED, STOP),
    "R61 the link": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R61 the signature": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R61 the contact": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R61 the classifier": _row(STOP, STOP, STOP, STOP, PART, ODD, PART, NO_WORD, STOP, STOP),
    "R61 no classifier": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, NO_WORD, STOP, STOP),
    "R61 the campaign": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, NO_WORD, NOBODY, STOP),
    "R50 the wish": _row(STOP, STOP, STOP, STOP, STOP, STOP, STOP, STOP, NOBODY, STOP),
}
NEVER_STOPS = {PublicInterest}

# In these kinds even a decent text stops, or what a decent text must show is hidden by a trick.
_UNDECENT = frozenset({Kind.CONFLICT, Kind.TEXTLESS, Kind.DISGUISED, Kind.NEW_PART})
# A host with a full stop after each letter is one that no phone opens and nobody types.
_NO_LINK = "full stops"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a carrier: its requests, those that reached the subscriber, and reasons."""

    requests: int
    reached: int
    reasons: list[str]


def _send(world: World, carrier: TextCarrier, letter: Letter) -> Sent:
    sessions = [world.session() for _ in range(carrier.binds)]
    requests = carrier.build(letter)
    if carrier.in_one_tick:
        batches = [(world.submit(sessions[0], *requests), sessions[0])]
    else:
        turns = [sessions[turn % len(sessions)] for turn in range(len(requests))]
        batches = [
            (world.submit(session, request), session)
            for session, request in zip(turns, requests, strict=True)
        ]
    reached = [pdu for batch, session in batches for pdu in up(batch, session)]
    rows = [row for batch, _ in batches for row in decisions(batch)]
    return Sent(
        len(requests),
        sum(_reaches(pdu, letter.to) for pdu in reached),
        [
            row[9]
            for row in rows
            if row[7] in (b"", letter.to.encode()) and row[8] not in ("forward", "shadow")
        ],
    )


def _reaches(octets: bytes, to: str) -> bool:
    pdu = decode(octets)
    if pdu.command_id == CommandId.REPLACE_SM:
        return True
    listed = pdu.fields.get("dest_address")
    if isinstance(listed, tuple):
        return any(isinstance(one, SmeAddress) and one.address == to.encode() for one in listed)
    return pdu.octets("destination_addr") == to.encode()


def _letter(carrier: TextCarrier, scene: Scene, decent: Scene) -> Letter | None:
    """Return what to send, None when it cannot be written in the coding of the carrier."""
    text = scene.latin if carrier.is_latin else scene.han
    return None if text is None else Letter(text, decent.han, scene.source, scene.to)


def _cells() -> Iterator[object]:
    for name, stops in RULES.items():
        for carrier in carriers():
            if _letter(carrier, stops.against, stops.decent) is None:
                continue
            if carrier.name == _NO_LINK and stops.reason.mark is TextMark.LINKS:
                continue
            yield pytest.param(name, carrier, id=f"{name}-{carrier.name}")


def test_every_rule_and_every_check_has_its_row() -> None:
    checks = {stops.check for stops in RULES.values()} - {None}

    assert checks == set(all_checks()) - NEVER_STOPS
    assert list(TABLE) == list(RULES)


def test_every_kind_has_a_carrier() -> None:
    assert {carrier.kind for carrier in carriers()} == set(Kind)


def test_every_request_that_is_judged_has_a_carrier() -> None:
    letter = Letter("a text", "a text")
    sent = {header(pdu)[0] for carrier in carriers() for pdu in carrier.build(letter)}

    judged = {
        command
        for command in CommandId
        if ruling(Side.ESME, SessionState.BOUND_TRX, command) is Ruling.JUDGE
    }
    assert sent == judged


@pytest.mark.parametrize(("name", "carrier"), list(_cells()))
def test_r62_no_carrier_of_text_gets_round_a_rule(name: str, carrier: TextCarrier) -> None:
    stops, cell = RULES[name], TABLE[name][carrier.kind]
    letter = _letter(carrier, stops.against, stops.decent)
    assert letter is not None

    became = _send(stops.against.world(), carrier, letter)

    # A part that contradicts another is none that the phone needs.
    needed = became.requests - (carrier.kind is Kind.CONFLICT)
    match cell:
        case Stopped.WHOLLY:
            assert (became.reached, became.reasons) == (0, [stops.reason] * became.requests)
        case Stopped.IN_PART:
            assert became.reached < needed
            assert set(became.reasons) == {stops.reason}
        case Stopped.AS_CONFLICT:
            assert became.reached < needed
            assert Reason.PARTS_CONFLICT in became.reasons
            assert set(became.reasons) <= {stops.reason, Reason.PARTS_CONFLICT}
        case Stopped.AS_UNPLACED:
            assert (became.reached, became.reasons) == (0, [Reason.PARTS_FORGOTTEN])
        case Stopped.AS_UNKNOWN:
            unread = [CONSENT_UNKNOWN] * became.requests
            assert (became.reached, became.reasons) == (0, unread)
        case Passes():
            assert (became.reached, became.reasons) == (became.requests, [])


def _decent_cells() -> Iterator[object]:
    for name, stops in RULES.items():
        for carrier in carriers():
            if TABLE[name][carrier.kind] is UNKNOWN:
                continue
            if carrier.kind in _UNDECENT or _letter(carrier, stops.decent, stops.decent) is None:
                continue
            yield pytest.param(name, carrier, id=f"{name}-{carrier.name}")


@pytest.mark.parametrize(("name", "carrier"), list(_decent_cells()))
def test_what_no_rule_minds_passes_in_every_carrier(name: str, carrier: TextCarrier) -> None:
    decent = RULES[name].decent
    letter = _letter(carrier, decent, decent)
    assert letter is not None

    became = _send(decent.world(), carrier, letter)

    assert (became.reached, became.reasons) == (became.requests, [])


def test_r62_of_three_destinations_the_one_that_refused_is_left_out_and_told_apart() -> None:
    world = RULES["R21 the refusal"].against.world()
    session = world.session()
    request = builders.submit_multi(PORT, [SUBSCRIBER, *OTHERS], builders.ucs2(HAN))

    batch = world.submit(session, request)
    (forwarded,) = up(batch, session)
    own = header(forwarded)[2]
    told = world.resp(smsc(session), answer(own, command_id=CommandId.SUBMIT_MULTI_RESP))

    assert [_reaches(forwarded, to) for to in (SUBSCRIBER, *OTHERS)] == [False, True, True]
    (heard,) = sent(told, session)
    refused = UnsuccessSme(1, 1, SUBSCRIBER.encode(), CommandStatus.ESME_RSUBMITFAIL)
    assert decode(heard).fields["unsuccess_sme"] == (refused,)
