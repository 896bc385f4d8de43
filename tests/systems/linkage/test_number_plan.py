"""The number plan names the carrier of a sender, and which member must act on it (R84)."""

import pytest

from gateway.domain.linkage import Member, MemberRegistry, MemberRole, NumberRoute
from gateway.systems.linkage.number_plan import MemberFinder, owner_of, shipped_plan
from tests.systems.linkage.conftest import Node


def member(name: str, carrier: str, province: str, role: MemberRole = MemberRole.NODE) -> Member:
    return Member(name, carrier, province, role, "https://x.example/", ())


MEMBERS = (
    member("unicom-gd", "中国联通", "广东"),
    member("unicom-fj", "Unicom", "福建"),
    member("telecom-fj", "telecom", "福建"),
    member("cmcc-gd", "cmcc", "广东"),
    member("cmcc-bj", "中国移动", "北京"),
    member("broadnet-hub", "中国广电", "全国", MemberRole.HUB),
)


@pytest.mark.parametrize(
    ("sender", "carrier"),
    [
        ("106575550001", "cmcc"),
        ("10655012345", "unicom"),
        ("1065902", "telecom"),
        ("10086", "cmcc"),
        ("13300001111", "telecom"),
        ("13490001111", "telecom"),
        ("13400001111", "cmcc"),
        ("19200001111", "broadnet"),
        ("17090001111", "unicom"),
        ("1069000112", ""),
        ("106", ""),
        ("", ""),
        ("AX-HDFCBK", ""),
    ],
)
def test_r84_the_longest_prefix_names_the_carrier(sender: str, carrier: str) -> None:
    assert shipped_plan().carrier_of(sender) == carrier


@pytest.mark.parametrize(
    ("sender", "own", "name"),
    [
        ("10655012345", "cmcc-gd", "unicom-gd"),
        ("8610655012345", "cmcc-gd", "unicom-gd"),
        ("10655012345", "telecom-fj", "unicom-fj"),
        ("10655012345", "cmcc-bj", None),
        ("10659012345", "cmcc-bj", "telecom-fj"),
        ("1069000112", "cmcc-gd", None),
        ("10099", "cmcc-gd", None),
        ("10657012345", "cmcc-gd", "cmcc-gd"),
    ],
)
def test_r84_the_member_is_the_only_one_of_the_carrier_or_that_of_our_province(
    sender: str, own: str, name: str | None
) -> None:
    found = MemberFinder(MemberRegistry(own, MEMBERS)).of_sender(sender)

    assert (found and found.name) == name


def test_r84_the_longest_route_goes_before_the_plan() -> None:
    routes = [NumberRoute("106550", "telecom-fj"), NumberRoute("1065501", "cmcc-bj")]
    finder = MemberFinder(MemberRegistry("cmcc-gd", MEMBERS), routes)

    found = [finder.of_sender(one) for one in ("10655012", "+8610655002", "10655111")]

    assert [one and one.name for one in found] == ["cmcc-bj", "telecom-fj", "unicom-gd"]


def test_r84_who_has_a_number_is_said_by_the_longest_route_and_else_by_the_plan() -> None:
    routes = {"10655": "a", "106550": "b"}
    senders = ["10655012", "+8610655112", "8610657001", "13900139000", "1069000112", "Bank"]

    assert [owner_of(one, routes) for one in senders] == ["b", "a", "cmcc", "cmcc", "", ""]


@pytest.mark.parametrize(
    ("carrier", "province", "name"),
    [
        ("联通", "福建", "unicom-fj"),
        ("unicom", "", "unicom-gd"),
        ("cmcc", "北京", "cmcc-bj"),
        ("cmcc", "西藏", None),
        ("broadnet", "全国", None),
        ("other", "", None),
    ],
)
def test_a_carrier_is_found_by_any_of_its_names(
    carrier: str, province: str, name: str | None
) -> None:
    found = MemberFinder(MemberRegistry("cmcc-gd", MEMBERS)).of_organisation(carrier, province)

    assert (found and found.name) == name


def test_a_carrier_that_the_plan_does_not_name_is_found_by_its_own_name() -> None:
    registry = MemberRegistry("a", (Node("a").member, Node("b").member))

    found = MemberFinder(registry).of_organisation("b", "广东")

    assert found is registry.find("b")
