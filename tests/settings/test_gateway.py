from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.domain.sanction import SanctionLadder, SanctionStep
from gateway.domain.sender import PORT_PROBLEM, Route
from gateway.domain.subscription import CancelAll, Hub
from gateway.policy.complaint_words import ComplaintFormat
from gateway.policy.disk_stages import DiskReserve
from gateway.session.timers import Timers
from gateway.settings.gateway import (
    LearningSettings,
    Limits,
    Listener,
    ListenerTls,
    MailSettings,
    MailTls,
    Node,
    NodeRole,
    Privacy,
    RecordKeeping,
    control_of,
    groups_of,
    load_gateway,
    load_sealer,
)
from gateway.settings.schema import Address
from gateway.settings.smscs import (
    OutbindPeer,
    OwnAccount,
    OwnBindType,
    Smsc,
    SmscGroups,
    SmscMode,
    SmscTls,
)
from gateway.settings.yaml import anchor, read

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
NO_FILE = "no such file (a relative path counts from the file that names it)"
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


def test_the_contract_loads_as_it_was_promised(write: Write, tmp_path: Path) -> None:
    settings = load_gateway(write("gateway.yaml", CONTRACT))

    assert settings.node == Node("cmcc", "福建", NodeRole.ORIGIN)
    assert settings.listeners == (
        Listener("plain", Address("127.0.0.1", 2775)),
        Listener(
            "tls",
            Address("127.0.0.1", 3550),
            ListenerTls(tmp_path / "tls/cert.pem", tmp_path / "tls/key.pem"),
        ),
    )
    assert settings.smscs == (Smsc("main", Address("127.0.0.1", 2776)),)
    assert settings.timers == Timers(5, 10, 30, 30, 300, 15, 15)
    assert settings.limits == Limits(70_000, 2_000, 1_000, 10, 100_000)
    assert settings.store.url == f"sqlite:///{tmp_path}/var/smsward.db"
    assert settings.records.directory == tmp_path / "var/cdr"
    assert settings.metrics.address == ("127.0.0.1", 9464)


def test_what_is_left_out_is_as_in_the_contract(write: Write) -> None:
    settings = load_gateway(write("gateway.yaml", MINIMAL))

    promised = load_gateway(write("promised.yaml", CONTRACT))
    assert settings.smscs == promised.smscs
    assert settings.timers == promised.timers == Timers()
    assert settings.limits == promised.limits == Limits()
    assert settings.store.url == "sqlite:///var/smsward.db"
    assert settings.records.directory == Path("var/cdr")
    assert settings.metrics.address == promised.metrics.address
    assert settings.node == Node("unnamed", "unnamed", NodeRole.ORIGIN)


