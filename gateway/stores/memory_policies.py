"""The in-memory twin of the store of policy versions (contract: gateway.ports.policies)."""

from dataclasses import fields, replace

from gateway.domain.policy_history import (
    NewPolicyRequest,
    NewPolicyVersion,
    PolicyRequest,
    PolicyVersion,
    ReloadRequestState,
)
from gateway.ports.policies import REQUESTS_KEPT, VERSIONS_KEPT


class MemoryPolicies:
    """Twin of the policy store: each call is atomic as it is, for none awaits anything."""

    def __init__(self) -> None:
        self._versions: dict[int, NewPolicyVersion] = {}
        self._last_version = 0
        self._requests: dict[int, PolicyRequest] = {}
        self._last_request = 0

    async def record(self, version: NewPolicyVersion) -> int | None:
        newest = self._versions.get(self._last_version)
        if newest is not None and newest.digest == version.digest:
            return None
        self._last_version += 1
        self._versions[self._last_version] = version
        self._versions.pop(self._last_version - VERSIONS_KEPT, None)
        return self._last_version

    async def versions(self, limit: int = 50) -> list[PolicyVersion]:
        newest_first = sorted(self._versions.items(), reverse=True)[:limit]
        return [_on_record(number, version) for number, version in newest_first]

    async def version(self, number: int) -> PolicyVersion | None:
        found = self._versions.get(number)
        return None if found is None else _on_record(number, found)

    async def archive_of(self, number: int) -> bytes:
        found = self._versions.get(number)
        return b"" if found is None else found.archive

    async def ask(self, request: NewPolicyRequest) -> int:
        self._last_request += 1
        number = self._last_request
        given = {field.name: getattr(request, field.name) for field in fields(request)}
        self._requests[number] = PolicyRequest(number, **given)
        self._requests.pop(number - REQUESTS_KEPT, None)
        return number

    async def open_request(self) -> PolicyRequest | None:
        still_open = (
            one for one in self._requests.values() if one.state is ReloadRequestState.OPEN
        )
        return next(still_open, None)

    async def answer(self, number: int, state: ReloadRequestState, said: str) -> bool:
        asked = self._requests.get(number)
        if asked is None or asked.state is not ReloadRequestState.OPEN:
            return False
        self._requests[number] = replace(asked, state=state, said=said)
        return True

    async def request(self, number: int) -> PolicyRequest | None:
        return self._requests.get(number)


def _on_record(number: int, version: NewPolicyVersion) -> PolicyVersion:
    return PolicyVersion(
        number,
        version.digest,
        version.name,
        version.at,
        version.by,
        version.note,
        len(version.archive),
    )
