from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.domain.subscription import CancelAll, Hub
from gateway.policy.disk_stages import DiskReserve
from gateway.session.timers import Timers
from gateway.settings.gateway import (
    LearningSettings,
    Limits,
    Listener,
    ListenerTls,
    Node,
    NodeRole,
    Privacy,
    RecordKeeping,
    Smsc,
    SmscTls,
    load_gateway,
    load_sealer,
)
from gateway.settings.schema import Address
from gateway.settings.yaml import SettingsError

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

CONTRACT = """\
version: 1
node: {carrier: cmcc, province: 福建, role: origin}
listeners:
  - {name: plain, address: "127.0.0.1:2775"}
  - {name: tls, address: "127.0.0.1:3550", tls: {certificate: tls/cert.pem, key: tls/key.pem, client_ca: null}}   # optional
smscs:
  - {name: main, address: "127.0.0.1:2776", mode: transparent, tls: null}
timers: {session_init_s: 5, pdu_read_s: 10, enquire_link_s: 30, response_s: 30, inactivity_s: 300, reconnect_max_s: 15, drain_s: 15}
limits: {pdu_octets: 70000, sessions: 2000, window: 1000, bad_binds_per_minute: 10}
store: {url: "sqlite:///var/smsward.db"}
records: {directory: var/cdr}
metrics: {address: "127.0.0.1:9464"}
"""  # noqa: E501 - as operators were promised it
NO_FILE = "no such file (a relative path counts from the working directory)"
KEYS = "k1: " + "A" * 86 + "==\nk2: " + "B" * 86 + "==\n"
MINIMAL = """\
version: 1
listeners: [{name: plain, address: "127.0.0.1:2775"}]
smscs: [{name: main, address: "127.0.0.1:2776"}]
"""


@pytest.fixture(autouse=True)
def in_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> Iterator[None]:
    """Work in a directory that has the TLS files of the contract."""
    write("tls/cert.pem", "certificate")
    write("tls/key.pem", "key")
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        yield


def test_the_contract_loads_as_it_was_promised(write: Write) -> None:
    settings = load_gateway(write("gateway.yaml", CONTRACT))

    assert settings.node == Node("cmcc", "福建", NodeRole.ORIGIN)
    assert settings.listeners == (
        Listener("plain", Address("127.0.0.1", 2775)),
        Listener(
            "tls",
            Address("127.0.0.1", 3550),
            ListenerTls(Path("tls/cert.pem"), Path("tls/key.pem")),
        ),
    )
    assert settings.smscs == (Smsc("main", Address("127.0.0.1", 2776)),)
    assert settings.timers == Timers(5, 10, 30, 30, 300, 15, 15)
    assert settings.limits == Limits(70_000, 2_000, 1_000, 10, 100_000)
    assert settings.store.url == "sqlite:///var/smsward.db"
    assert settings.records.directory == Path("var/cdr")
    assert settings.metrics.address == ("127.0.0.1", 9464)


def test_what_is_left_out_is_as_in_the_contract(write: Write) -> None:
    settings = load_gateway(write("gateway.yaml", MINIMAL))

    promised = load_gateway(write("promised.yaml", CONTRACT))
    assert settings.smscs == promised.smscs
    assert settings.timers == promised.timers == Timers()
    assert settings.limits == promised.limits == Limits()
    assert settings.store.url == promised.store.url
    assert settings.records.directory == promised.records.directory
    assert settings.metrics.address == promised.metrics.address
    assert settings.node == Node("unnamed", "unnamed", NodeRole.ORIGIN)


def test_an_smsc_may_be_reached_over_tls(write: Write) -> None:
    text = MINIMAL.replace(
        '2776"',
        '2776", tls: {ca: tls/cert.pem, certificate: tls/cert.pem, key: tls/key.pem,'
        " server_name: smsc.example.net}",
    )

    (smsc,) = load_gateway(write("gateway.yaml", text)).smscs

    assert smsc.tls == SmscTls(
        Path("tls/cert.pem"), Path("tls/cert.pem"), Path("tls/key.pem"), "smsc.example.net"
    )


def test_an_smsc_may_be_trusted_as_the_system_trusts(write: Write) -> None:
    (smsc,) = load_gateway(write("gateway.yaml", MINIMAL.replace('2776"', '2776", tls: {}'))).smscs

    assert smsc.tls == SmscTls()


