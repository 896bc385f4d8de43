"""The history of policies, written as each comes into force."""

from collections.abc import Mapping

import structlog

from gateway.domain.policy_history import NewPolicyVersion
from gateway.policy.bundle import Bundle
from gateway.ports.errors import StoreUnavailable
from gateway.ports.policies import PolicyStore
from gateway.runtime.apart import apart
from gateway.runtime.clock import utcnow
from gateway.settings.archive import packed

log = structlog.get_logger()


class PolicyHistory:
    """Keeps who put which policy in force; what the store does not take stops no reload."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store

    async def keep(
        self, bundle: Bundle, files: Mapping[str, bytes], *, by: str, note: str = ""
    ) -> None:
        """Record `bundle` with its files, unless it is the newest on record already."""
        archive = await apart(packed, files) if files else b""
        version = NewPolicyVersion(bundle.digest, bundle.name, utcnow(), by, note, archive)
        try:
            await self._store.record(version)
        except StoreUnavailable as error:
            log.error("policy.history_failed", digest=bundle.digest, said=str(error))
