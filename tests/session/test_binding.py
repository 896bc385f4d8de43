"""Binds: what is read off the wire and who is let in."""

from dataclasses import replace
from ipaddress import ip_network
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.sender import BindLimits, BindType, Rate, Sender, SenderState
from gateway.session.binding import (
    BindReason,
    BindRequest,
    bind_answer_for,
    judge_bind,
    read_bind,
)
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tlv
from gateway.smpp.pdu import decode, make
from gateway.smpp.status import CommandStatus, DecodeError

BODY = b"sp1\0secret\0VMA\0\x34\x01\x01\0"


def bind_pdu(command_id: int, body: bytes = BODY) -> bytes:
    words = (16 + len(body), command_id, 0, 7)
    return b"".join(word.to_bytes(4, "big") for word in words) + body


def request(
    *, bind_type: BindType = BindType.TRX, address: str = "192.0.2.7", version: int = 0x34
) -> BindRequest:
    return BindRequest("sp1", b"secret", bind_type, version, b"", address)


def sender(
    *,
    state: SenderState = SenderState.ACTIVE,
    maximum: int = 2,
    types: frozenset[BindType] = frozenset(BindType),
    addresses: tuple[str, ...] = ("192.0.2.0/24", "2001:db8::/32"),
) -> Sender:
    return Sender(
        system_id="sp1",
        password="plain:secret",
        name="示例商城",
        state=state,
        binds=BindLimits(maximum, types, tuple(map(ip_network, addresses))),
        ports=(),
        rate=Rate(10, 10),
        window=10,
    )


def judge(
    asked: BindRequest,
    who: Sender | None,
    *,
    password_is_right: bool = True,
    live_binds: int = 0,
    locked: bool = False,
    licence: BindReason = BindReason.OK,
) -> BindReason:
    return judge_bind(
        asked,
        who,
        password_is_right=password_is_right,
        live_binds=live_binds,
        locked=locked,
        licence=licence,
    )


@pytest.mark.parametrize(
    ("command_id", "bind_type"),
    [(0x01, BindType.RX), (0x02, BindType.TX), (0x09, BindType.TRX)],
)
def test_a_bind_is_read_with_the_address_it_came_from(command_id: int, bind_type: BindType) -> None:
    asked = read_bind(bind_pdu(command_id), "192.0.2.7")

    assert asked == BindRequest("sp1", b"secret", bind_type, 0x34, b"VMA", "192.0.2.7")


def test_two_names_on_the_wire_never_become_one() -> None:
    names = {
        read_bind(bind_pdu(0x09, bytes([octet]) + BODY), "192.0.2.7").system_id
        for octet in range(1, 256)
    }

    assert len(names) == 255


def test_a_password_does_not_show_in_a_request() -> None:
    assert "secret" not in repr(read_bind(bind_pdu(0x09), "192.0.2.7"))


@pytest.mark.parametrize("command_id", [0x04, 0x06, 0x15, 0x0B, 0x8000_0009])
def test_a_pdu_that_is_no_bind_is_the_peers_fault(command_id: int) -> None:
    body = b"sp1\0secret\0" if command_id == 0x0B else b""

    with pytest.raises(DecodeError):
        read_bind(bind_pdu(command_id, body), "192.0.2.7")


def test_an_enquire_link_read_as_a_bind_names_the_command_as_the_fault() -> None:
    with pytest.raises(DecodeError) as caught:
        read_bind(bind_pdu(0x15, b""), "192.0.2.7")

    assert caught.value.field == "command_id"
    assert caught.value.status is CommandStatus.ESME_RINVCMDID


