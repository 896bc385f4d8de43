"""Where SPs hear of refusals, as senders.yaml settles it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.sender import Webhook
from gateway.settings.credentials import secret_of
from gateway.settings.schema import url_problem
from gateway.settings.senders import load_senders

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

KEY = "0123456789abcdef0123456789abcdef"
URL = "https://sp1.example.com/notices?of=1"


def file_with(webhook: str, *, allow: bool = True) -> str:
    return (
        f"version: 1\nallow_plain_passwords: {str(allow).lower()}\nsenders:\n"
        f"- system_id: sp1\n  password: env:SP1_PASSWORD\n  webhook: {webhook}\n"
    )


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SP1_PASSWORD", "secret")
    monkeypatch.setenv("SP1_KEY", KEY)
    monkeypatch.setenv("SHORT_KEY", "x" * 31)


def test_an_sp_may_have_a_webhook_with_a_key_from_the_environment(write: Write) -> None:
    path = write("senders.yaml", file_with(f'{{url: "{URL}", key: "env:SP1_KEY"}}', allow=False))

    webhook = load_senders(path)["sp1"].webhook

    assert webhook == Webhook(URL, "env:SP1_KEY")
    assert secret_of(webhook.key) == KEY.encode()


def test_a_key_that_is_written_out_loads_where_it_is_allowed(write: Write) -> None:
    path = write("senders.yaml", file_with(f'{{url: "{URL}", key: "plain:{KEY}"}}'))

    webhook = load_senders(path)["sp1"].webhook

    assert webhook is not None
    assert secret_of(webhook.key) == KEY.encode()
    assert KEY not in repr(webhook)


def test_who_has_none_waits_for_nothing(write: Write) -> None:
    assert load_senders(write("senders.yaml", file_with("null")))["sp1"].webhook is None


def test_a_key_that_has_left_the_environment_signs_nothing_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SP1_KEY")

    assert secret_of("env:SP1_KEY") == b""


HTTPS = "must be https://: only this machine may be told without TLS"
NO_USER = "must hold neither a user, nor a password, nor a fragment"
NO_URL = "must be a URL of up to 500 visible ASCII characters"
PROBLEMS = {HTTPS, NO_USER, NO_URL, "must be https://host/path", "cannot be read as a URL"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://sp1.example.com/", HTTPS),
        ("http://10.0.0.1/", HTTPS),
        ("http://169.254.169.254/latest", HTTPS),
        ("http://127.0.0.1.example.com/", HTTPS),
        ("ftp://sp1.example.com/", "must be https://host/path"),
        ("sp1.example.com/notices", "must be https://host/path"),
        ("https:///notices", "must be https://host/path"),
        ("https://sp1.example.com:0/", "must be https://host/path"),
        ("https://user:word@sp1.example.com/", NO_USER),
        ("https://@sp1.example.com/", NO_USER),
        ("https://sp1.example.com/#", NO_USER),
        ("https://sp1.example.com:99999/", "cannot be read as a URL"),
        ("https://sp1..example.com/", "must be https://host/path"),
        ("https://[::1/", "cannot be read as a URL"),
        ("https://商城.example.com/", NO_URL),
        ("https://sp1.example.com/a b", NO_URL),
        ("https://x/" + "a" * 491, NO_URL),
    ],
)
def test_a_url_that_numbers_must_not_be_sent_to_is_a_fault(
    write: Write, faults_of: FaultsOf, url: str, problem: str
) -> None:
    path = write("senders.yaml", file_with(f'{{url: "{url}", key: "env:SP1_KEY"}}'))

    faults = faults_of(lambda: load_senders(path))

    assert faults == [f"senders.yaml:6:18 senders[0].webhook.url: {problem}"]


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://10.0.0.1:8443/",
        "https://x/" + "a" * 490,
        "http://127.0.0.1:8080/",
        "http://[::1]/",
        "http://localhost/x",
    ],
)
def test_a_url_over_tls_or_on_this_machine_is_none(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (KEY, "must be env:NAME or plain:secret"),
        ("env:1KEY", "env: must name an environment variable"),
        ("env:NO_SUCH_KEY", "environment variable NO_SUCH_KEY is not set"),
        ("env:SHORT_KEY", "the key must have 32 to 256 octets: openssl rand -hex 32"),
        ("plain:" + "x" * 257, "the key must have 32 to 256 octets: openssl rand -hex 32"),
        ("$argon2id$v=19", "must be env:NAME or plain:secret"),
    ],
)
def test_a_key_that_cannot_sign_is_a_fault_that_does_not_show_it(
    write: Write, faults_of: FaultsOf, key: str, problem: str
) -> None:
    path = write("senders.yaml", file_with(f'{{key: "{key}", url: "{URL}"}}'))

    assert faults_of(lambda: load_senders(path)) == [
        f"senders.yaml:6:18 senders[0].webhook.key: {problem}"
    ]


def test_a_key_that_is_written_out_is_a_fault_where_that_is_not_allowed(
    write: Write, faults_of: FaultsOf
) -> None:
    text = file_with(f'{{key: "plain:{KEY}", url: "{URL}"}}', allow=False)

    assert faults_of(lambda: load_senders(write("senders.yaml", text))) == [
        "senders.yaml:6:18 plain: keys need allow_plain_passwords: true (demo and tests only)"
    ]


def test_a_webhook_needs_both_and_nothing_else(write: Write, faults_of: FaultsOf) -> None:
    path = write("senders.yaml", file_with("{ulr: x}"))

    assert faults_of(lambda: load_senders(path)) == [
        "senders.yaml:6:12 senders[0].webhook.key: is missing",
        "senders.yaml:6:12 senders[0].webhook.url: is missing",
        "senders.yaml:6:13 senders[0].webhook.ulr: unknown key",
    ]


@given(
    st.sampled_from(["", "http://", "https://", "https://[", "https://x:", "//"]),
    st.text(max_size=40) | st.text("[]@:/#?%. 019ax", max_size=20),
)
def test_any_text_has_a_problem_or_is_written_to_the_host_that_was_looked_at(
    form: str, text: str
) -> None:
    problem = url_problem(form + text)

    if problem is None:
        with suppress(httpx.InvalidURL):  # posting to it fails then
            assert httpx.URL(form + text).host == urlsplit(form + text).hostname
    else:
        assert problem in PROBLEMS