def test_an_smsc_may_be_reached_over_tls(write: Write, tmp_path: Path) -> None:
    text = MINIMAL.replace(
        '2776"',
        '2776", tls: {ca: tls/cert.pem, certificate: tls/cert.pem, key: tls/key.pem,'
        " server_name: smsc.example.net}",
    )

    (smsc,) = load_gateway(write("gateway.yaml", text)).smscs

    certificate, key = tmp_path / "tls/cert.pem", tmp_path / "tls/key.pem"
    assert smsc.tls == SmscTls(certificate, certificate, key, "smsc.example.net")


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
    "a name too long for an owner of cases": (
        f"node: {{carrier: {'x' * 32}, province: {'y' * 32}}}",
        "4:7 carrier/province: at most 64 characters",
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


def test_keys_to_seal_with_are_found(write: Write, tmp_path: Path) -> None:
    write("keys.yaml", KEYS).chmod(0o600)
    text = MINIMAL + "privacy: {keys: keys.yaml, current: k2}\n"

    settings = load_gateway(write("gateway.yaml", text))

    assert settings.privacy == Privacy(str(tmp_path / "keys.yaml"), "k2")
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


def test_r80_report_codes_are_named_with_what_is_written_there(write: Write) -> None:
    text = MINIMAL + 'complaints: {codes: {"12321": star, "7726": two_step}}\n'

    complaints = load_gateway(write("gateway.yaml", text)).complaints

    assert complaints.codes == {"12321": ComplaintFormat.STAR, "7726": ComplaintFormat.TWO_STEP}
    assert complaints.formats[b"7726"] is ComplaintFormat.TWO_STEP
    assert not load_gateway(write("gateway.yaml", MINIMAL)).complaints.codes


def test_r88_no_complaints_suspend_a_port_where_zero_reporters_do(
    write: Write, faults_of: FaultsOf
) -> None:
    off = write("gateway.yaml", MINIMAL + "complaints: {reporters: 0}\n")
    read = load_gateway(off).complaints.threshold

    alone = write("gateway.yaml", MINIMAL + "complaints: {reporters: 1}\n")
    (fault,) = faults_of(lambda: load_gateway(alone))

    assert read.reporters == 0
    assert "complaints.reporters: must be 2 or more, or 0 for never" in str(fault)


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        ('{"1x": star}', "complaints.codes.1x: must be 3 to 20 digits"),
        ('{"12321": stars}', "complaints.codes.12321: Input should be 'star', 'hash', 'colon'"),
        ('["12321"]', "complaints.codes: must be a mapping"),
        (f"{{{', '.join(f'1{n:03}: star' for n in range(65))}}}", "complaints.codes: "),
    ],
)
def test_r80_faulty_report_codes_are_told_at_their_place(
    write: Write, faults_of: FaultsOf, codes: str, fault: str
) -> None:
    path = write("gateway.yaml", f"{MINIMAL}complaints: {{codes: {codes}}}\n")

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
    write: Write, faults_of: FaultsOf, tmp_path: Path
) -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    write("ours.pub", pem)
    write("theirs.pub", "no key")
    text = MINIMAL + "learning: {trusted_keys: [ours.pub]}\n"

    assert load_gateway(write("gateway.yaml", text)).learning.trusted_keys == (
        tmp_path / "ours.pub",
    )

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
    "pooled without a password": (
        ('2776"', '2776", mode: pooled, system_id: gw'),
        "3:9 smscs[0]: system_id and password go with mode: pooled, and that with both",
    ),
    "a password of nobody": (
        ('2776"', '2776", password: "plain:gw"'),
        "3:9 smscs[0]: system_id and password go with mode: pooled, and that with both",
    ),
    "a hash": (
        ('2776"', '2776", mode: pooled, system_id: gw, password: "$argon2id$v=19"'),
        "3:88 smscs[0].password: must be env:NAME or plain:secret: the SMSC is sent it",
    ),
    "a pooled receiver": (
        ('2776"', '2776", mode: pooled, system_id: gw, password: "plain:gw", bind_type: rx'),
        "3:9 smscs[0]: bind_type must be trx or tx: messages go there",
    ),
    "two modes in one group": (
        (
            '2776"}',
            (
                '2776"}, {name: b, address: "127.0.0.1:1", mode: pooled, system_id: g,'
                ' password: "plain:g"}'
            ),
        ),
        "3:90 the group main has SMSCs of another mode",
    ),
    "no mode beside another": (
        (
            "{name: main,",
            (
                '{name: b, address: "127.0.0.1:1", mode: pooled, system_id: g,'
                ' password: "plain:g"}, {name: main,'
            ),
        ),
        "3:100 the group main has SMSCs of another mode",
    ),
    "another mode": (
        ('2776"', '2776", mode: proxy'),
        "3:55 smscs[0].mode: Input should be 'transparent' or 'pooled'",
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
    "a hash that the SMSC cannot be shown": (
        ('2776"', '2776", own_bind: {system_id: gw, password: "$argon2id$v=19"}'),
        "3:85 smscs[0].own_bind.password: must be env:NAME or plain:secret: the SMSC is sent it",
    ),
    "a long password": (
        ('2776"', '2776", own_bind: {system_id: gw, password: "plain:123456789"}'),
        (
            "3:85 smscs[0].own_bind.password: the password is longer than the 8 octets a bind can"
            " carry"
        ),
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


def test_an_smsc_may_have_a_bind_of_the_gateways_own(write: Write) -> None:
    own = 'own_bind: {bind_type: receiver, system_id: gw, password: "plain:secret"}'
    path = write("gateway.yaml", MINIMAL.replace('2776"', f'2776", {own}'))

    (smsc,) = load_gateway(path).smscs

    assert smsc.own_bind == OwnAccount("gw", "plain:secret", OwnBindType.RECEIVER)
    assert "secret" not in repr(smsc)


OUTBIND = 'outbind: {addresses: ["10.0.0.0/8"], system_id: smsc, password: "plain:secret"}'


def test_an_smsc_may_ask_for_the_bind(write: Write) -> None:
    own = f'own_bind: {{system_id: gw, password: "plain:gw"}}, {OUTBIND}'
    path = write("gateway.yaml", MINIMAL.replace('2776"', f'2776", {own}'))

    (smsc,) = load_gateway(path).smscs

    assert smsc.outbind == OutbindPeer((ip_network("10.0.0.0/8"),), "smsc", "plain:secret")
    assert "secret" not in repr(smsc)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (OUTBIND, "smscs[0]: outbind needs an account to bind with: own_bind, or mode: pooled"),
        (
            OUTBIND.replace('["10.0.0.0/8"]', "[]"),
            "smscs[0].outbind.addresses: List should have at least 1 item after validation, not 0",
        ),
    ],
)
def test_an_outbind_that_could_not_be_answered_is_a_fault(
    write: Write, faults_of: FaultsOf, more: str, problem: str
) -> None:
    path = write("gateway.yaml", MINIMAL.replace('2776"', f'2776", {more}'))

    (fault,) = faults_of(lambda: load_gateway(path))

    assert fault.partition(" ")[2] == problem