TLVS = (Tlv(0x0210, b"\x34"), Tlv(0x1401, b"ab"))
ANSWERS = [
    make(CommandId.BIND_TRANSCEIVER_RESP, 1, system_id=b"smsc", tlvs=TLVS),
    make(CommandId.BIND_TRANSCEIVER_RESP, 1, system_id=b"smsc"),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_sp_from_before_tlvs_gets_none_in_the_answer_to_its_bind(answer: bytes) -> None:
    stray = (len(answer) + 2).to_bytes(4, "big") + answer[4:] + b"\0\0"

    for version in (0, 0x33):
        assert decode(bind_answer_for(version, stray)) == replace(decode(answer), tlvs=())
    for version in (0x34, 0x50):
        assert bind_answer_for(version, stray) == stray


@given(st.sampled_from([0x01, 0x02, 0x09]), st.binary(max_size=80))
def test_any_octets_are_a_bind_or_raise_decode_error(command_id: int, body: bytes) -> None:
    try:
        asked = read_bind(bind_pdu(command_id, body), "192.0.2.7")
    except DecodeError as error:
        assert error.status is not CommandStatus.ESME_ROK
    else:
        head = asked.system_id.encode("latin-1") + b"\0" + asked.password + b"\0"
        assert body.startswith(head + asked.system_type + b"\0" + bytes([asked.interface_version]))


@given(st.binary(max_size=80))
def test_any_octets_without_even_a_header_are_a_bind_or_raise_decode_error(pdu: bytes) -> None:
    try:
        read_bind(pdu, "192.0.2.7")
    except DecodeError as error:
        assert error.status is not CommandStatus.ESME_ROK


def test_an_active_sp_with_its_password_is_bound() -> None:
    verdict = judge(request(), sender())

    assert verdict is BindReason.OK
    assert verdict.status is CommandStatus.ESME_ROK


@pytest.mark.parametrize("password_is_right", [True, False])
def test_an_unknown_user_and_a_wrong_password_are_one_answer(*, password_is_right: bool) -> None:
    unknown = judge(request(), None, password_is_right=password_is_right)
    wrong = judge(request(), sender(), password_is_right=False)

    assert unknown == wrong == BindReason.CREDENTIALS
    assert wrong.status is CommandStatus.ESME_RBINDFAIL


@pytest.mark.parametrize("state", [s for s in SenderState if s is not SenderState.ACTIVE])
def test_an_sp_in_any_state_but_active_does_not_bind(state: SenderState) -> None:
    verdict = judge(request(), sender(state=state))

    assert (verdict.status, verdict) == (CommandStatus.ESME_RBINDFAIL, state.value)


@pytest.mark.parametrize(
    "address", ["198.51.100.1", "2001:db9::1", "::ffff:198.51.100.1", "", "unix"]
)
def test_an_address_that_is_not_listed_does_not_bind(address: str) -> None:
    assert judge(request(address=address), sender()) == "address"


@pytest.mark.parametrize("address", ["192.0.2.255", "2001:db8::1", "::ffff:192.0.2.1"])
def test_a_listed_address_binds_over_either_family(address: str) -> None:
    assert judge(request(address=address), sender()) is BindReason.OK


def test_an_empty_list_admits_no_address() -> None:
    assert judge(request(), sender(addresses=())) == "address"


@pytest.mark.parametrize("bind_type", BindType)
def test_only_a_granted_bind_type_is_bound(bind_type: BindType) -> None:
    granted = sender(types=frozenset({bind_type}))
    denied = sender(types=frozenset(BindType) - {bind_type})

    assert judge(request(bind_type=bind_type), granted) == "ok"
    assert judge(request(bind_type=bind_type), denied) == "bind_type"


def test_the_last_bind_is_granted_and_the_one_after_it_refused() -> None:
    assert judge(request(), sender(maximum=2), live_binds=1) == "ok"
    assert judge(request(), sender(maximum=2), live_binds=2) == "too_many"


def test_a_lock_holds_against_the_right_password() -> None:
    assert judge(request(), sender(), locked=True) == "locked"


@pytest.mark.parametrize("licence", [BindReason.LICENCE_EXPIRED, BindReason.LICENCE_MISSING])
def test_r01_an_sp_whose_licence_does_not_hold_does_not_bind(licence: BindReason) -> None:
    verdict = judge(request(), sender(), licence=licence)

    assert (verdict.status, verdict) == (CommandStatus.ESME_RBINDFAIL, licence)


def test_r01_a_licence_is_not_told_of_before_the_password_is_right() -> None:
    verdict = judge(
        request(), sender(), password_is_right=False, licence=BindReason.LICENCE_EXPIRED
    )

    assert verdict is BindReason.CREDENTIALS


def test_a_suspended_sp_is_suspended_whatever_its_licence_says() -> None:
    suspended = sender(state=SenderState.SUSPENDED)

    verdict = judge(request(), suspended, licence=BindReason.LICENCE_EXPIRED)

    assert verdict is BindReason.SUSPENDED


EVERY_ACCOUNT = [
    None,
    *(
        sender(state=state, maximum=maximum, types=types, addresses=addresses)
        for state, maximum, types, addresses in product(
            SenderState,
            (0, 9),
            (frozenset[BindType](), frozenset(BindType)),
            ((), ("0.0.0.0/0",)),
        )
    ),
]


@pytest.mark.parametrize("locked", [True, False])
def test_without_the_password_nothing_about_the_account_shows(*, locked: bool) -> None:
    verdicts = {
        judge(request(), account, password_is_right=False, locked=locked)
        for account in EVERY_ACCOUNT
    }

    assert len(verdicts) == 1


def test_every_refusal_is_the_same_status_and_only_an_impeccable_bind_is_accepted() -> None:
    verdicts = [
        judge(request(), account, password_is_right=right, live_binds=1, locked=locked)
        for account, right, locked in product(EVERY_ACCOUNT, (True, False), (True, False))
    ]

    assert sum(verdict is BindReason.OK for verdict in verdicts) == 1
    assert {verdict.status for verdict in verdicts if verdict is not BindReason.OK} == {
        CommandStatus.ESME_RBINDFAIL
    }


def test_no_interface_version_is_a_reason_to_refuse() -> None:
    assert judge(request(version=0x33), sender()) is BindReason.OK
    assert judge(request(version=0x50), sender()) is BindReason.OK
