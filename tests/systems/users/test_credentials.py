"""Passwords, TOTP and recovery codes: what is right, and what is never right again."""

import base64
from runpy import run_path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.users import credentials
from gateway.systems.users.credentials import (
    STEP_S,
    compact_code,
    enrolment_uri,
    hash_password,
    is_password,
    is_secret,
    is_totp_code,
    new_recovery_codes,
    new_secret,
    new_token,
    recovery_digest,
    step_of,
    token_digest,
)

# Of RFC 6238, appendix B, whose codes of eight digits end like those of six.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


def test_a_password_is_verified_and_no_other_is() -> None:
    phc = hash_password("correct horse")

    assert phc.startswith("$argon2id$v=19$")
    assert is_password(phc, "correct horse")
    assert not is_password(phc, "correct hors")
    assert not is_password(phc, "\ud800" * 12)
    assert not is_password("", "correct horse")
    assert not is_password("no hash", "correct horse")


def test_passwords_cost_what_the_library_recommends() -> None:
    usual, shipped = PasswordHasher(), run_path(credentials.__file__)
    costs = f"$argon2id$v=19$m={usual.memory_cost},t={usual.time_cost},p={usual.parallelism}$"
    phc = shipped["hash_password"]("correct horse")

    assert usual.memory_cost * usual.time_cost >= 64 * 1024 * 3
    assert phc.startswith(costs)
    assert shipped["DECOY_HASH"].startswith(costs)
    assert shipped["must_rehash"](hash_password("correct horse"))
    assert not shipped["must_rehash"](phc)
    assert not shipped["must_rehash"](shipped["DECOY_HASH"])
    assert not shipped["is_password"](shipped["DECOY_HASH"], "correct horse")


@pytest.mark.parametrize(("at_s", "code"), RFC_CODES)
def test_codes_are_those_of_rfc_6238(at_s: int, code: str) -> None:
    assert step_of(RFC_SECRET, code, at_s, after=0) == at_s // STEP_S


def test_the_codes_of_the_steps_beside_are_right_and_no_others() -> None:
    at_s, code = RFC_CODES[2]
    steps = [step_of(RFC_SECRET, code, at_s + STEP_S * off, after=0) for off in range(-3, 4)]

    own = at_s // STEP_S
    assert steps == [None, None, own, own, own, None, None]


def test_a_code_is_good_once() -> None:
    at_s, code = RFC_CODES[2]
    used = at_s // STEP_S

    assert step_of(RFC_SECRET, code, at_s, after=used - 1) == used
    assert step_of(RFC_SECRET, code, at_s, after=used) is None


@given(st.text(max_size=8))
def test_any_text_is_a_code_or_is_refused(code: str) -> None:
    found = step_of(RFC_SECRET, compact_code(code), 59, after=0)

    assert found in {None, 0, 1, 2}
    if not is_totp_code(compact_code(code)):
        assert found is None


def test_secrets_and_tokens_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(50)}
    tokens = {new_token() for _ in range(50)}

    assert len(secrets) == len(tokens) == 50
    assert all(map(is_secret, secrets))
    assert min(map(len, tokens)) == 43
    assert token_digest("a") != token_digest("b")


@pytest.mark.parametrize(
    "secret", ["", "short", "A" * 31, "1" * 32, "é" * 32, "A" * 40, RFC_SECRET.lower()]
)
def test_what_is_no_secret_is_refused(secret: str) -> None:
    assert not is_secret(secret)


def test_apps_read_the_uri() -> None:
    uri = enrolment_uri(RFC_SECRET, "lin")

    assert uri.startswith("otpauth://totp/smsward:lin?")
    assert f"secret={RFC_SECRET}" in uri
    assert "issuer=smsward" in uri


def test_recovery_codes_are_ten_and_read_as_people_type_them() -> None:
    codes = new_recovery_codes()

    assert len(set(codes)) == 10
    assert all(len(code) == 19 and code.count("-") == 3 for code in codes)
    assert not any(is_totp_code(compact_code(code)) for code in codes)
    typed = f" {codes[0].upper().replace('-', ' ')} "
    assert recovery_digest(typed) == recovery_digest(codes[0])
    assert recovery_digest(codes[0]) != recovery_digest(codes[1])