def test_smscs_have_groups_priorities_and_weights(write: Write) -> None:
    second = ', {name: spare, address: "127.0.0.1:2777", group: codes, priority: 2, weight: 3}]'

    settings = load_gateway(write("gateway.yaml", MINIMAL.replace('2776"}]', '2776"}' + second)))

    assert [(s.name, s.group, s.priority, s.weight) for s in settings.smscs] == [
        ("main", "main", 1, 1),
        ("spare", "codes", 2, 3),
    ]
    assert groups_of(settings) == SmscGroups(frozenset({"main", "codes"}))
    assert groups_of(None) == SmscGroups()


NEEDS_POOLED = "a destination prefix needs pooled groups, and main is transparent: there a session"
POOLED = MINIMAL.replace(
    '2776"}]',
    '2776"}, {name: b, address: "127.0.0.1:2777", group: abroad, mode: pooled, system_id: gw,'
    ' password: "plain:gw"}]',
)


def test_routes_name_a_group_for_prefixes_of_source_and_destination(write: Write) -> None:
    routes = """\
routes:
  - {group: main, source: "1069"}
  - {group: abroad, destination: "852"}
  - {group: abroad, source: "BANK", destination: "852"}
"""

    groups = groups_of(load_gateway(write("gateway.yaml", POOLED + routes)))

    assert groups.pooled == {"abroad"}
    assert groups.routes == (
        Route("main", "1069"),
        Route("abroad", destination="852"),
        Route("abroad", "BANK", "852"),
    )


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (
            '{group: main, destination: "852"}',
            f"{NEEDS_POOLED} has one bind, and each of its messages may go to another group",
        ),
        ('{group: gone, source: "1069"}', "no SMSC is of the group gone"),
        ("{group: main}", "routes[0]: needs a source, a destination, or both"),
        (
            '{group: abroad, destination: "+852"}',
            "routes[0].destination: must be 1 to 15 digits of the international form, no +",
        ),
        ('{group: main, source: "1 069"}', f"routes[0].source: {PORT_PROBLEM}"),
        (
            '{group: main, source: "1069"}, {group: abroad, source: "1069"}',
            "has the prefixes of the route in line 4",
        ),
        ("3", "routes[0]: must be a mapping"),
    ],
)
def test_a_route_that_leads_nowhere_is_a_fault(
    write: Write, faults_of: FaultsOf, route: str, problem: str
) -> None:
    path = write("gateway.yaml", POOLED + f"routes: [{route}]\n")

    (fault,) = faults_of(lambda: load_gateway(path))

    assert fault.partition(" ")[2] == problem


def test_the_contract_of_several_smscs_loads_as_it_was_promised(write: Write) -> None:
    own = 'mode: pooled, binds: 4, system_id: gw, password: "plain:gw", group: main'
    smscs = (
        f'smscs: [{{name: a, address: "127.0.0.1:2776", {own}, priority: 1}},'
        f' {{name: b, address: "127.0.0.1:2777", {own}, priority: 2}}]\n'
    )
    text = MINIMAL.replace('smscs: [{name: main, address: "127.0.0.1:2776"}]\n', smscs)

    settings = load_gateway(write("gateway.yaml", text))

    assert [(one.name, one.mode, one.binds, one.priority) for one in settings.smscs] == [
        ("a", SmscMode.POOLED, 4, 1),
        ("b", SmscMode.POOLED, 4, 2),
    ]


