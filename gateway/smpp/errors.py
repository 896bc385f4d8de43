"""What can go wrong between octets and values."""

from gateway.smpp.status import CommandStatus


class SmppError(Exception):
    """The root of this package's errors."""


class DecodeError(SmppError):
    """The peer's octets are not what the spec lays down; `status` is the answer it earned.

    The text names the field and the fault, never the octets: they may hold a message or a
    subscriber number.
    """

    def __init__(self, problem: str, *, field: str, status: CommandStatus) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.status = status


class EncodeError(SmppError):
    """A value of ours does not fit its place on the wire."""
