"""What both sides share."""

from dataclasses import replace

from gateway.domain.policy import ContentRule
from tests.dataplane.conftest import BUNDLE, World, long_advert


def test_a_reload_changes_how_long_parts_are_remembered_from_now_on(world: World) -> None:
    assert world.plane.parts.ttl_s == 60

    world.reload(replace(BUNDLE, content=ContentRule(parts_ttl_s=5)))

    assert world.plane.rules is world.rules
    assert world.plane.parts.ttl_s == 5


def test_a_reload_keeps_the_parts_under_way(world: World) -> None:
    first, _ = long_advert(["您好", "再见"])
    world.submit(world.session(), first)

    world.reload()

    assert len(world.plane.parts) == 1
