"""A message together with the PDU that carries it, to one recipient or to many (submit_multi)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gateway.dataplane.link import Link
from gateway.dataplane.parts import Joint, Part
from gateway.domain.categories import TrafficClass
from gateway.domain.msisdn import with_plus
from gateway.domain.verdict import Action, Verdict
from gateway.filter.facts import TextFacts
from gateway.filter.normalise.shapes import DIRECTED, SHAPED, hints_of
from gateway.policy.findings import is_asking
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Account, Submission
from gateway.smpp.fields import Destination, DistributionList, SmeAddress, UnsuccessSme
from gateway.smpp.pdu import Pdu, encode
from gateway.smpp.status import status_named

_SERVICE = TrafficClass.SERVICE
# The work factor of a text that can be read in two further ways. Finding the order on the screen
# takes as long as judging, and the result is judged as well.
_SHAPED_WORK, _DIRECTED_WORK = 3, 3


@dataclass(frozen=True, slots=True)
class PartPosition:
    """Which part of a long message a request is.

    `is_new`: this part was not seen before. `is_last`: no part is missing now.
    """

    joint: Joint
    number: int
    is_new: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Addressee:
    """One destination of a submit_multi, and its places in the long messages of that subscriber."""

    destination: Destination
    message: Submission
    places: tuple[PartPosition, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedSme(UnsuccessSme):
    """A refused destination that the SP hears of in a receipt only (`accept`), if it is kept."""

    verdict: Verdict
    source: bytes
    destination: bytes
    receipt_asked: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the SMSC is to deliver later, and to whom: a refusal must still stop it (R21).

    It is the context of its request. `at` is epoch seconds. `refused` goes into the answer of a
    submit_multi if other destinations were rejected. For a replace_sm, `message_id` is the
    message that gets the new time, and only the SMSC knows its destination.
    """

    at: float
    source: SmeAddress
    destinations: tuple[SmeAddress, ...]
    refused: tuple[UnsuccessSme, ...] = ()
    message_id: bytes = b""


@dataclass(slots=True)
class Care:
    """What only some messages have: several texts, other parts, many destinations.

    - `readings`: all texts to judge; None if the octets say enough.
    - `is_unreadable`: one of the texts could not be read.
    - `rivals`: set if a PDU has several texts and one of them is delivered: the readings of each.
      What a text must show, each of them must show.
    - `part`: what a part adds to its long messages; `places`: where it stands in them.
    - `joined`: the readings of the part beside other parts, a cache, since many subscribers may
      have the same other parts; `joined_characters`: their length in all.
    - `request`: a submit_multi, with its `addressees`. `rebuilt`: the same PDU without the
      destinations in `refused`. `reached`: the addresses that pass; `turned_away`: the
      addressees that do not.
    - `schedule`: set for a message to be delivered later.
    - `exchanged`: the place in which a replace_sm put its text, if it replaced a part;
      `is_unplaced`: too little is known about the part that it replaces.
    - `is_oversized`: all readings together have too many characters to be judged.
    - `weight`: the work of reading the message, in characters. A session's turn ends when its
      weight is used up.
    """

    readings: tuple[str, ...] | None = None
    is_unreadable: bool = False
    rivals: tuple[tuple[str, ...], ...] = ()
    part: Part | None = None
    places: tuple[PartPosition, ...] = ()
    joined: dict[object, tuple[str, ...]] = field(default_factory=dict)
    joined_characters: int = 0
    request: Pdu | None = None
    addressees: tuple[Addressee, ...] = ()
    rebuilt: bytes | None = None
    refused: tuple[UnsuccessSme, ...] = ()
    reached: tuple[bytes, ...] = ()
    turned_away: tuple[Addressee, ...] = ()
    schedule: Schedule | None = None
    exchanged: tuple[Joint, int] | None = None
    is_unplaced: bool = False
    is_oversized: bool = False
    weight: int = 0

    def characters(self) -> int:
        """Return how many characters are to be judged, in all readings together.

        A text with marks of direction counts three times, since it is judged in another order as
        well. So does a text with characters that have another reading, such as boxed letters. With
        both it counts nine times.
        """
        texts = (self.readings or (), *self.rivals)
        return sum(_work(text) for of in texts for text in of)

    @property
    def is_whole(self) -> bool:
        """Tell whether every part of the text has arrived."""
        return all(place.is_last for place in self.places)


class SubmitRequest(Submission):
    """One request of an SP on its way through the tick.

    `start` and `end` are its offsets in the chunk it came in. `octets` and `data_coding` are
    the text as sent, for the exact-text cache.
    """

    __slots__ = (
        "care",
        "command_id",
        "data_coding",
        "end",
        "octets",
        "registered",
        "sequence",
        "session",
        "start",
    )

    def __init__(
        self,
        session: Link,
        account: Account,
        place: tuple[int, int, int, int],
        addresses: tuple[bytes, bytes],
        text: tuple[int, bytes, int],
    ) -> None:
        """Take `place` as (command_id, sequence_number, start, end).

        `text` is (data_coding, octets, registered_delivery).
        """
        # Not super().__init__: two calls per message where one will do (0.2 us).
        self.account = account
        source, self.destination = addresses
        self.source = source
        self.units = 1
        origin = self.origin = account.origins.get(source) or account.origin_of(source)
        self.port = origin.port
        self.msisdn = None
        self.timing = None
        self.facts = None
        self.template = ""
        self.asks_consent = False
        self.traffic = _SERVICE
        self.classed = None
        self.findings = ()
        self.until = None
        self.deferral = None
        self.verdict = None
        self.session = session
        self.command_id, self.sequence, self.start, self.end = place
        self.data_coding, self.octets, self.registered = text
        self.care: Care | None = None


