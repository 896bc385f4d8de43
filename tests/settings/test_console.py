"""console.yaml: where the API answers, and to whom."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.permissions import UserRole
from gateway.settings.console import load_console, load_port_owners, load_system_ids
from gateway.settings.credentials import digest_of
from gateway.settings.directories import check
from gateway.settings.schema import Address
from gateway.settings.yaml import SettingsError

DIGEST = sha256(b"a token").hexdigest()
TOKEN = "a-token-in-the-environment-of-this-process"
WHOLE = f"""\
version: 1
address: "127.0.0.1:8443"
clients:
  - {{name: shop app, role: sp, system_id: shop, token: "sha256:{DIGEST}"}}
  - {{name: 营业厅, role: clerk, channels: [hall, complaint], token: "env:SMSWARD_TOKEN"}}
"""
SP = f'{{name: shop, role: sp, system_id: shop, token: "sha256:{DIGEST}"}}'


@pytest.fixture
def write_api(tmp_path: Path) -> Callable[[str], Path]:
    def write_api(text: str) -> Path:
        path = tmp_path / "console.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_api


WriteApi = Callable[[str], Path]


def faults_of(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_console(path, {"shop"})
    return [str(fault).removeprefix(f"{path}:") for fault in raised.value.faults]


def test_a_whole_file_names_address_and_clients(
    write_api: WriteApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSWARD_TOKEN", TOKEN)

    settings = load_console(write_api(WHOLE), {"shop"})

    assert (settings.address, settings.tls) == (Address("127.0.0.1", 8443), None)
    assert settings.clients == (
        ApiClient("shop app", ApiRole.SP, bytes.fromhex(DIGEST), "shop"),
        ApiClient(
            "营业厅",
            ApiRole.CLERK,
            digest_of(TOKEN),
            channels=(RefusalChannel.HALL, RefusalChannel.COMPLAINT),
        ),
    )
    assert DIGEST not in repr(settings)


def test_without_an_address_it_is_a_loopback_one(write_api: WriteApi) -> None:
    settings = load_console(write_api(f"version: 1\nclients: [{SP}]\n"), None)

    assert settings.address == Address("127.0.0.1", 8080)


@pytest.mark.parametrize("address", ["0.0.0.0:8443", "api.example.com:8443", "[::]:8443"])
def test_an_address_that_others_reach_needs_tls(
    write_api: WriteApi, tmp_path: Path, address: str
) -> None:
    (tmp_path / "file.pem").write_text("not looked into here", encoding="utf-8")
    text = f'version: 1\naddress: "{address}"\nclients: [{SP}]\n'
    tls = f"tls: {{certificate: {tmp_path}/file.pem, key: {tmp_path}/file.pem}}\n"

    assert faults_of(write_api(text)) == ["2:10 address: others reach it, so tls must be given"]
    settings = load_console(write_api(text + tls), {"shop"})
    assert settings.tls is not None
    assert settings.tls.key == tmp_path / "file.pem"


@pytest.mark.parametrize("address", ["localhost:8080", "[::1]:8080", "127.0.0.2:0"])
def test_on_loopback_nobody_listens_in(write_api: WriteApi, address: str) -> None:
    text = f'version: 1\naddress: "{address}"\nclients: [{SP}]\n'

    assert load_console(write_api(text), {"shop"}).tls is None


@pytest.mark.parametrize(
    ("client", "fault"),
    [
        ('{name: "", role: app, token: T}', "name: must be 1 to 32 letters"),
        ('{name: "a\\eb", role: app, token: T}', "name: must be 1 to 32 letters"),
        (f"{{name: {'a' * 33}, role: app, token: T}}", "name: must be 1 to 32 letters"),
        ("{name: a, role: root, token: T}", "role: "),
        ("{name: a, role: sp, token: T}", "a client of the role sp has a system_id"),
        ("{name: a, role: app, system_id: shop, token: T}", "a client of the role sp has"),
        ("{name: a, role: clerk, token: T}", "a client of the role clerk has channels"),
        ("{name: a, role: app, channels: [hall], token: T}", "a client of the role clerk has"),
        ("{name: a, role: clerk, channels: [mo], token: T}", "channels[0]: "),
        ("{name: a, role: sender, token: T}", "role: "),
        ("{name: a, role: regulator, token: T}", "a client of the role regulator has a province"),
        ("{name: a, role: viewer, province: 广东, token: T}", "a client of the role regulator has"),
        ('{name: a, role: regulator, province: "", token: T}', "province: must be 1 to 32"),
        ('{name: a, role: regulator, province: "a\\tb", token: T}', "province: must be 1 to 32"),
        ("{name: a, role: sp, system_id: gone, token: T}", "there is no such sender"),
        ('{name: a, role: app, token: "secret"}', 'token: must be "sha256:" and 64'),
        ('{name: a, role: app, token: "sha256:12"}', 'token: must be "sha256:" and 64'),
        ('{name: a, role: app, token: "env:1"}', 'token: must be "sha256:" and 64'),
        ('{name: a, role: app, token: "env:NOWHERE"}', "token: environment variable NOWHERE"),
        ('{name: a, role: app, token: "env:SHORT"}', "token: SHORT must hold a token of at least"),
        ('{name: a, role: app, token: "env:ODD"}', "token: ODD must hold a token of at least"),
        ("{name: a, role: app}", "token: is missing"),
        ("{name: a, role: app, token: T, colour: red}", "colour: unknown key"),
    ],
)
def test_every_fault_is_told_with_its_place_and_shows_no_token(
    write_api: WriteApi, monkeypatch: pytest.MonkeyPatch, client: str, fault: str
) -> None:
    monkeypatch.setenv("SHORT", "tooshort")
    monkeypatch.setenv("ODD", "令" * 40)
    client = client.replace("token: T", f'token: "sha256:{DIGEST}"')

    faults = faults_of(write_api(f"version: 1\nclients:\n  - {client}\n"))

    assert len(faults) == 1
    assert faults[0].startswith("3:")
    assert fault in faults[0]
    assert not any(secret in faults[0] for secret in (DIGEST, "secret", "tooshort", "令"))


def test_an_address_that_is_none_is_one_fault(write_api: WriteApi) -> None:
    [fault] = faults_of(write_api(f"version: 1\naddress: everywhere\nclients: [{SP}]\n"))

    assert fault.startswith("2:10 address: must be host:port")


@pytest.mark.parametrize("text", ["version: 2\nclients: []\n", "version: 1\nclients: [1]\n", "[]"])
def test_a_file_of_another_version_or_shape_is_refused(write_api: WriteApi, text: str) -> None:
    assert faults_of(write_api(text))


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nclients: []\n"])
def test_a_console_for_people_alone_has_no_clients(write_api: WriteApi, text: str) -> None:
    assert load_console(write_api(text), None).clients == ()


def test_names_and_tokens_stand_there_once(write_api: WriteApi) -> None:
    faults = faults_of(write_api(f"version: 1\nclients:\n  - {SP}\n  - {SP}\n"))

    assert len(faults) == 2
    assert all("as in line 3 already" in fault for fault in faults)
    assert not any(DIGEST in fault for fault in faults)


def test_the_sps_are_known_although_their_passwords_are_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "senders.yaml"
    path.write_text(
        'version: 1\nsenders: [{system_id: shop, password: "env:ELSEWHERE"}, {}, 1]\n',
        encoding="utf-8",
    )

    assert load_system_ids(path) == {"shop"}


def test_check_looks_at_the_api_too(write_api: WriteApi, tmp_path: Path) -> None:
    without = check(tmp_path, tmp_path / "policies")
    path = write_api("version: 9\n")

    faults = check(tmp_path, tmp_path / "policies")

    assert [fault.path for fault in set(faults) - set(without)] == [path]


def test_r63_who_brings_what_other_networks_send_is_known_without_passwords(tmp_path: Path) -> None:
    path = tmp_path / "senders.yaml"
    path.write_text(
        'version: 1\nsenders:\n  - {system_id: cmcc, kind: peer, password: "env:NOT_HERE"}\n',
        encoding="utf-8",
    )

    assert load_port_owners(path).peers == {"cmcc"}


def test_who_owns_a_port_is_known_also_where_the_file_has_faults(tmp_path: Path) -> None:
    path = tmp_path / "senders.yaml"
    path.write_text(
        """\
