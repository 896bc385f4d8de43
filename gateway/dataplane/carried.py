"""A message together with the PDU that carries it."""

from dataclasses import dataclass

from gateway.dataplane.link import Link
from gateway.dataplane.parts import Joint, Part
from gateway.policy.account import Account
from gateway.policy.submission import Submission
from gateway.smpp.addresses import UnsuccessSme


@dataclass(slots=True)
class Care:
    """What only some messages have: several texts, other parts, many destinations.

    `readings` are all texts to judge, None when the octets say enough; `is_unreadable` that
    one of them could not be read. `part` is what it adds to its long messages, `joints`, if
    it is a part. `rebuilt` is a submit_multi without the destinations in
    `refused`; `reached` and `turned_away` are its destinations one by one.
    """

    readings: tuple[str, ...] | None = None
    is_unreadable: bool = False
    part: Part | None = None
    joints: tuple[Joint, ...] = ()
    rebuilt: bytes | None = None
    refused: tuple[UnsuccessSme, ...] = ()
    reached: tuple[bytes, ...] = ()
    turned_away: tuple[Submission, ...] = ()


class Carried(Submission):
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
        self.source, self.destination = addresses
        self.units = 1
        self.port = None
        self.msisdn = None
        self.findings = ()
        self.verdict = None
        self.session = session
        self.command_id, self.sequence, self.start, self.end = place
        self.data_coding, self.octets, self.registered = text
        self.care: Care | None = None
