"""What one tick brings forth."""

from gateway.dataplane.attention import Attention
from gateway.dataplane.link import Link
from gateway.dataplane.prohibited_message import ProhibitedMessage
from gateway.domain.records import Row
from gateway.smpp.answers import header_only


class Batch:
    """Octets to write, a list per link; exceptions to attend to; rows to record.

    Join a link's octets into one write, after the whole tick. `freed` are links with requests
    that can go on in the next turn, as there is room again or as this turn was used up: pass them
    on with no new octets, SPs to `submit`, SMSCs to `resp`. `prohibited` is what was refused and is
    to be reported; what is held bears its own.
    """

    __slots__ = ("attention", "freed", "prohibited", "rows", "writes")

    def __init__(self) -> None:
        self.writes: dict[Link, list[bytes | bytearray]] = {}
        self.attention: list[Attention] = []
        self.freed: set[Link] = set()
        self.rows: list[Row] = []
        self.prohibited: list[ProhibitedMessage] = []

    def write(self, link: Link, octets: bytes | bytearray) -> None:
        """Add octets for `link`, behind what it already gets."""
        writes = self.writes.get(link)
        if writes is None:
            self.writes[link] = [octets]
        else:
            writes.append(octets)

    def refuse(self, link: Link, response_id: int, status: int, sequence: int) -> None:
        """Answer a request of `link` with a status and no body."""
        self.write(link, header_only(response_id, status, sequence))