version: 1
senders:
  - system_id: shop
    password: "env:NOT_IN_THIS_PROCESS"
    ports: [{number: "10690001", extension_digits: 2, purpose: marketing}, {number: 7}]
  - {system_id: 7, ports: [{number: "10690002", purpose: service}]}
""",
        encoding="utf-8",
    )

    owners = load_port_owners(path)

    assert owners.peers == set()
    assert owners.port_of("1069000112") == ("10690001", ("shop",))
    assert owners.of("10690002") == ()


def test_a_file_of_the_former_name_is_told_beside_the_faults_of_the_new_one(
    write_api: WriteApi, tmp_path: Path
) -> None:
    new = write_api("version: 9\n")
    former = tmp_path / "api.yaml"
    former.write_text("version: 1\n", encoding="utf-8")

    faults = [fault for fault in check(tmp_path, tmp_path) if fault.path in {new, former}]

    assert {fault.path for fault in faults} == {new, former}
    assert "rename it to console.yaml" in " ".join(fault.problem for fault in faults)


def test_how_long_sessions_last_is_settled(write_api: WriteApi) -> None:
    usual = load_console(write_api("version: 1\n"), None).sessions
    text = "version: 1\nsessions: {idle_minutes: 10, absolute_hours: 8, per_user: 2}\n"
    shorter = load_console(write_api(text), None).sessions

    assert (usual.idle_minutes, usual.absolute_hours, usual.per_user) == (30, 12, 10)
    assert (shorter.idle_minutes, shorter.absolute_hours, shorter.per_user) == (10, 8, 2)


@pytest.mark.parametrize("limit", ["idle_minutes: 0", "absolute_hours: 169", "per_user: 0"])
def test_a_session_lasts_neither_for_ever_nor_not_at_all(write_api: WriteApi, limit: str) -> None:
    assert faults_of(write_api(f"version: 1\nsessions: {{{limit}}}\n"))


def test_behind_a_proxy_with_tls_others_reach_the_proxy_alone(write_api: WriteApi) -> None:
    text = 'version: 1\naddress: "0.0.0.0:8080"\nbehind_tls_proxy: '

    assert load_console(write_api(f"{text}true\n"), None).behind_tls_proxy
    assert faults_of(write_api(f"{text}false\n")) == [
        "2:10 address: others reach it, so tls must be given"
    ]


OIDC = """\
version: 1
oidc:
  issuer: https://id.example/realms/staff
  client_id: smsward
  client_secret: env:SMSWARD_OIDC
  redirect_uri: https://console.example/sign-in/oidc/done
