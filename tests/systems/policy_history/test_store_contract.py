"""What gateway.systems.policy_history promises, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import pytest

from gateway.stores import Stores
from gateway.systems import policy_history
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    PolicyVersion,
    ReloadRequestState,
)

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., NewPolicyVersion]


@pytest.fixture
def version(noon: datetime) -> Builder:
    """Build a version; give what should be otherwise."""
    usual = NewPolicyVersion("0123456789ab", "cn", noon, "lin", "三条新词", b"packed")
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def wish(noon: datetime) -> PolicyRequest:
    return PolicyRequest("lin", "abridged on purpose", force=True, at=noon)


@pytest.fixture
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_history, "VERSIONS_KEPT", 3)
    monkeypatch.setattr(policy_history, "REQUESTS_KEPT", 3)


async def test_an_untouched_store_knows_no_version(stores: Stores) -> None:
    assert await stores.policies.versions() == []
    assert await stores.policies.version(1) is None
    assert await stores.policies.archive_of(1) == b""
    assert await stores.policies.open_request() is None
    assert await stores.policies.request(1) is None


async def test_a_version_comes_back_as_it_was_recorded(
    stores: Stores, version: Builder, noon: datetime
) -> None:
    number = await stores.policies.record(version())

    expected = PolicyVersion(1, "0123456789ab", "cn", noon, "lin", "三条新词", 6)
    assert number == 1
    assert await stores.policies.version(1) == expected
    assert await stores.policies.versions() == [expected]
    assert await stores.policies.archive_of(1) == b"packed"


async def test_a_version_of_which_no_files_are_kept_says_so(
    stores: Stores, version: Builder
) -> None:
    await stores.policies.record(version(archive=b""))

    (found,) = await stores.policies.versions()
    assert found.archive_octets == 0
    assert await stores.policies.archive_of(1) == b""


async def test_the_same_policy_twice_in_a_row_is_one_version(
    stores: Stores, version: Builder
) -> None:
    await stores.policies.record(version(digest="a"))

    assert await stores.policies.record(version(digest="a", by="signal")) is None
    assert await stores.policies.record(version(digest="b")) == 2
    assert await stores.policies.record(version(digest="a")) == 3


async def test_versions_are_told_the_newest_first(stores: Stores, version: Builder) -> None:
    for digest in "abc":
        await stores.policies.record(version(digest=digest))

    newest = await stores.policies.versions(limit=2)

    assert [one.digest for one in newest] == ["c", "b"]


@pytest.mark.usefixtures("few_are_kept")
async def test_old_versions_are_forgotten_and_their_numbers_not_given_again(
    stores: Stores, version: Builder
) -> None:
    for digest in "abcde":
        await stores.policies.record(version(digest=digest))

    assert [one.number for one in await stores.policies.versions()] == [5, 4, 3]


async def test_a_wish_is_open_until_it_is_answered(stores: Stores, wish: PolicyRequest) -> None:
    number = await stores.policies.ask(wish)
    asked = replace(wish, number=1)
    assert await stores.policies.open_request() == asked

    assert await stores.policies.answer(number, ReloadRequestState.TAKEN, "0123456789ab")

    assert await stores.policies.open_request() is None
    assert await stores.policies.request(number) == replace(
        asked, state=ReloadRequestState.TAKEN, said="0123456789ab"
    )


async def test_a_wish_is_answered_once(stores: Stores, wish: PolicyRequest) -> None:
    number = await stores.policies.ask(wish)
    await stores.policies.answer(number, ReloadRequestState.TAKEN, "0123456789ab")

    assert not await stores.policies.answer(number, ReloadRequestState.REFUSED, "a fault")
    assert not await stores.policies.answer(number + 1, ReloadRequestState.REFUSED, "a fault")

    found = await stores.policies.request(number)
    assert found is not None
    assert found.state is ReloadRequestState.TAKEN


async def test_wishes_are_met_in_the_order_they_came(stores: Stores, wish: PolicyRequest) -> None:
    first, second = [await stores.policies.ask(wish) for _ in range(2)]
    assert first < second

    opened = await stores.policies.open_request()
    await stores.policies.answer(first, ReloadRequestState.REFUSED, "a fault")
    next_opened = await stores.policies.open_request()

    assert opened is not None
    assert next_opened is not None
    assert (opened.number, next_opened.number) == (first, second)


@pytest.mark.usefixtures("few_are_kept")
async def test_old_wishes_are_forgotten(stores: Stores, wish: PolicyRequest) -> None:
    for _ in range(5):
        await stores.policies.ask(wish)

    opened = await stores.policies.open_request()
    assert opened is not None
    assert opened.number == 3
