"""What is said when a port cannot be had."""

import errno

_ADVICE = {
    errno.EADDRINUSE: "is in use: stop what has it, or name another address in {file}",
    errno.EADDRNOTAVAIL: "is no address of this machine: name one of its own in {file}",
    errno.EACCES: "needs more rights than this user has: name a port above 1023 in {file}",
}


def cannot_listen(
    error: OSError, address: tuple[str, int], whom: str, file: str = "gateway.yaml"
) -> OSError:
    """Return an error that names the address, whom it is for, and what to do about it."""
    advice = _ADVICE.get(error.errno or 0)
    reason = f"it {advice.format(file=file)}" if advice else error.strerror
    return OSError(error.errno, f"cannot listen on {address[0]}:{address[1]} {whom}: {reason}")
