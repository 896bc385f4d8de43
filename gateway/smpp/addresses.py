"""Addresses as they stand in the lists of submit_multi and its answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SmeAddress:
    """One subscriber as a destination (SMPP 3.4, 4.5.1.1, dest_flag 1)."""

    ton: int
    npi: int
    address: bytes


@dataclass(frozen=True, slots=True)
class DistributionList:
    """A list that the SMSC keeps under a name (SMPP 3.4, 4.5.1.1, dest_flag 2).

    Only the SMSC knows its members, so their refusals cannot be looked up.
    """

    name: bytes


@dataclass(frozen=True, slots=True)
class UnsuccessSme:
    """A destination that was refused, and why (SMPP 3.4, 4.5.2.1)."""

    ton: int
    npi: int
    address: bytes
    status: int


Destination = SmeAddress | DistributionList
