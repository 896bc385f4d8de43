"""Wishes to load the policies, where loading fails in a way that nobody foresaw."""

from datetime import UTC, datetime

from gateway.app.followers import Rounds
from gateway.app.policies import PolicyRequests
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.policy_history import PolicyRequest, ReloadRequestState

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


async def test_a_reload_that_fails_is_answered_and_not_asked_for_ever(stores: Stores) -> None:
    policies, asked = stores.policies, list[int]()

    async def reload(request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        asked.append(request.number)
        if len(asked) == 1:
            raise ValueError("nobody foresaw it")
        return "d" * 12, ()

    first = await policies.ask(PolicyRequest("lin", "", force=False, at=NOON))
    second = await policies.ask(PolicyRequest("wu", "", force=False, at=NOON))
    requests, rounds = PolicyRequests(policies, reload), Rounds()

    went_well = [await rounds.take("policy_requests", requests.meet) for _ in range(3)]

    failed, taken = await policies.request(first), await policies.request(second)
    assert asked == [first, second]
    assert went_well == [False, True, True]
    assert failed is not None
    assert (failed.state, "log tells why" in failed.said) == (ReloadRequestState.REFUSED, True)
    assert taken is not None
    assert taken.state is ReloadRequestState.TAKEN


async def test_what_waits_for_a_store_stays_open(stores: Stores) -> None:
    policies = stores.policies

    async def reload(_request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        raise StoreUnavailable("no answer in time")

    await policies.ask(PolicyRequest("lin", "", force=False, at=NOON))

    await PolicyRequests(policies, reload).meet()

    assert await policies.open_request() is not None
