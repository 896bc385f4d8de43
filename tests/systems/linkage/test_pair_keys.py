"""Two members have one secret, which nobody else has, and it follows their keys."""

from datetime import timedelta

import pytest

from gateway.domain.linkage import MemberRegistry
from gateway.systems.linkage.pair_keys import PairKey, PairKeys
from tests.systems.linkage.conftest import NOW, Node

DAY = timedelta(days=1)


@pytest.fixture
def trio() -> dict[str, Node]:
    found = {name: Node(name) for name in "abc"}
    for one in found.values():
        one.agree()
    return found


def keys_of(nodes: dict[str, Node], name: str) -> PairKeys:
    members = tuple(one.member for one in nodes.values())
    return PairKeys(MemberRegistry(name, members), nodes[name].agreements)


def in_use(nodes: dict[str, Node], name: str, other: str) -> PairKey | None:
    return keys_of(nodes, name).in_use(nodes[other].member, NOW)


def test_two_members_have_the_same_secret_and_no_third_has_it(trio: dict[str, Node]) -> None:
    to_b = in_use(trio, "a", "b")
    assert to_b is not None

    assert to_b.kids == ("a-a", "b-a")
    assert keys_of(trio, "b").of_event(trio["a"].member, to_b.kids, NOW) == to_b.secret
    others = [in_use(trio, one, other) for one, other in ("ac", "bc", "ca", "cb")]
    assert to_b.secret not in [one and one.secret for one in others]
    assert keys_of(trio, "c").of_event(trio["a"].member, to_b.kids, NOW) is None


def test_the_newest_valid_key_of_each_is_used_and_an_older_hash_is_still_compared(
    trio: dict[str, Node],
) -> None:
    before = in_use(trio, "a", "b")
    trio["b"].agree("b-new", not_before=NOW - DAY)
    trio["a"].agree("a-later", not_before=NOW + DAY)

    after = in_use(trio, "a", "b")

    assert before is not None
    assert after is not None
    assert after.kids == ("a-a", "b-new")
    assert after.secret != before.secret
    keys, a = keys_of(trio, "b"), trio["a"].member
    assert keys.of_event(a, before.kids, NOW) == before.secret
    assert keys.of_event(a, after.kids, NOW) == after.secret


@pytest.mark.parametrize(
    "change", [{"not_after": NOW}, {"revoked": NOW}, {"not_before": NOW + DAY}]
)
@pytest.mark.parametrize("name", ["a", "b"])
def test_no_number_is_hashed_with_a_key_that_is_not_valid(
    name: str, change: dict[str, object]
) -> None:
    nodes = {one: Node(one) for one in "ab"}
    for one in nodes.values():
        one.agree(f"{one.name}-a", **(change if one.name == name else {}))

    assert in_use(nodes, "a", "b") is None


def test_a_hash_of_an_expired_key_is_compared_and_one_of_a_revoked_key_is_not(
    trio: dict[str, Node],
) -> None:
    a, keys = trio["a"], keys_of(trio, "b")
    a.agree("old", not_after=NOW - DAY)
    a.agree("stolen", revoked=NOW)

    assert keys.of_event(a.member, ("old", "b-a"), NOW) is not None
    assert keys.of_event(a.member, ("stolen", "b-a"), NOW) is None
    assert keys.of_event(a.member, ("a-a", "other"), NOW) is None


def test_a_member_without_its_private_key_or_with_a_weak_public_one_has_no_secret(
    trio: dict[str, Node],
) -> None:
    members = tuple(one.member for one in trio.values())
    assert PairKeys(MemberRegistry("a", members)).in_use(trio["b"].member, NOW) is None

    trio["b"].agree("weak", not_before=NOW, public=bytes(32))

    assert in_use(trio, "a", "b") is None
