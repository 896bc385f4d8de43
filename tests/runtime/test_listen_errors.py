import errno

import pytest

from gateway.runtime.acceptor import cannot_listen


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (
            errno.EADDRINUSE,
            "it is in use: stop what has it, or name another address in gateway.yaml",
        ),
        (errno.EACCES, "it needs more rights than this user has: name a port above 1023"),
        (errno.EADDRNOTAVAIL, "it is no address of this machine"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_a_port_that_cannot_be_had_says_what_to_do(number: int, reason: str) -> None:
    error = OSError(number, "Too many open files")

    told = cannot_listen(error, ("127.0.0.1", 2775), "(plain)")

    assert told.errno == number
    assert str(told.strerror).startswith(f"cannot listen on 127.0.0.1:2775 (plain): {reason}")