def _work(text: str) -> int:
    hints = hints_of(text)
    shaped = _SHAPED_WORK if hints & SHAPED else 1
    return len(text) * shaped * (_DIRECTED_WORK if hints & DIRECTED else 1)


@dataclass(frozen=True, slots=True)
class PartContext:
    """Which parts a request brings, beside another `context` that it may have."""

    places: tuple[PartPosition, ...]
    context: object


def context_of(message: SubmitRequest, care: Care) -> object:
    """Return what must be known when the answer to a request comes; None if nothing.

    These are its places in long messages, its schedule, and the destinations it was refused for.
    Only a commercial message's schedule is noted: a refusal stops nothing else (R22). A new time
    for a message (replace_sm) is noted without a check of its class: it only affects a noted
    message.
    """
    places = tuple(place for place in care.places if place.joint.total > 1)
    schedule = care.schedule
    context: object = care.refused or None
    if schedule is not None and schedule.message_id:
        context = schedule
    elif schedule is not None and _is_commercial(message, care):
        reached = frozenset(care.reached)
        there = tuple(
            each
            for each in schedule.destinations
            if not reached or with_plus(each.address, each.ton) in reached
        )
        context = replace(schedule, destinations=there, refused=care.refused)
    return PartContext(places, context) if places else context


def _is_commercial(message: SubmitRequest, care: Care) -> bool:
    copies = [each.message for each in care.addressees if each.message.verdict is None]
    return any(one.traffic is TrafficClass.COMMERCIAL for one in copies or (message,))


_KEPT = frozenset({Action.QUARANTINE, Action.DEFER})


def judge_each(
    rules: RuleSet, message: SubmitRequest, care: Care, texts: Sequence[TextFacts], at: float
) -> None:
    """Judge a text for every destination that passed: rules, words, counts.

    Rules are asked about each of `texts`; the last one holds all readings. The words are the
    same for all destinations, so a finding about words is a finding about the whole message.
    """
    left = [
        one
        for one in (each.message for each in care.addressees)
        if one.verdict is None and all(rules.judge_rules(one, facts, at) for facts in texts)
    ]
    if not left:
        return
    _gather(message, left)
    rules.judge_content(message, texts[-1])
    if message.verdict is None:
        for one in left:
            rules.settle(one, at)
            if one.verdict is not None and is_asking(one.verdict):
                # Consent is asked of one subscriber at a time (R23). Rejected copies do not count.
                rules.uncount(one, at)
        _gather(message, (one for one in left if one.verdict is None))


def narrow(message: SubmitRequest, care: Care) -> None:
    """Keep only the destinations that may get the message; if there are none, reject it.

    A destination that would be held or deferred is rejected: the answer has one message id for
    all destinations.
    """
    assert care.request is not None  # noqa: S101 - it has addressees, so it is a submit_multi
    for each in care.addressees:
        verdict = each.message.verdict
        if verdict is not None and verdict.action in _KEPT:
            each.message.verdict = replace(verdict, action=Action.REJECT)
    passed = [each for each in care.addressees if each.message.verdict is None]
    care.turned_away = tuple(each for each in care.addressees if each.message.verdict is not None)
    care.refused = tuple(
        refusal_of(message, each, each.message.verdict)
        for each in care.turned_away
        if each.message.verdict is not None
    )
    care.reached = tuple(each.message.destination for each in passed)
    care.places = tuple(place for each in passed for place in each.places)
    if not passed:
        message.verdict = care.turned_away[0].message.verdict
    elif care.turned_away:
        listed = tuple(each.destination for each in passed)
        fields = {**care.request.fields, "dest_address": listed}
        care.rebuilt = encode(replace(care.request, fields=fields))


def _gather(message: SubmitRequest, those: Iterable[Submission]) -> None:
    """Copy the findings of some copies to the message, each finding once."""
    found = (finding for one in those for finding in one.findings)
    message.findings = tuple(dict.fromkeys((*message.findings, *found)))


def refusal_of(message: SubmitRequest, each: Addressee, verdict: Verdict) -> UnsuccessSme:
    """Return what the answer says of a destination that is refused, or what a receipt is to say."""
    destination, status = each.destination, status_named(verdict.status)
    if isinstance(destination, DistributionList):
        return UnsuccessSme(0, 0, destination.name, status)
    sme = (destination.ton, destination.npi, destination.address, status)
    finding = verdict.deciding
    if finding is None or finding.reason not in message.account.sender.accept:
        return UnsuccessSme(*sme)
    addresses = (message.source, each.message.destination)
    return AcceptedSme(*sme, verdict, *addresses, receipt_asked=bool(message.registered & 0x03))


def split_accepted(
    refused: Iterable[object],
) -> tuple[tuple[AcceptedSme, ...], tuple[UnsuccessSme, ...]]:
    """Return the destinations that receipts tell of, and those that the answer tells of."""
    smes = [one for one in refused if isinstance(one, UnsuccessSme)]
    accepted = tuple(one for one in smes if isinstance(one, AcceptedSme))
    return accepted, tuple(one for one in smes if not isinstance(one, AcceptedSme))