BROKEN = {
    "unknown key": ("nod: {}", "4:1 nod: unknown key"),
    "unknown key inside": ("limits: {windows: 5}", "4:10 limits.windows: unknown key"),
    "role": (
        "node: {role: middle}",
        "4:14 node.role: Input should be 'origin' or 'terminating'",
    ),
    "hours that YAML 1.1 would convert": (
        "timers: {response_s: 0:30}",
        "4:22 timers.response_s: must be a number",
    ),
    "a timer that would never end": (
        "timers: {response_s: 0}",
        "4:22 timers.response_s: Input should be greater than 0",
    ),
    "a negative timer": (
        "timers: {drain_s: -1}",
        "4:19 timers.drain_s: Input should be greater than or equal to 0",
    ),
    "a timer in words": ("timers: {drain_s: off}", "4:19 timers.drain_s: must be a number"),
    "octal": ("limits: {window: 0100}", "4:18 limits.window: must be a whole number"),
    "fraction": ("limits: {window: 1.5}", "4:18 limits.window: must be a whole number"),
    "no sessions": (
        "limits: {sessions: 0}",
        "4:20 limits.sessions: Input should be greater than or equal to 1",
    ),
    "PDUs of a gigabyte": (
        "limits: {pdu_octets: 1000000000}",
        "4:22 limits.pdu_octets: Input should be less than or equal to 1048576",
    ),
    "a quarantine of nothing": (
        "limits: {held_octets_per_sender: 1000}",
        "4:34 limits.held_octets_per_sender: Input should be greater than or equal to 1048576",
    ),
    "a disk that is full before it is low": (
        "disk: {warn_octets: 1000000, stop_octets: 2000000}",
        "4:7 disk: must fall: warn_octets, stop_octets, full_octets",
    ),
    "another database": (
        'store: {url: "postgresql://db/smsward"}',
        "4:14 store.url: only sqlite:///… is supported so far",
    ),
    "no file": (
        'store: {url: "sqlite:///"}',
        "4:14 store.url: must name a file: sqlite:///var/smsward.db",
    ),
    "memory": (
        'store: {url: "sqlite:///:memory:"}',
        "4:14 store.url: must name a file: sqlite:///var/smsward.db",
    ),
    "memory in disguise": (
        'store: {url: "sqlite:///file:x?mode=memory"}',
        "4:14 store.url: must name a file: sqlite:///var/smsward.db",
    ),
    "records nowhere": ("records: {directory: ''}", "4:22 records.directory: is empty"),
    "records that go before they may": (
        "records: {keep_months: 6, purge_after_months: 5}",
        "4:10 records: purge_after_months is less than keep_months",
    ),
    "records kept for no time": (
        "records: {keep_months: 0}",
        "4:24 records.keep_months: Input should be greater than or equal to 1",
    ),
    "texts by word": ("records: {texts: on}", "4:18 records.texts: must be true or false"),
    "half of privacy": (
        "privacy: {keys: keys.yaml}",
        "4:10 privacy: keys and current go together",
    ),
    "metrics without a port": (
        "metrics: {address: localhost}",
        "4:20 metrics.address: must be host:port, the port 0 to 65535",
    ),
    "metrics on a number": (
        "metrics: {address: 9464}",
        '4:20 metrics.address: must be text such as "127.0.0.1:2775", in quotes',
    ),
    "second version": ("version: 1", "4:1 repeated key 'version' (first in line 1)"),
}


