"""The two fields that are lists: submit_multi's destinations and its answer's refusals."""

from dataclasses import dataclass

from gateway.smpp.addresses import Destination, DistributionList, SmeAddress, UnsuccessSme
from gateway.smpp.errors import DecodeError, EncodeError
from gateway.smpp.fields import COctetString, FieldValue, Integer
from gateway.smpp.status import CommandStatus

_SME_FLAG = 1
_LIST_FLAG = 2
_MAX_ENTRIES = 255

_TON = Integer("dest_addr_ton", 1, CommandStatus.ESME_RINVDSTTON)
_NPI = Integer("dest_addr_npi", 1, CommandStatus.ESME_RINVDSTNPI)
_ADDRESS = COctetString("destination_addr", 21, CommandStatus.ESME_RINVDSTADR)
_LIST_NAME = COctetString("dl_name", 21, CommandStatus.ESME_RINVDLNAME)
_FLAG = Integer("dest_flag", 1, CommandStatus.ESME_RINVDESTFLAG)
_STATUS = Integer("error_status_code", 4, CommandStatus.ESME_RINVCMDLEN)
_COUNT = Integer("number_of_dests", 1, CommandStatus.ESME_RINVNUMDESTS)


@dataclass(frozen=True, slots=True)
class Destinations:
    """number_of_dests and dest_address(es) of submit_multi (SMPP 3.4, 4.5.1)."""

    name: str
    default: tuple[Destination, ...] = ()

    def read(self, body: bytes, at: int, end: int) -> tuple[tuple[Destination, ...], int]:
        """Return every destination in order. None at all is the peer's fault."""
        count, at = _COUNT.read(body, at, end)
        if count == 0:
            raise DecodeError("none", field=_COUNT.name, status=_COUNT.fault)
        destinations: list[Destination] = []
        for _ in range(count):
            destination, at = _read_destination(body, at, end)
            destinations.append(destination)
        return tuple(destinations), at

    def write(self, value: FieldValue) -> bytes:
        """Return the count and every destination."""
        if not isinstance(value, tuple) or len(value) > _MAX_ENTRIES:
            raise EncodeError(f"{self.name}: no list of at most {_MAX_ENTRIES}")
        return _COUNT.write(len(value)) + b"".join(map(_write_destination, value))


@dataclass(frozen=True, slots=True)
class FailedDestinations:
    """no_unsuccess and unsuccess_sme(s) of submit_multi_resp (SMPP 3.4, 4.5.2)."""

    name: str
    default: tuple[UnsuccessSme, ...] = ()

    def read(self, body: bytes, at: int, end: int) -> tuple[tuple[UnsuccessSme, ...], int]:
        """Return every refused destination in order."""
        count, at = _COUNT.read(body, at, end)
        refusals: list[UnsuccessSme] = []
        for _ in range(count):
            sme, at = _read_sme(body, at, end)
            status, at = _STATUS.read(body, at, end)
            refusals.append(UnsuccessSme(sme.ton, sme.npi, sme.address, status))
        return tuple(refusals), at

    def write(self, value: FieldValue) -> bytes:
        """Return the count and every refused destination."""
        if not isinstance(value, tuple) or len(value) > _MAX_ENTRIES:
            raise EncodeError(f"{self.name}: no list of at most {_MAX_ENTRIES}")
        return _COUNT.write(len(value)) + b"".join(map(_write_refusal, value))


def _read_destination(body: bytes, at: int, end: int) -> tuple[Destination, int]:
    flag, at = _FLAG.read(body, at, end)
    if flag == _SME_FLAG:
        return _read_sme(body, at, end)
    if flag == _LIST_FLAG:
        name, at = _LIST_NAME.read(body, at, end)
        return DistributionList(name), at
    raise DecodeError(f"{flag} is neither 1 nor 2", field=_FLAG.name, status=_FLAG.fault)


def _read_sme(body: bytes, at: int, end: int) -> tuple[SmeAddress, int]:
    ton, at = _TON.read(body, at, end)
    npi, at = _NPI.read(body, at, end)
    address, at = _ADDRESS.read(body, at, end)
    return SmeAddress(ton, npi, address), at


def _write_destination(destination: Destination | UnsuccessSme) -> bytes:
    if isinstance(destination, SmeAddress):
        return _FLAG.write(_SME_FLAG) + _write_sme(destination)
    if isinstance(destination, DistributionList):
        return _FLAG.write(_LIST_FLAG) + _LIST_NAME.write(destination.name)
    raise EncodeError("dest_address: a refusal is no destination")


def _write_refusal(refusal: Destination | UnsuccessSme) -> bytes:
    if not isinstance(refusal, UnsuccessSme):
        raise EncodeError("unsuccess_sme: a destination is no refusal")
    return _write_sme(refusal) + _STATUS.write(refusal.status)


def _write_sme(sme: SmeAddress | UnsuccessSme) -> bytes:
    return _TON.write(sme.ton) + _NPI.write(sme.npi) + _ADDRESS.write(sme.address)
