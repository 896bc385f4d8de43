from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings.credentials import load_keys
from gateway.settings.yaml import SettingsError

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

KEY = b64encode(bytes(64)).decode()
OTHER = b64encode(bytes(range(32))).decode()


@pytest.fixture
def keys(write: Write) -> Callable[[str], Path]:
    """Return a function that writes a file of keys for its owner alone."""

    def keys(text: str) -> Path:
        path = write("keys.yaml", text)
        path.chmod(0o600)
        return path

    return keys


def test_keys_are_read_from_a_private_file(keys: Callable[[str], Path]) -> None:
    path = keys(f"# of 2025\nk1: {KEY}\nk2: {OTHER}\n")

    assert load_keys(str(path)) == {"k1": bytes(64), "k2": bytes(range(32))}


def test_keys_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSWARD_KEYS", f"k1: {KEY}")

    assert load_keys("env:SMSWARD_KEYS") == {"k1": bytes(64)}


HOW = "make one with: smsward keys new"
BROKEN = {
    "no keys": ("", f"1:1 must hold keys, one `id: base64` a line; {HOW}"),
    "a list": ("- k1\n", f"1:1 must hold keys, one `id: base64` a line; {HOW}"),
    "an id in capitals": (f"K1: {KEY}\n", "1:1 an id has 1 to 16 of a-z, 0-9, - and _"),
    "an id with a colon in it": (
        f'"k:1": {KEY}\n',
        "1:1 an id has 1 to 16 of a-z, 0-9, - and _",
    ),
    "a short key": (
        "k1: AAAA\n",
        f"1:5 must be base64 of 32, 48 or 64 octets; {HOW}",
    ),
    "no base64": (
        f"k1: '{KEY[:-1]}*'\n",
        f"1:5 must be base64 of 32, 48 or 64 octets; {HOW}",
    ),
    "a number": ("k1: 17\n", f"1:5 must be base64 of 32, 48 or 64 octets; {HOW}"),
    "an id twice": (f"k1: {KEY}\nk1: {OTHER}\n", "2:1 repeated key 'k1' (first in line 1)"),
    "too many": (
        "".join(f"k{number}: {KEY}\n" for number in range(65)),
        "1:1 holds more than 64 keys",
    ),
}


@pytest.mark.parametrize(("text", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_bad_key_is_named_and_not_shown(
    text: str, fault: str, keys: Callable[[str], Path], faults_of: FaultsOf
) -> None:
    path = keys(text)

    assert faults_of(lambda: load_keys(str(path))) == [f"keys.yaml:{fault}"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o700 | 0o020])
def test_a_file_that_others_may_read_is_refused(
    mode: int, keys: Callable[[str], Path], faults_of: FaultsOf
) -> None:
    path = keys(f"k1: {KEY}\n")
    path.chmod(mode)

    assert faults_of(lambda: load_keys(str(path))) == [
        "keys.yaml:1:1 others may read it: chmod 600"
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("env:", "env: must name an environment variable"),
        ("env:1A", "env: must name an environment variable"),
        ("env:SMSWARD_NO_KEYS", "environment variable SMSWARD_NO_KEYS is not set"),
        ("no/such/file", "cannot be read: No such file or directory"),
    ],
)
def test_keys_that_are_not_there_are_named(source: str, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_keys(source)

    assert str(refused.value) == f"{source}:1:1 {fault}"