def test_a_pooled_smsc_has_binds_of_the_gateways_own(write: Write) -> None:
    own = '2776", mode: pooled, binds: 4, system_id: gw, password: "plain:gw"'

    (smsc,) = load_gateway(write("gateway.yaml", MINIMAL.replace('2776"', own))).smscs

    assert (smsc.is_pooled, smsc.binds, smsc.window, smsc.system_id) == (True, 4, 100, "gw")
    assert "plain:gw" not in repr(smsc)


def test_an_smsc_stands_there_once(write: Write, faults_of: FaultsOf) -> None:
    second = ', {name: main, address: "127.0.0.1:2776"}]'
    path = write("gateway.yaml", MINIMAL.replace('2776"}]', '2776"}' + second))

    faults = faults_of(lambda: load_gateway(path))

    assert [fault.partition(" ")[2] for fault in faults] == [
        "smscs[1].name: as in line 3 already",
        "smscs[1].address: as in line 3 already",
    ]


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


def test_relative_paths_count_from_the_file_that_names_them(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("etc/gateway.yaml", CONTRACT.replace("tls/", "../tls/").replace("///v", "///../v"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    settings = load_gateway(Path("../etc/gateway.yaml"))

    assert path.is_file()
    assert settings.store.path == tmp_path / "var/smsward.db"
    assert settings.store.control == control_of(path) == tmp_path / "var/smsward.db.control"
    assert settings.records.directory == tmp_path / "etc/var/cdr"
    tls = settings.listeners[1].tls
    assert tls is not None
    assert tls.certificate == tmp_path / "tls/cert.pem"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/smsward.db", "sqlite:///:memory:"])
def test_an_absolute_path_and_what_is_no_path_stay_as_they_are(
    write: Write, faults_of: FaultsOf, url: str
) -> None:
    path = write("gateway.yaml", f'{MINIMAL}store: {{url: "{url}"}}\n')

    if "memory" in url:
        assert faults_of(lambda: load_gateway(path)) == [
            "gateway.yaml:4:14 store.url: must name a file: sqlite:///var/smsward.db"
        ]
    else:
        assert load_gateway(path).store.url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://gateway:secret@db.example/smsward",
        "postgresql+asyncpg://db.example/smsward",
        "postgresql:///smsward",
    ],
)
def test_the_url_of_a_server_is_no_path_and_its_refusal_shows_no_password(
    write: Write, faults_of: FaultsOf, url: str
) -> None:
    path = write("gateway.yaml", f'{MINIMAL}store: {{url: "{url}"}}\n')
    document = read(path)

    assert anchor(document, [("store", "url")]) == []
    assert [found for _, found in document.find("store", "url")] == [url]
    assert faults_of(lambda: load_gateway(path)) == [
        "gateway.yaml:4:14 store.url: only sqlite:///… is supported so far"
    ]


@pytest.mark.parametrize(
    ("place", "setting", "text"),
    [
        ("var/smsward.db", "store.url", 'store: {url: "sqlite:///var/smsward.db"}'),
        ("var/cdr/cdr-20131104-09.jsonl", "records.directory", "records: {directory: var/cdr}"),
        ("var/models/models.json", "learning.models", "learning: {models: var/models}"),
    ],
)
def test_data_left_behind_below_the_working_directory_stop_a_start(
    write: Write, faults_of: FaultsOf, tmp_path: Path, place: str, setting: str, text: str
) -> None:
    path = write("etc/gateway.yaml", f"{MINIMAL}{text}\n")
    write(place, "data")

    (fault,) = faults_of(lambda: load_gateway(path))
    write(f"etc/{place}", "data")

    assert f"{setting}: counts from this file: {tmp_path}/etc/var/" in fault
    assert f"and {tmp_path}/var/" in fault
    assert load_gateway(path).version == 1


MAIL = 'server: "smtp.example.com:587", sender: "gw@example.com"'


def test_mail_goes_over_starttls_unless_it_is_said_otherwise(write: Write) -> None:
    written = f'{MINIMAL}mail: {{{MAIL}, user: gw, password: "plain:x"}}\n'

    mail = load_gateway(write("gateway.yaml", written)).mail

    assert load_gateway(write("gateway.yaml", MINIMAL)).mail is None
    assert mail == MailSettings(
        Address("smtp.example.com", 587), "gw@example.com", MailTls.STARTTLS, "gw", "plain:x"
    )
    assert "plain:x" not in repr(mail)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (MAIL.replace(":587", ":0"), "port 0 cannot be connected to"),
        (MAIL.replace("gw@", "gw\\r\\nBcc: x@"), "must be as name@example.com"),
        (f"{MAIL}, user: gw", "user and password go together"),
        (f'{MAIL}, tls: off, user: gw, password: "plain:x"', "needs tls"),
        (f"{MAIL}, user: gw, password: secret", "must be env:NAME or plain:secret"),
        (f'{MAIL}, user: gw, password: "env:NO_SUCH_VARIABLE"', "NO_SUCH_VARIABLE"),
    ],
)
def test_faulty_mail_is_told_at_its_place(
    write: Write, faults_of: FaultsOf, said: str, problem: str
) -> None:
    path = write("gateway.yaml", f"{MINIMAL}mail: {{{said}}}\n")

    (fault,) = faults_of(lambda: load_gateway(path))

    assert problem in fault


