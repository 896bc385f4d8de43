"""What both sides share."""

from dataclasses import replace

from gateway.domain.consent import Answer
from gateway.domain.policy import ContentRule
from tests.dataplane.conftest import BUNDLE, World, long_advert, sender


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


def test_a_reload_changes_whose_refusals_an_account_shares() -> None:
    apart = (sender(), sender("sp2"))
    world = World(senders=apart)
    world.sets.apply(8613800138000, "sp1", Answer.REFUSED)
    before = world.sets.is_refused("sp2", 8613800138000)

    world.reload(senders=tuple(replace(one, owner="B2-20130117") for one in apart))
    together = world.sets.is_refused("sp2", 8613800138000)
    world.reload(senders=apart)

    assert (before, together) == (False, True)
    assert not world.sets.is_refused("sp2", 8613800138000)


def test_from_the_start_accounts_of_one_owner_share_refusals() -> None:
    world = World(senders=tuple(replace(sender(one), owner="B2") for one in ("sp1", "sp2")))

    assert world.sets.companions == {"sp1": ("sp2",), "sp2": ("sp1",)}
