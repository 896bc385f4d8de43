import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.credentials import DECOY, hash_password, password_problem, verify

# Made once: tests are named by what they are given, and every run must give them the same.
PHC = (
    "$argon2id$v=19$m=8192,t=2,p=1$FSvY1mammcx7J5flR3htZw$"
    "dFtW/Bi6OqUVi03nUV9uelVI+gYLd7/N07pgckalITs"
)


def test_the_hashed_password_is_recognised_and_no_other() -> None:
    phc = hash_password("s3cr3t")

    assert verify(phc, b"s3cr3t")
    assert not verify(phc, b"s3cr3T")
    assert not verify(phc, b"")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("s3cr3t") != hash_password("s3cr3t")


def test_a_hash_names_the_cheap_parameters() -> None:
    assert hash_password("s3cr3t").startswith("$argon2id$v=19$m=8192,t=2,p=1$")


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("", "the password is empty"),
        ("123456789", "the password is longer than the 8 octets a bind can carry"),
        ("密码密", "the password is longer than the 8 octets a bind can carry"),
    ],
)
def test_a_password_that_no_bind_can_carry_is_not_hashed(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        hash_password(secret)
    assert password_problem(f"plain:{secret}") == problem


def test_a_plain_password_is_compared_octet_by_octet() -> None:
    assert verify("plain:a:b", b"a:b")
    assert not verify("plain:a:b", b"a")
    assert verify("plain:密码", "密码".encode())
    assert not verify("plain", b"")
    assert not verify("plain:", b"")


def test_a_password_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SP1_PASSWORD", "s3cr3t")

    assert password_problem("env:SP1_PASSWORD") is None
    assert verify("env:SP1_PASSWORD", b"s3cr3t")
    assert not verify("env:SP1_PASSWORD", b"other")


def test_a_password_in_the_environment_may_be_of_any_octets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SP1_PASSWORD", os.fsdecode(b"s\xe9cret"))

    assert password_problem("env:SP1_PASSWORD") is None
    assert verify("env:SP1_PASSWORD", b"s\xe9cret")


def test_an_unset_or_empty_variable_admits_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SP1_PASSWORD", raising=False)
    assert not verify("env:SP1_PASSWORD", b"")

    monkeypatch.setenv("SP1_PASSWORD", "")
    assert not verify("env:SP1_PASSWORD", b"")
    assert password_problem("env:SP1_PASSWORD") == "the password is empty"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "${A}"])
def test_env_must_name_a_variable(name: str) -> None:
    assert password_problem(f"env:{name}") == "env: must name an environment variable"


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ("secret", "must be"),
        ("$argon2i$v=19$m=8192,t=2,p=1$ZGVjb3lkZWNveWRl$ZGVjb3lkZWNveWRl", "must be"),
        ("$argon2id$", "not a whole argon2id hash"),
        ("$argon2id$…", "not a whole argon2id hash"),
        (PHC[:-30], "not a whole argon2id hash"),
        (f"{PHC}\n", "not a whole argon2id hash"),
        (PHC.replace("m=8192", "m=7"), "not a usable argon2id hash"),
        (PHC.replace("t=2", "t=0"), "not a usable argon2id hash"),
        (PHC.replace("p=1", "p=0"), "not a usable argon2id hash"),
        (PHC.replace("m=8192", "m=999999999"), "costs too much"),
        (PHC.replace("t=2", "t=11"), "costs too much"),
    ],
)
def test_a_bad_hash_is_named_and_admits_nobody(stored: str, problem: str) -> None:
    found = password_problem(stored)

    assert found is not None
    assert problem in found
    if "costs" not in problem:  # those would be computed
        assert not verify(stored, b"s3cr3t")


def test_a_good_hash_has_no_problem() -> None:
    assert password_problem(PHC) is None
    assert verify(PHC, b"s3cr3t")
    assert password_problem(DECOY) is None


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.binary(max_size=9))
def test_no_text_in_place_of_a_hash_admits_anybody(stored: str, secret: bytes) -> None:
    if not stored.startswith(("env:", "plain:")):
        assert not verify(stored, secret)


@pytest.mark.parametrize("secret", [b"", b"decoy", b"decoydec", b"\x00"])
def test_the_decoy_admits_nobody(secret: bytes) -> None:
    assert not verify(DECOY, secret)