"""
SECRET = "a secret of the provider and us"


def test_a_provider_is_read_with_the_roles_that_it_gives(
    write_api: WriteApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSWARD_OIDC", SECRET)
    roles = "  role_claim: groups\n  roles: {sms-lead: senior_reviewer}\n  make_users: true\n"

    plain = load_console(write_api(OIDC), None).oidc
    found = load_console(write_api(OIDC + roles), None).oidc

    assert plain is not None
    assert (plain.client_secret, plain.makes_users, plain.label) == (SECRET, False, "SSO")
    assert found is not None
    assert found.role_of({"groups": ["all", "sms-lead"]}) is UserRole.SENIOR_REVIEWER
    assert found.role_of({"groups": ["all"]}) is None


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("  role_claim: groups\n", "role_claim and roles go together"),
        ("  roles: {a: viewer}\n", "role_claim and roles go together"),
        ("  role_claim: g\n  roles: {a: admin}\n", "given by people, not by a claim"),
        ("  role_claim: g\n  roles: {a: sender}\n", "given by people, not by a claim"),
        ("  role_claim: g\n  roles: {a: king}\n", "oidc.roles.a: Input should be"),
        ("  make_users: true\n", "needs a default_role"),
        ("  default_role: viewer\n", "goes with make_users"),
        ("  make_users: true\n  default_role: admin\n", "given by people, not by a claim"),
        ("  scope: all\n", "unknown key"),
    ],
)
def test_a_provider_gives_no_role_that_people_must_give(
    write_api: WriteApi, monkeypatch: pytest.MonkeyPatch, more: str, problem: str
) -> None:
    monkeypatch.setenv("SMSWARD_OIDC", SECRET)

    with pytest.raises(SettingsError) as caught:
        load_console(write_api(OIDC + more), None)

    assert problem in str(caught.value.faults[0])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("https://id.example/realms/staff", "http://id.example", "must begin with https://"),
        ("https://console.example", "http://console.example", "must begin with https://"),
        ("https://id.example/realms/staff", '"https://["', "is no address"),
        ("https://id.example/realms/staff", '"https://id.example/#x"', "is no address"),
        ("env:SMSWARD_OIDC", "env:SMSWARD_NOT_SET", "is not set"),
        ("env:SMSWARD_OIDC", "secret", "must be env:NAME or plain:secret"),
    ],
)
def test_a_provider_is_asked_over_tls_with_a_secret(
    write_api: WriteApi, monkeypatch: pytest.MonkeyPatch, old: str, new: str, problem: str
) -> None:
    monkeypatch.setenv("SMSWARD_OIDC", SECRET)

    with pytest.raises(SettingsError) as caught:
        load_console(write_api(OIDC.replace(old, new)), None)

    assert problem in str(caught.value.faults[0])


def test_which_acts_need_two_persons_is_settled(write_api: WriteApi) -> None:
    usual = load_console(write_api("version: 1\n"), None).two_persons
    text = (
        "version: 1\ntwo_persons: {make_admin: true, release_campaign_above: 100,"
        " switch_rule_off: true, unmask_in_bulk_above: 20}\n"
    )
    strict = load_console(write_api(text), None).two_persons

    assert (usual.make_admin, usual.release_campaign_above, usual.expires_hours) == (
        False,
        None,
        24,
    )
    assert (strict.make_admin, strict.release_campaign_above) == (True, 100)
    assert (usual.switch_rule_off, usual.unmask_in_bulk_above) == (False, None)
    assert (strict.switch_rule_off, strict.unmask_in_bulk_above) == (True, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        "release_campaign_above: 0",
        "expires_hours: 0",
        "unmask_in_bulk_above: 0",
        "unmask_in_bulk_above: 10001",
        "switch_rule_off: 1",
        "x: true",
    ],
)
def test_what_is_no_rule_of_two_persons_is_a_fault(write_api: WriteApi, wrong: str) -> None:
    assert faults_of(write_api(f"version: 1\ntwo_persons: {{{wrong}}}\n"))
