"""The audit of the demo: what SPs were told, against what the SMSC and the store hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.ports.quarantine import QuarantineStore
from gateway.systems.quarantine.ids import is_message_id
from simulators.smsc import Received

_HEADER_OCTETS = 16
_PAGE = 500

# Who submitted, and the message_id that the answer bore.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Audit:
    """How the books stand. All but the first two should be 0."""

    at_smsc: int
    in_quarantine: int
    missing: int  # accepted, and neither at the SMSC nor in quarantine
    unasked: int  # at the SMSC or in quarantine, and no SP was told so
    altered: int  # other octets than the SP sent
    doubled: int  # under one message_id more than once

    @property
    def is_balanced(self) -> bool:
        """Tell whether nothing was lost, invented, changed or doubled."""
        return not (self.missing or self.unasked or self.altered or self.doubled)


class Ledger:
    """Enters promises and deliveries, and strikes out what agrees: it stays small for hours."""

    def __init__(self, store: QuarantineStore, system_ids: Iterable[str]) -> None:
        self._store = store
        self._system_ids = frozenset(system_ids)
        self._promised: dict[Key, bytes | None] = {}
        self._delivered: dict[Key, bytes] = {}
        self._at_smsc = 0
        self._in_quarantine = 0
        self._altered = 0
        self._doubled = 0

    def promise(self, system_id: str, message_id: str, pdu: bytes | None) -> None:
        """Enter an ESME_ROK that an SP got; `pdu` is what it sent, where that is known."""
        key = (system_id, message_id)
        self._doubled += key in self._promised
        self._promised[key] = pdu and pdu[_HEADER_OCTETS:]

    def deliver(self, received: Iterable[Received]) -> None:
        """Enter what the SMSC accepted. What is not of the demo's own SPs is left out."""
        for message in received:
            if not message.command_status and message.system_id in self._system_ids:
                key = (message.system_id, message.message_id)
                self._doubled += key in self._delivered
                self._delivered[key] = message.pdu[_HEADER_OCTETS:]

    async def strike_out(self) -> None:
        """Strike out the promises that are kept. Raises StoreUnavailable."""
        for key in self._promised.keys() & self._delivered.keys():
            self._compare(self._promised.pop(key), self._delivered.pop(key))
            self._at_smsc += 1
        for key in [key for key in self._promised if is_message_id(key[1])]:
            held = await self._store.get(int(key[1]))
            if held is not None and held.system_id == key[0]:
                self._compare(self._promised.pop(key), held.pdu[_HEADER_OCTETS:])
                self._in_quarantine += 1

    async def audit(self) -> Audit:
        """Strike out what is left, count what cannot be, and return how the books stand."""
        await self.strike_out()
        held = 0
        for system_id in self._system_ids:
            held += await self._count_held(system_id)
        return Audit(
            at_smsc=self._at_smsc,
            in_quarantine=self._in_quarantine,
            missing=len(self._promised),
            unasked=len(self._delivered) + held - self._in_quarantine,
            altered=self._altered,
            doubled=self._doubled,
        )

    async def _count_held(self, system_id: str) -> int:
        """Count an SP's messages in the store; those released were asked for by a person."""
        count, before_id = 0, None
        while page := await self._store.find(system_id=system_id, before_id=before_id, limit=_PAGE):
            for held in page:
                self._strike_out_released(held)
            count += len(page)
            before_id = page[-1].message_id
        return count

    def _strike_out_released(self, held: HeldMessage) -> None:
        if held.state is HoldState.RELEASED:
            octets = self._delivered.pop((held.system_id, held.smsc_message_id), None)
            self._compare(octets, held.pdu[_HEADER_OCTETS:])

    def _compare(self, one: bytes | None, other: bytes) -> None:
        self._altered += one is not None and one != other
