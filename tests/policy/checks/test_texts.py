"""What a text must show (R05, R30, R38)."""

import pytest

from gateway.domain.verdict import Action, Reason
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NO_SENDER_PHONE, NoSenderName
from gateway.policy.checks.port_misuse import PortMisuse
from tests.policy.conftest import (
    ADVERT,
    CODE,
    CODES,
    MARKETING,
    SERVICE,
    World,
    addressed,
    ask_of,
    rule,
    why,
)

PROMOTION = "【某行】验证码1234。办卡享免息额度5万元,回T退订"
NO_HINT = "【春晓书店】会员日全场八折，欢迎光临"
UNSIGNED = "会员日全场八折，拒收请回复R"


@pytest.mark.parametrize(
    ("source", "text", "is_missed"),
    [
        (MARKETING, ADVERT, False),
        (SERVICE, ADVERT, True),
        (CODES, ADVERT, True),
        (SERVICE, CODE, False),
        (CODES, CODE, False),
        (b"95588", ADVERT, False),
        (SERVICE, None, False),
    ],
)
def test_r05_promotion_needs_a_port_that_is_registered_for_it(
    source: bytes, text: str | None, *, is_missed: bool
) -> None:
    found = ask_of(PortMisuse())(addressed(text, source=source), 0.0)

    assert (found is not None) is is_missed


def test_r05_promotion_from_a_service_port_is_held_and_a_plain_code_passes() -> None:
    world = World(rule("R05", PortMisuse(), action=Action.QUARANTINE))

    promotion = world.judge(PROMOTION, SERVICE)

    assert promotion.verdict is not None
    assert promotion.verdict.action is Action.QUARANTINE
    assert why(promotion) is Reason.PORT_MISUSE
    assert world.reason("【某行】验证码1234，请勿泄露", SERVICE) is None


def test_r05_a_service_may_go_out_from_a_port_for_promotion() -> None:
    world = World(rule("R05", PortMisuse(), action=Action.QUARANTINE))

    assert world.reason(CODE, MARKETING) is None


@pytest.mark.parametrize("text", [ADVERT, "【春晓书店】八折，回T退订", "【春晓书店】八折 TD退订"])
def test_r30_an_advert_that_tells_how_to_refuse_passes(text: str) -> None:
    assert World(rule("R30", NoOptoutHint())).reason(text) is None


def test_r30_an_advert_that_tells_no_way_to_refuse_is_refused() -> None:
    advert = World(rule("R30", NoOptoutHint())).judge(NO_HINT)

    assert advert.verdict is not None
    assert (advert.verdict.action, advert.verdict.status) == (Action.REJECT, "ESME_RSUBMITFAIL")
    assert why(advert) is NoOptoutHint.reason


def test_r30_a_code_needs_no_way_to_refuse() -> None:
    assert World(rule("R30", NoOptoutHint())).reason(CODE, CODES) is None


def test_r38_an_advert_without_a_name_is_refused() -> None:
    world = World(rule("R38", NoSenderName()))

    assert world.reason(UNSIGNED) is NoSenderName.reason
    assert world.reason(ADVERT) is None
    assert world.reason("会员日全场八折，拒收请回复R【春晓书店】") is None


def test_r38_an_advert_without_a_telephone_number_is_refused_where_one_is_asked_for() -> None:
    world = World(rule("R38", NoSenderName(telephone=True)))

    refused = world.judge(ADVERT)

    assert why(refused) is NO_SENDER_PHONE
    assert refused.verdict is not None
    assert refused.verdict.status == "ESME_RSUBMITFAIL"
    assert world.reason(f"{ADVERT}，电话400-820-8820") is None
    assert world.reason(f"{ADVERT}，发送至1069000123456") is NO_SENDER_PHONE
    assert world.reason(f"{UNSIGNED}，电话400-820-8820") is NoSenderName.reason
    assert world.reason(CODE, CODES) is None


def test_r38_a_number_is_looked_for_once_and_only_where_a_rule_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []

    def look(text: str) -> bool:
        looked.append(text)
        return False

    monkeypatch.setattr("gateway.filter.facts.has_telephone", look)
    one = addressed(ADVERT)

    assert ask_of(NoSenderName())(one, 0.0) is None
    assert looked == []
    for _ in range(2):
        assert ask_of(NoSenderName(telephone=True))(one, 0.0) is not None
    assert looked == [ADVERT]


def test_a_message_without_a_text_is_not_asked_what_it_shows() -> None:
    assert ask_of(NoOptoutHint())(addressed(), 0.0) is None
    assert ask_of(NoSenderName())(addressed(), 0.0) is None


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_may_still_come_with_other_parts_is_not_missed(
    is_whole: bool,  # noqa: FBT001 - a parameter
) -> None:
    one = addressed("会员日全场八折", is_whole=is_whole)

    assert (ask_of(NoOptoutHint())(one, 0.0) is not None) is is_whole
    assert (ask_of(NoSenderName())(one, 0.0) is not None) is is_whole
