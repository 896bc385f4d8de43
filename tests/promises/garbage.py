"""PDUs that nobody should send: made from a seed, so that a run can be repeated."""

import random
from collections.abc import Callable

from simulators import builders, wire
from simulators.wire import RESPONSE, CommandId, Tag, pdu

# In every text that an unbound connection sends: it must never be seen at the SMSC.
UNBOUND_MARK = b"never bound"

_REQUESTS = tuple(one for one in CommandId if one not in {CommandId.UNBIND, CommandId.GENERIC_NACK})
_UNBINDS = frozenset({int(CommandId.UNBIND), int(CommandId.UNBIND) | RESPONSE})
_BINDS = frozenset(
    map(int, (CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER))
)
_LAST_SEQUENCE = 1 << 30
_TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(189))
_HTTP = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST /api HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"EHLO example.org\r\n",
)


class Garbage:
    """Makes PDUs for one connection, which is bound or is not.

    `source` is a port of the SP that the connection is for.
    """

    def __init__(self, draw: random.Random, source: str, *, is_bound: bool) -> None:
        self._draw = draw
        self._source = source
        self._mark = b"from a bound session" if is_bound else UNBOUND_MARK
        # Either ends the connection, and what follows would not be read.
        self._ends = _UNBINDS if is_bound else _UNBINDS | _BINDS
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._random_body,
            self._random_command,
            self._bent,
            self._bent,
            self._truncated,
            self._overlong,
            self._lying_sm_length,
            self._bad_tlv,
            self._bad_header,
            self._unterminated,
            self._stray_answer,
            self._wrong_direction,
            self._wrong_count,
        )

    def framed(self) -> bytes:
        """Return a PDU that may lie about anything but its command_length, and ends nothing."""
        while True:
            octets = self._draw.choice(self._kinds)()
            if wire.header_of(octets).command_id not in self._ends:
                return octets

    def last_words(self) -> bytes:
        """Return octets after which a connection is of no use: framing is lost, or a bad bind."""
        draw = self._draw
        match draw.randrange(5):
            case 0:
                return draw.choice(_HTTP)
            case 1:
                return _TLS_HELLO
            case 2:
                length = draw.choice((0, 1, 4, 15, 70_001, 0x7FFF_FFFF, 0xFFFF_FFFF))
                return length.to_bytes(4, "big") + draw.randbytes(draw.randint(0, 40))
            case 3:
                return b"\xff" + draw.randbytes(draw.randint(3, 200))
            case _:
                return b"\0\0\0\2\0"  # it aborted an SMSC

    def bad_bind(self) -> bytes:
        """Return a bind that must be refused."""
        draw = self._draw
        bind = builders.bind("sp3", "wrong", kind=draw.choice(("tx", "rx", "trx")))
        match draw.randrange(3):
            case 0:
                return bind
            case 1:
                return _with_body(bind, bind[16 : draw.randint(17, len(bind) - 1)])
            case _:
                return _with_body(bind, draw.randbytes(draw.randint(0, 60)))

    def _sequence(self) -> int:
        return self._draw.randrange(_LAST_SEQUENCE)

    def _submit(self) -> bytes:
        draw = self._draw
        octets = self._mark + draw.randbytes(draw.randint(0, 100))
        destination = f"138{draw.randrange(10**8):08}"
        coding, sequence = draw.choice((0, 3, 4, 8, 15, draw.randrange(256))), self._sequence()
        make = draw.choice((builders.submit_sm, builders.data_sm, builders.payload_submit_sm))
        return make(self._source, destination, octets, data_coding=coding, sequence=sequence)

    def _random_body(self) -> bytes:
        draw = self._draw
        return pdu(draw.choice(_REQUESTS), self._sequence(), draw.randbytes(draw.randint(0, 300)))

    def _random_command(self) -> bytes:
        draw = self._draw
        status = draw.getrandbits(32)
        body = draw.randbytes(draw.randint(0, 60))
        return pdu(draw.getrandbits(32), self._sequence(), body, command_status=status)

    def _bent(self) -> bytes:
        """Change a few octets of a good PDU, anywhere behind its command_id."""
        octets = bytearray(self._submit())
        for _ in range(self._draw.randint(1, 8)):
            octets[self._draw.randrange(16, len(octets))] = self._draw.randrange(256)
        return bytes(octets)

    def _truncated(self) -> bytes:
        octets = self._submit()
        return _with_body(octets, octets[16 : self._draw.randrange(16, len(octets))])

    def _overlong(self) -> bytes:
        octets = self._submit()
        return _with_body(octets, octets[16:] + self._draw.randbytes(self._draw.randint(1, 40)))

    def _lying_sm_length(self) -> bytes:
        octets = bytearray(builders.submit_sm(self._source, "13800138000", self._mark))
        octets[-len(self._mark) - 1] = self._draw.randrange(256)
        return bytes(octets)

    def _bad_tlv(self) -> bytes:
        draw = self._draw
        octets = builders.submit_sm(self._source, "13800138000", self._mark)
        tag = draw.choice((*Tag, draw.randrange(1 << 16)))
        head = tag.to_bytes(2, "big") + draw.randrange(1 << 16).to_bytes(2, "big")
        return _with_body(octets, octets[16:] + head[: draw.randint(1, 4)] + draw.randbytes(3))

    def _bad_header(self) -> bytes:
        """Announce a user data header that is none, or one that makes no sense."""
        draw = self._draw
        header = draw.randbytes(draw.randint(0, 8))
        return builders.submit_sm(
            self._source,
            "13800138000",
            header + self._mark * draw.randint(0, 1),
            esm_class=builders.UDH_INDICATOR,
            sequence=self._sequence(),
        )

    def _unterminated(self) -> bytes:
        draw = self._draw
        body = bytes(draw.randrange(1, 256) for _ in range(draw.randint(1, 400)))
        return pdu(draw.choice(_REQUESTS), self._sequence(), body)

    def _stray_answer(self) -> bytes:
        draw = self._draw
        command_id = draw.choice(_REQUESTS) | RESPONSE
        body = draw.randbytes(draw.randint(0, 80))
        return pdu(command_id, self._sequence(), body, command_status=draw.choice((0, 8, 0x45)))

    def _wrong_direction(self) -> bytes:
        draw = self._draw
        match draw.randrange(3):
            case 0:
                return builders.deliver_sm(
                    "13800138000", self._source, self._mark, sequence=self._sequence()
                )
            case 1:
                return builders.alert_notification("13800138000", self._source)
            case _:
                return pdu(CommandId.OUTBIND, self._sequence(), b"smsc\0secret\0")

    def _wrong_count(self) -> bytes:
        """Announce other destinations than a submit_multi has."""
        octets = bytearray(
            builders.submit_multi(self._source, ["13800138000"], self._mark, sequence=1)
        )
        octets[16 + 1 + 2 + len(self._source) + 1] = self._draw.choice((0, 2, 200, 255))
        return bytes(octets)


def _with_body(octets: bytes, body: bytes) -> bytes:
    header = wire.header_of(octets)
    return pdu(header.command_id, header.sequence_number, body)
