"""What the errors say, and what they keep to themselves."""

from gateway.smpp.status import CommandStatus, DecodeError, EncodeError, SmppError


def test_a_decode_error_names_the_field_and_the_answer_it_earned() -> None:
    error = DecodeError("not terminated", field="source_addr", status=CommandStatus.ESME_RINVSRCADR)

    assert error.field == "source_addr"
    assert error.status is CommandStatus.ESME_RINVSRCADR
    assert str(error) == "source_addr: not terminated"


def test_the_peers_fault_and_ours_have_one_root() -> None:
    assert issubclass(DecodeError, SmppError)
    assert issubclass(EncodeError, SmppError)
    assert not issubclass(EncodeError, DecodeError)