@pytest.mark.parametrize(("line", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_bad_line_is_named(line: str, fault: str, write: Write, faults_of: FaultsOf) -> None:
    path = write("gateway.yaml", f"{MINIMAL}{line}\n")

    assert faults_of(lambda: load_gateway(path)) == [f"gateway.yaml:{fault}"]


def test_records_are_kept_five_months_and_purged_after_six(write: Write) -> None:
    settings = load_gateway(write("gateway.yaml", MINIMAL))

    assert settings.records == RecordKeeping(texts=False, keep_months=5, purge_after_months=6)
    assert settings.privacy is None
    assert load_sealer(settings) is None


def test_keys_to_seal_with_are_found(write: Write) -> None:
    write("keys.yaml", KEYS).chmod(0o600)
    text = MINIMAL + "privacy: {keys: keys.yaml, current: k2}\n"

    settings = load_gateway(write("gateway.yaml", text))

    assert settings.privacy == Privacy("keys.yaml", "k2")
    sealer = load_sealer(settings)
    assert sealer is not None
    assert sealer.seal(b"13800138000").startswith("k2:")


def test_a_current_key_that_is_not_there_is_named(write: Write, faults_of: FaultsOf) -> None:
    write("keys.yaml", KEYS).chmod(0o600)
    path = write("gateway.yaml", MINIMAL + "privacy: {keys: keys.yaml, current: k3}\n")

    assert faults_of(lambda: load_gateway(path)) == [
        "gateway.yaml:4:37 privacy.current: there is no key of this id"
    ]


def test_keys_that_others_may_read_stop_a_start(write: Write, faults_of: FaultsOf) -> None:
    write("keys.yaml", KEYS).chmod(0o644)
    path = write("gateway.yaml", MINIMAL + "privacy: {keys: keys.yaml, current: k1}\n")

    assert faults_of(lambda: load_gateway(path)) == ["keys.yaml:1:1 others may read it: chmod 600"]


def test_r34_hub_codes_are_named_with_what_00000_does_there(write: Write) -> None:
    text = MINIMAL + 'hub: {codes: ["10086", "10010"], cancel_all: list_only}\n'

    hub = load_gateway(write("gateway.yaml", text)).hub

    assert hub == Hub(frozenset({"10086", "10010"}), CancelAll.LIST_ONLY)
    assert load_gateway(write("gateway.yaml", MINIMAL)).hub == Hub(frozenset(), CancelAll.CONFIRM)


@pytest.mark.parametrize(
    ("hub", "fault"),
    [
        ("{codes: [10086]}", "hub.codes[0]: must be text"),
        ('{codes: ["1x"]}', "hub.codes[0]: must be 3 to 20 digits"),
        ("{cancel_all: yes}", "hub.cancel_all: "),
    ],
)
def test_a_faulty_hub_is_told_at_its_place(
    write: Write, faults_of: FaultsOf, hub: str, fault: str
) -> None:
    path = write("gateway.yaml", f"{MINIMAL}hub: {hub}\n")

    assert fault in faults_of(lambda: load_gateway(path))[0]


def test_webhooks_go_to_no_network_of_ours_that_is_not_named(write: Write) -> None:
    text = MINIMAL + 'webhooks: {networks: ["10.20.0.0/16", "::1/128"]}\n'

    assert load_gateway(write("gateway.yaml", MINIMAL)).webhooks.networks == ()
    named = load_gateway(write("gateway.yaml", text)).webhooks.networks
    assert named == (ip_network("10.20.0.0/16"), ip_network("::1/128"))


@pytest.mark.parametrize("network", ["10.20.0.1/16", "10.20", "sp.example.com", "", "fd00::/200"])
def test_what_is_no_network_is_told_at_its_place(
    write: Write, faults_of: FaultsOf, network: str
) -> None:
    path = write("gateway.yaml", f'{MINIMAL}webhooks: {{networks: ["{network}"]}}\n')

    [fault] = faults_of(lambda: load_gateway(path))
    assert "webhooks.networks[0]: " in fault


def test_verdicts_are_learnt_from_unless_told_otherwise(write: Write) -> None:
    text = MINIMAL + "learning: {samples: false, models: /srv/models}\n"

    usual, told = (
        load_gateway(write(f"{name}.yaml", said)).learning
        for name, said in (("usual", MINIMAL), ("told", text))
    )

    assert usual == LearningSettings(samples=True, models=Path("var/models"), trusted_keys=())
    assert told == LearningSettings(samples=False, models=Path("/srv/models"))


def test_keys_that_models_must_be_signed_with_are_read_at_the_start(
    write: Write, faults_of: FaultsOf
) -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    write("ours.pub", pem)
    write("theirs.pub", "no key")
    text = MINIMAL + "learning: {trusted_keys: [ours.pub]}\n"

    assert load_gateway(write("gateway.yaml", text)).learning.trusted_keys == (Path("ours.pub"),)

    path = write("gateway.yaml", text.replace("ours.pub", "ours.pub, theirs.pub"))
    assert faults_of(lambda: load_gateway(path)) == [
        "gateway.yaml:4:37 learning.trusted_keys[1]: holds no public Ed25519 key in PEM"
    ]


@pytest.mark.parametrize(
    ("learning", "fault"),
    [
        ("{samples: yes}", "4:21 learning.samples: "),
        ("{models: []}", "4:20 learning.models: must be text"),
        ("{trusted_keys: [no.pub]}", f"4:27 learning.trusted_keys[0]: {NO_FILE}"),
        ("{trusted_keys: ours.pub}", "4:26 learning.trusted_keys: must be a list"),
        ("{sample: true}", "4:12 learning.sample: "),
    ],
)
def test_faulty_settings_of_learning_are_told_at_their_place(
    write: Write, faults_of: FaultsOf, learning: str, fault: str
) -> None:
    path = write("gateway.yaml", f"{MINIMAL}learning: {learning}\n")

    (found,) = faults_of(lambda: load_gateway(path))

    assert found.startswith(f"gateway.yaml:{fault}")


BROKEN_LINKS = {
    "no listener": (
        ('[{name: plain, address: "127.0.0.1:2775"}]', "[]"),
        "2:12 listeners: List should have at least 1 item after validation, not 0",
    ),
    "no SMSC": (
        ('[{name: main, address: "127.0.0.1:2776"}]', "null"),
        "3:8 smscs: must be a list",
    ),
    "pooled": (
        ('2776"', '2776", mode: pooled'),
        "3:55 smscs[0].mode: pooled is not supported yet; transparent is",
    ),
    "another mode": (
        ('2776"', '2776", mode: proxy'),
        "3:55 smscs[0].mode: must be transparent",
    ),
    "an SMSC at port 0": (
        ("2776", "0"),
        "3:31 smscs[0].address: port 0 cannot be connected to",
    ),
    "no host": (
        ("127.0.0.1:2775", ":2775"),
        "2:36 listeners[0].address: must be host:port, an IPv6 host in brackets",
    ),
    "no certificate": (
        ('2775"', '2775", tls: {key: tls/key.pem}'),
        "2:59 listeners[0].tls.certificate: is missing",
    ),
    "a certificate that is not there": (
        ('2775"', '2775", tls: {certificate: no.pem, key: tls/key.pem}'),
        f"2:73 listeners[0].tls.certificate: {NO_FILE}",
    ),
    "a folder as key": (
        ('2775"', '2775", tls: {certificate: tls/cert.pem, key: tls}'),
        f"2:92 listeners[0].tls.key: {NO_FILE}",
    ),
    "half a pair": (
        ('2776"', '2776", tls: {certificate: tls/cert.pem}'),
        "3:54 smscs[0].tls: certificate and key go together",
    ),
    "tls by word": (('2776"', '2776", tls: on'), "3:54 smscs[0].tls: must be a mapping"),
    "a name twice": (
        ("[{name: plain", '[{name: plain, address: "[::1]:2775"}, {name: plain'),
        "2:58 listeners[1].name: as in line 2 already",
    ),
    "an address twice": (
        ("[{name: plain", '[{name: other, address: "127.0.0.1:2775"}, {name: plain'),
        "2:78 listeners[1].address: as in line 2 already",
    ),
}


@pytest.mark.parametrize(("change", "fault"), BROKEN_LINKS.values(), ids=BROKEN_LINKS)
def test_a_bad_listener_or_smsc_is_named(
    change: tuple[str, str], fault: str, write: Write, faults_of: FaultsOf
) -> None:
    path = write("gateway.yaml", MINIMAL.replace(*change))

    assert faults_of(lambda: load_gateway(path)) == [f"gateway.yaml:{fault}"]


def test_a_key_file_without_leave_to_read_is_named(
    write: Write, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tests may run as root, whom no file mode stops.
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "key.pem")
    path = write("gateway.yaml", CONTRACT)

    assert faults_of(lambda: load_gateway(path)) == [
        "gateway.yaml:5:82 listeners[1].tls.key: this file cannot be read"
    ]


def test_all_faults_are_told_at_once(write: Write, faults_of: FaultsOf) -> None:
    text = MINIMAL.replace("2776", "x") + "limits: {window: no}\nstore: {urls: x}\nfoo: 1\n"
    path = write("gateway.yaml", text)

    assert [fault.split(" ")[0] for fault in faults_of(lambda: load_gateway(path))] == [
        "gateway.yaml:3:31",
        "gateway.yaml:4:18",
        "gateway.yaml:5:9",
        "gateway.yaml:6:1",
    ]


def test_a_missing_file_is_named(tmp_path: Path, faults_of: FaultsOf) -> None:
    assert faults_of(lambda: load_gateway(tmp_path / "gateway.yaml")) == [
        "gateway.yaml:1:1 cannot be read: No such file or directory"
    ]


def test_a_second_smsc_is_refused_rather_than_ignored(write: Write) -> None:
    second = ', {name: spare, address: "127.0.0.1:2777"}]'
    path = write("gateway.yaml", MINIMAL.replace('2776"}]', '2776"}' + second))

    with pytest.raises(SettingsError) as caught:
        load_gateway(path)

    (fault,) = caught.value.faults
    assert "more than one SMSC is not supported yet" in fault.problem


def test_bounds_of_what_grows_are_read(write: Write) -> None:
    more = """\
limits: {held_octets_per_sender: 2097152}
store: {max_octets: 3145728}
records: {max_octets_per_day: 4194304}
disk: {warn_octets: 30, stop_octets: 20, full_octets: 10}
"""

    settings = load_gateway(write("gateway.yaml", MINIMAL + more))

    assert settings.limits.held_octets_per_sender == 2 * 2**20
    assert settings.store.max_octets == 3 * 2**20
    assert settings.records.max_octets_per_day == 4 * 2**20
    assert settings.disk == DiskReserve(30, 20, 10)
