"""How fast a port may send (R44)."""

from datetime import datetime

import pytest

from gateway.domain.verdict import Action, Reason
from gateway.policy.check import asked_alone
from gateway.policy.checks.too_fast import PortRate, TooFast
from tests.policy.conftest import (
    ADVERT,
    CODE,
    CODES,
    EVERYTHING,
    MARKETING,
    SERVICE,
    World,
    addressed,
    rule,
    why,
)


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


AFTERNOON = beijing("2013-09-10T14:03:10")


def test_a_rate_is_remembered_until_its_bucket_is_full() -> None:
    assert TooFast(per_s=2, burst=10).memory_s == 5
    assert TooFast(per_s=2.5).memory_s == 3 / 2.5


def test_r44_of_200_messages_in_a_second_a_port_passes_its_burst_and_its_rate() -> None:
    world = World(rule("R44", TooFast(per_s=50, burst=100), action=Action.THROTTLE))

    found = [world.judge(to=13800000000 + n, at=AFTERNOON + n / 200) for n in range(200)]

    passed = sum(one.verdict is None for one in found)
    assert 100 <= passed <= 151
    assert {one.verdict.status for one in found if one.verdict} == {"ESME_RTHROTTLED"}


def test_r44_each_port_has_a_rate_of_its_own() -> None:
    world = World(
        rule("R44", TooFast(per_s=1, burst=1), applies_to=EVERYTHING, action=Action.THROTTLE)
    )

    found = [
        world.reason(CODE, source, at=AFTERNOON) for source in (MARKETING, SERVICE, SERVICE, CODES)
    ]

    assert found == [None, None, Reason.RATE, None]
    assert why(world.judge(CODE, SERVICE, at=AFTERNOON, system_id="sp2")) is None


def test_r44_a_message_in_parts_is_paid_by_its_first() -> None:
    rate = PortRate(TooFast(per_s=1, burst=2))
    first, second, other = addressed(ADVERT), addressed(ADVERT), addressed(ADVERT)
    first.units, second.units = 3, 0

    found = [asked_alone(rate)(one, AFTERNOON) is None for one in (first, second, other)]

    assert found == [True, True, False]


def test_r44_a_source_without_a_port_is_nobodys_rate() -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))

    assert [asked_alone(rate)(addressed(ADVERT, source=b"95588"), 0.0) for _ in range(2)] == [
        None,
        None,
    ]


@pytest.mark.parametrize(("back_s", "passes"), [(1.0, False), (60.0, False), (3600.0, True)])
def test_r44_a_clock_that_is_set_back_shuts_no_port_for_as_long(
    back_s: float,
    passes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))
    asked_alone(rate)(addressed(ADVERT), AFTERNOON)

    assert (asked_alone(rate)(addressed(ADVERT), AFTERNOON - back_s) is None) is passes


@pytest.mark.parametrize(("per_s", "is_full"), [(1, False), (2, True)])
def test_r44_a_reload_that_leaves_the_rate_alone_keeps_the_level(
    per_s: float,
    is_full: bool,  # noqa: FBT001 - a column of the table
) -> None:
    before, after = PortRate(TooFast(1, 1)), PortRate(TooFast(per_s, 1))
    asked_alone(before)(addressed(ADVERT), AFTERNOON)

    after.adopt(before)

    assert (asked_alone(after)(addressed(ADVERT), AFTERNOON) is None) is is_full


def test_r44_a_token_is_not_given_back() -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))
    asked_alone(rate)(addressed(ADVERT), AFTERNOON)

    rate.forget(addressed(ADVERT), AFTERNOON)

    assert asked_alone(rate)(addressed(ADVERT), AFTERNOON) is not None


def test_r44_those_of_a_tick_are_charged_as_one_by_one() -> None:
    check = TooFast(per_s=1, burst=3)
    sources = (MARKETING, MARKETING, SERVICE, MARKETING, MARKETING, SERVICE)
    together, alone = PortRate(check), PortRate(check)

    for of_tick in (sources, sources[:2], [MARKETING] * 3, [SERVICE], [], [MARKETING] * 9):
        for at in (AFTERNOON, AFTERNOON + 2):
            tick = [addressed(ADVERT, source=source) for source in of_tick]
            against = [one for one, _ in together.ask_all(tick, at)]
            one_by_one = [one for one in tick if asked_alone(alone)(one, at) is not None]
            assert against == one_by_one
