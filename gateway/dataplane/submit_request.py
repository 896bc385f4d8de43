"""A message together with the PDU that carries it."""

from dataclasses import dataclass, field

from gateway.dataplane.link import Link
from gateway.dataplane.parts import Joint, Part
from gateway.domain.traffic import TrafficClass
from gateway.filter.shapes import DIRECTED, SHAPED, hints_of
from gateway.policy.account import Account
from gateway.policy.submission import Submission
from gateway.smpp.addresses import SmeAddress, UnsuccessSme
from gateway.smpp.pdu import Destination, Pdu

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
class Schedule:
    """What the SMSC is to deliver later, and to whom: a refusal must still stop it (R21).

    It is the errand of its request. `at` is epoch seconds. `refused` goes into the answer of a
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
