import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.msisdn import msisdn_of
from gateway.runtime.sealing import Sealer, SealError, spellings_of

OLD, NEW = bytes(range(64)), bytes(range(64, 128))
SEALER = Sealer({"k1": OLD, "k2": NEW}, "k2")
BEFORE = Sealer({"k1": OLD}, "k1")

NUMBER = 8613800138000
msisdns = st.integers(1, 10**15 - 1)


@given(st.binary(max_size=300))
def test_what_is_sealed_opens_as_it_was(value: bytes) -> None:
    assert SEALER.open(SEALER.seal(value)) == value


def test_the_same_value_gives_the_same_token_so_that_it_can_be_searched_for() -> None:
    assert SEALER.seal(b"13800138000") == SEALER.seal(b"13800138000")
    assert SEALER.seal(b"13800138000") != SEALER.seal(b"13800138001")


def test_a_token_names_its_key_and_nothing_of_the_value() -> None:
    token = SEALER.seal(b"13800138000")

    assert token.startswith("k2:")
    assert "138" not in token.removeprefix("k2:")[:3]
    assert token.partition(":")[2].replace("-", "").replace("_", "").isalnum()


def test_what_was_sealed_before_a_rotation_still_opens() -> None:
    assert SEALER.open(BEFORE.seal(b"13800138000")) == b"13800138000"


def test_without_its_key_a_value_stays_sealed() -> None:
    with pytest.raises(SealError, match="with the key k2, which is not among the keys"):
        BEFORE.open(SEALER.seal(b"13800138000"))


@given(st.text(max_size=60))
def test_any_text_opens_or_raises_seal_error(token: str) -> None:
    for given_ in (token, f"k1:{token}"):
        with pytest.raises(SealError):
            SEALER.open(given_)


def test_a_changed_token_is_refused_without_telling_the_value() -> None:
    token = SEALER.seal(b"13800138000")
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")

    with pytest.raises(SealError) as refused:
        SEALER.open(changed)

    assert "138" not in str(refused.value)


def test_a_search_finds_a_number_under_every_key_and_spelling() -> None:
    tokens = SEALER.tokens_of(NUMBER)

    for sealer in (SEALER, BEFORE):
        for spelling in (b"13800138000", b"8613800138000", b"+8613800138000", b"008613800138000"):
            assert sealer.seal(spelling) in tokens
        assert sealer.seal(b"13800138001") not in tokens


@given(msisdns)
def test_every_spelling_is_the_number_it_spells(msisdn: int) -> None:
    known = {msisdn_of(spelling) for spelling in spellings_of(msisdn)}

    # Eleven digits from 1 are a mainland number, which no foreign subscriber may be.
    assert known <= {msisdn, 86_00000_000000 + msisdn}


@given(
    st.sampled_from([b"", b"+", b"00", b"+00", b"0", b"+0", b"000"]),
    st.sampled_from([b"13800138000", b"8613800138000", b"85212345678", b"013800138000"]),
)
def test_every_address_of_a_subscriber_is_among_the_spellings(sign: bytes, body: bytes) -> None:
    address = sign + body
    msisdn = msisdn_of(address)

    assert msisdn is None or address in spellings_of(msisdn)