XARF = "org: 中国联通, contact: abuse@unicom.example, domain: unicom.example"
HOOK = '{name: hoster, url: "https://hoster.example/xarf", key: "plain:' + "k" * 32 + '"}'


def test_who_reports_abuse_and_to_which_webhooks_is_read(write: Write) -> None:
    text = f"{MINIMAL}xarf: {{{XARF}, webhooks: [{HOOK}]}}\n"

    xarf = load_gateway(write("gateway.yaml", text)).xarf

    assert load_gateway(write("gateway.yaml", MINIMAL)).xarf is None
    assert xarf is not None
    assert (xarf.org, xarf.contact, xarf.domain) == (
        *("中国联通", "abuse@unicom.example", "unicom.example"),
    )
    assert [one.webhook.url for one in xarf.webhooks] == ["https://hoster.example/xarf"]
    assert "kkk" not in repr(xarf)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (XARF.replace("domain: unicom.example", "domain: unicom"), "xarf.domain: "),
        (XARF.replace("domain: unicom.example", "domain: Unicom.example"), "xarf.domain: "),
        (XARF.replace("abuse@unicom.example", "abuse"), "xarf.contact: "),
        (f"{XARF}, webhooks: [{HOOK}, {HOOK}]", "webhooks[1].name: as in line 4 already"),
        (f"{XARF}, webhooks: [{HOOK.replace('https', 'http')}]", "webhooks[0].url: "),
        (f"{XARF}, webhooks: [{HOOK.replace('k' * 32, 'k')}]", "webhooks[0].key: "),
    ],
)
def test_a_faulty_xarf_is_told_at_its_place(
    write: Write, faults_of: FaultsOf, said: str, where: str
) -> None:
    path = write("gateway.yaml", f"{MINIMAL}xarf: {{{said}}}\n")

    (fault,) = faults_of(lambda: load_gateway(path))

    assert where in fault


def test_r96_the_ladder_of_sanctions_is_a_table(write: Write) -> None:
    shipped = load_gateway(write("gateway.yaml", MINIMAL)).sanctions.ladder
    text = "sanctions: {general: [notice, close], window_days: 30, automatic: [notice]}\n"
    own = load_gateway(write("gateway.yaml", MINIMAL + text)).sanctions.ladder

    assert shipped == SanctionLadder()
    assert own.general == (SanctionStep.NOTICE, SanctionStep.CLOSE)
    assert (own.major, own.window) == ((SanctionStep.CLOSE,), timedelta(days=30))
    assert own.automatic == {SanctionStep.NOTICE}


@pytest.mark.parametrize(
    "fault", ["general: []", "serious: [fine]", "window_days: 0", "automatic: [all]", "other: []"]
)
def test_r96_a_ladder_that_cannot_be_is_a_fault(
    write: Write, faults_of: FaultsOf, fault: str
) -> None:
    path = write("gateway.yaml", MINIMAL + f"sanctions: {{{fault}}}\n")

    assert len(faults_of(lambda: load_gateway(path))) == 1
