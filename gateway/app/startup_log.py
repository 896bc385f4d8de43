"""The first log lines of a process: where its files are, and which secrets are exposed."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from gateway.domain.sender import Sender
from gateway.settings.credentials import is_samples_own
from gateway.settings.senders import are_secrets_readable

log = structlog.get_logger()

_SHOWN = 20


def tell_directories(config: Path, policies: Path, *, are_shipped: bool) -> None:
    """Log which directories are read; as a warning if the policies are the shipped ones."""
    places = {"config": str(config.absolute()), "policies": str(policies.absolute())}
    if are_shipped:
        log.warning("directories.chosen", **places, shipped="policies", own_with="--policies DIR")
    else:
        log.info("directories.chosen", **places)


def tell_readable_secrets(path: Path, senders: Iterable[Sender]) -> None:
    """Log that every account of this machine can read passwords or keys of SPs."""
    with suppress(OSError):  # it was read a moment ago and may be gone or replaced now
        if are_secrets_readable(path, senders):
            log.warning("senders.readable", path=str(path), do="chmod 640")


def tell_known_passwords(senders: Iterable[Sender]) -> None:
    """Log the SPs that still have a password of the shipped sample: anybody can bind as them."""
    known = sorted(one.system_id for one in senders if is_samples_own(one.password))
    if known:
        log.warning("senders.exposed", senders=known[:_SHOWN], count=len(known))
