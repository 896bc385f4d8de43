"""Lines of records are counted by port, step and measure."""

from base64 import b64encode
from collections import Counter

import orjson
import pytest

from gateway.domain.detector import Measure
from gateway.domain.verdict import Reason, ReasonCode
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.records import measure_counts
from gateway.records.measure_counts import MOST_SAMPLES, MeasureCounter, is_evasive
from gateway.records.sealed_values import sealed
from gateway.runtime.sealing import Sealer

AT = "2013-11-04T09:07:12.345Z"
STEP = 1383555900 // 300  # 09:05
KEY = (STEP, "shop", "10690001")


def line(kind: object = "decision", **said: object) -> bytes:
    usual = {"kind": kind, "at": AT, "session": 1, "system_id": "shop", "sequence_number": 7}
    return orjson.dumps(usual | said)


def decision(*reasons: str, **said: object) -> bytes:
    findings = [{"rule": "R", "mode": "shadow", "reason": reason} for reason in reasons]
    usual = {"command_id": 4, "source": "1069000112", "action": "forward", "findings": findings}
    return line(**usual | {"gateway_id": 0, "class": "commercial"} | said)


def outcome(status: int = 0, **said: object) -> bytes:
    return line("outcome", **{"command_status": status, "how": "answered"} | said)


@pytest.fixture
def counter() -> MeasureCounter:
    return MeasureCounter(lambda _system_id, source: source[:8], None)


def counts(counter: MeasureCounter, *lines: bytes) -> dict[tuple[int, str, str], Counter[Measure]]:
    counter.add(lines)
    return dict(counter.take())


def test_a_message_counts_in_its_step_for_its_port(counter: MeasureCounter) -> None:
    assert counts(counter, decision(), decision(action="reject")) == {
        KEY: {Measure.MESSAGES: 2, Measure.COMMERCIAL: 2, Measure.FORWARDED: 1}
    }
    assert counts(counter) == {}
    assert counts(counter, decision(findings=["none"]), decision())[KEY][Measure.MESSAGES] == 2


@pytest.mark.parametrize(
    ("reason", "measure"),
    [
        (UnknownSignature.reason, Measure.UNSIGNED),
        (NoOptoutHint.reason, Measure.NO_OPTOUT_HINT),
        (Reason.PORT_MISUSE, Measure.PORT_MISUSE),
        (OutsideWindow.reason, Measure.AT_NIGHT),
        (Reason.OPTED_OUT, Measure.AFTER_OPTOUT),
        (OtherProvince.reason, Measure.OUT_OF_SCOPE),
        (SignatureSwitch.reason, Measure.OUT_OF_SCOPE),
        (NoConsent.reason, Measure.WITHOUT_CONSENT),
        (UnknownTemplate.reason, Measure.OFF_TEMPLATE),
    ],
)
def test_r95_what_rules_find_is_counted_once_a_message_also_in_shadow(
    counter: MeasureCounter, reason: ReasonCode, measure: Measure
) -> None:
    found = counts(counter, decision(reason, reason, "LATER", sequence_number=8), decision())

    assert found[KEY][measure] == 1
    assert counter.samples_of("shop", "10690001", measure) == ("1:8",)


def test_r95_numbers_that_the_smsc_does_not_know_count_for_the_port_that_sent(
    counter: MeasureCounter,
) -> None:
    sent = [decision(sequence_number=number) for number in range(3)]
    answers = [outcome(0x0B, sequence_number=0), outcome(sequence_number=1)]
    other = [outcome(0x0B, sequence_number=99), outcome(0x0B, sequence_number=2, how="timeout")]

    found = counts(counter, *sent, *answers, *other)

    assert found[KEY][Measure.ANSWERED] == 2
    assert found[KEY][Measure.UNKNOWN_NUMBERS] == 1


def test_r95_a_text_with_hidden_words_counts_with_each_message(counter: MeasureCounter) -> None:
    octets = b64encode("代\u200b开\u200b发票".encode("utf-16-be")).decode()
    text = line("text", id="t1", data_coding=8, octets=octets)

    found = counts(counter, text, decision(text="t1"), decision(text="t1"), decision(text="t2"))

    assert found[KEY][Measure.EVASIVE] == 2
    counter.begin_hour()
    assert Measure.EVASIVE not in counts(counter, decision(text="t1"))[KEY]


def test_r95_w12_many_innocent_texts_before_hide_no_evasive_one(
    counter: MeasureCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def text(number: int, said: str) -> bytes:
        octets = b64encode(said.encode("utf-16-be")).decode()
        return line("text", id=f"t{number}", data_coding=8, octets=octets)

    monkeypatch.setattr(measure_counts, "_MOST_EVASIVE", 3)
    innocent = [text(number, f"验证码{number}") for number in range(10)]
    hidden = [text(number, f"代-开-发-票{number}") for number in range(10, 15)]

    found = counts(
        counter, *innocent, *hidden, *(decision(text=f"t{number}") for number in range(15))
    )

    assert found[KEY][Measure.EVASIVE] == 3  # the newest


def test_sealed_texts_are_read_with_the_key_and_left_out_without() -> None:
    sealer = Sealer({"k1": bytes(range(64))}, "k1")
    octets = b64encode("代-开-发-票".encode("utf-16-be")).decode()
    text = {"kind": "text", "at": AT, "id": "t1", "data_coding": 8, "octets": octets}
    lines = orjson.dumps(sealed(text, sealer)), decision(text="t1")
    others = Sealer({"k2": bytes(range(64))}, "k2")

    found = [
        counts(MeasureCounter(lambda *_: "10690001", one), *lines)[KEY][Measure.EVASIVE]
        for one in (sealer, others)
    ]

    assert found == [1, 0]


def test_what_is_no_message_of_the_port_is_left_out(counter: MeasureCounter) -> None:
    lines = [
        decision(command_id=7),
        decision(reason="SOURCE_NOT_OWNED", action="reject"),
        line("delivery", what="receipt"),
        b'{"kind":"decision",',
        b'{"kind":"decision","at":"yesterday","system_id":"shop"}',
        b'{"kind":"decision"}',
        b'{"kind":"text","data_coding":8,"octets":"TsAtX/lTj/ZZfQ=="}',
        b"",
    ]

    assert counts(counter, *lines) == {}


def test_of_each_measure_the_newest_samples_are_kept(counter: MeasureCounter) -> None:
    held = decision(Reason.OPTED_OUT, gateway_id=8000000000000000001, action="quarantine")
    some = [decision(Reason.OPTED_OUT, sequence_number=number) for number in range(9)]

    counter.add([*some, held])

    samples = counter.samples_of("shop", "10690001", Measure.AFTER_OPTOUT)
    assert samples == ("1:5", "1:6", "1:7", "1:8", "8000000000000000001")
    assert len(samples) == MOST_SAMPLES


@pytest.mark.parametrize(
    "text",
    ["代\u200b开发票", "代-开-发-票", "加微伈а信", "贷\ufe00款", "代 开·发·票·啊·哈"],
)
def test_w12_hidden_words_are_evasive(text: str) -> None:
    assert is_evasive(text)


@pytest.mark.parametrize(
    "text",
    ["【商城】验证码1234", "5-8折，满100-20", "生日快乐❤️", "Привет, мир", "一、二、三、四、五"],
)
def test_w12_honest_texts_are_not(text: str) -> None:
    assert not is_evasive(text)


@pytest.mark.parametrize("piece", ["代-", "\u200b", "a\u200b", "а", "代- ", "·"])
def test_w12_the_longest_text_is_read_in_linear_time(piece: str) -> None:
    assert is_evasive(piece * 32_500) in (True, False)
