"""The text of a complaint in a case: for one member, and one case, alone."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OKPKey

from gateway.domain.linkage import MemberRegistry
from gateway.systems.linkage.encrypted_text import MAX_TEXT_CHARS, decrypt_text, encrypt_text
from gateway.systems.linkage.pair_keys import PairKeys
from tests.systems.linkage.conftest import Node

TEXT = "恭喜中奖，点击 a1.cn 领取"


@pytest.fixture
def b() -> Node:
    node = Node("b")
    node.agree()
    return node


def keys_of(node: Node) -> PairKeys:
    return PairKeys(MemberRegistry(node.name, (node.member,)), node.agreements)


def sealed_for(node: Node, text: str = TEXT, subject: str = "a.7") -> str:
    sealed = encrypt_text(text, subject, node.member.agreement_keys[0])
    assert sealed is not None
    return sealed


def test_r85_a_text_is_read_by_the_member_that_it_is_for_alone(b: Node) -> None:
    other = Node("c")
    other.agree("b-a")
    sealed = sealed_for(b)

    assert TEXT not in sealed
    assert decrypt_text(sealed, "a.7", keys_of(b)) == TEXT
    assert decrypt_text(sealed, "a.7", keys_of(other)) is None
    assert decrypt_text(sealed, "a.7", PairKeys(MemberRegistry("b", (b.member,)))) is None


def test_text_categories_another_case_is_none(b: Node) -> None:
    assert decrypt_text(sealed_for(b), "a.8", keys_of(b)) is None


def test_the_old_key_still_opens_what_was_sealed_before_the_rotation(b: Node) -> None:
    sealed = sealed_for(b)
    b.agree("b-new")

    assert decrypt_text(sealed, "a.7", keys_of(b)) == TEXT


def test_numbers_are_left_out_and_a_long_text_is_cut(b: Node) -> None:
    text = "联系13800138000或138 0013 8000，" + "长" * 65_000

    opened = decrypt_text(sealed_for(b, text), "a.7", keys_of(b))

    assert opened is not None
    assert opened.startswith("联系***或***,")
    assert "138" not in opened
    assert len(opened) <= MAX_TEXT_CHARS
    assert len(sealed_for(b, "长" * 65_000)) < 40_000


def test_a_text_without_words_and_a_key_that_is_none_give_none(b: Node) -> None:
    weak = b.agree("weak", public=bytes(32))

    assert encrypt_text(" \n\0", "a.7", b.member.agreement_keys[0]) is None
    assert encrypt_text(TEXT, "a.7", weak) is None


@pytest.mark.parametrize(
    "change",
    [{"zip": "DEF"}, {"alg": "dir"}, {"enc": "A128GCM"}, {"kid": "other"}, {"crit": ["b64"]}],
)
def test_what_is_sealed_in_another_way_is_not_opened(b: Node, change: dict[str, object]) -> None:
    head, *rest = sealed_for(b).split(".")
    header = json.loads(urlsafe_b64decode(head + "==")) | change
    changed = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()

    assert decrypt_text(".".join((changed, *rest)), "a.7", keys_of(b)) is None


def test_a_compressed_text_is_not_inflated(b: Node) -> None:
    public = b.member.agreement_keys[0].public
    coded = urlsafe_b64encode(public).rstrip(b"=").decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": coded})
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": "b-a", "zip": "DEF"}
    payload = json.dumps({"subject": "a.7", "text": "0" * 10_000_000})
    names = ["ECDH-ES+A256KW", "A256GCM", "DEF"]
    sealed = jwe.encrypt_compact(header, payload, key, algorithms=names)

    assert decrypt_text(sealed, "a.7", keys_of(b)) is None


def test_a_header_of_many_brackets_is_none(b: Node) -> None:
    head = urlsafe_b64encode(b"[" * 100_000).rstrip(b"=").decode()

    assert decrypt_text(f"{head}.a.b.c.d", "a.7", keys_of(b)) is None


@given(st.text(max_size=200) | st.text(alphabet="abcA0_-.{}", max_size=200))
def test_any_text_is_decrypted_or_none(sealed: str) -> None:
    node = Node("b")
    node.agree()

    assert decrypt_text(sealed, "a.7", keys_of(node)) is None
