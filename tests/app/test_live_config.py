"""gateway.yaml is read again while the gateway runs: what is taken over, what is refused."""

import asyncio
import gzip
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.app import live_config
from gateway.app.gateway import Gateway
from gateway.app.health import CONFIG_WARNING
from gateway.app.housekeeping import Housekeeping
from gateway.app.live_config import CERTIFICATES, LiveConfig
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.live import WAITS_FOR_RESTART, ConfigReload
from gateway.proxy.listener import Listeners, PreparedListener
from gateway.records.sealed_values import opened
from gateway.records.writer import HourFiles
from gateway.settings.gateway import Listener, load_gateway, load_sealer
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of
from tests.app.conftest import SENDERS
from tests.app.test_gateway import ask, sample
from tests.app.test_subscriber_api import REPLIES
from tests.app.test_tls import trusting

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Command = Callable[..., Awaitable[CompletedProcess[str]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Change = Callable[..., Awaitable[ConfigReload]]
RunHere = Callable[[tuple[Path, Path], Callable[[tuple[str, int]], Awaitable[None]]], int]

SOURCE, DESTINATION = "10690001", "13800138000"
_LONG_AGO = 383_480  # an hour of 2013
REFUSAL = ConsentAnswer(
    8613900139000, "", Answer.REFUSED, datetime(2025, 11, 25, tzinfo=UTC), "letter"
)
PLAIN = '  - {name: plain, address: "127.0.0.1:0"}\n'


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def save(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config/gateway.yaml"


@pytest.fixture
def change(file: Path) -> Change:
    """Replace a piece of gateway.yaml, and let the gateway read it again."""

    async def change(gateway: Gateway, old: str = "", new: str = "") -> ConfigReload:
        text = read(file)
        assert old in text
        save(file, text.replace(old, new) if old else text + new)
        return await config_of(gateway).reload()

    return change


def config_of(gateway: Gateway) -> LiveConfig:
    assert gateway.live_config is not None
    return gateway.live_config


async def test_timers_and_limits_are_in_force_at_once_and_sessions_stay(
    start: Start, attach: Attach, change: Change
) -> None:
    gateway = await start()
    esme = await attach(gateway)

    done = await change(
        gateway,
        new="limits: {window: 10, sessions: 1, pdu_octets: 2048, held_per_sender: 1,"
        " bad_binds_per_minute: 3}\n",
    )
    await change(gateway, "reconnect_max_s: 0.1", "reconnect_max_s: 0.1, response_s: 7")
    session = next(iter(gateway.sessions.pairs))
    async with await RawEsme.connect(*gateway.addresses["plain"]) as second:
        await second.lost()

    assert done.changed == (
        "limits.pdu_octets",
        "limits.sessions",
        "limits.window",
        "limits.bad_binds_per_minute",
        "limits.held_per_sender",
    )
    assert session.window == 10
    assert (gateway.plane.pdu_octets, gateway.plane.deliver_window) == (2048, 10)
    assert gateway.plane.response_s == gateway.keeper.timers.response_s == 7
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_the_same_file_again_changes_nothing(
    start: Start, change: Change, log: LogLines
) -> None:
    gateway = await start()

    assert await change(gateway) == ConfigReload()
    assert "config.reloaded" not in [line["event"] for line in log]


async def test_what_needs_a_restart_is_said_by_name_and_left_as_it_is(
    start: Start, change: Change, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()

    first = await change(
        gateway,
        f"records: {{directory: {tmp_path}/var/cdr}}",
        f"records: {{directory: {tmp_path}/other, texts: true}}",
    )
    second = await change(gateway, "carrier: cmcc", "carrier: cucc")

    assert first == ConfigReload(("records.texts",), ("records.directory",))
    assert second == ConfigReload((), ("node.carrier", "records.directory"))
    assert gateway.plane.keeps_texts
    assert config_of(gateway).settings.records.directory == tmp_path / "var/cdr"
    told = [line for line in log if line["event"] == "config.reloaded"]
    assert [line["needs_restart"] for line in told] == [
        ["records.directory"],
        ["node.carrier", "records.directory"],
    ]


@pytest.mark.parametrize(
    "setting",  # what stands there, what takes its place, and the name
    [
        ("carrier: cmcc", "carrier: cucc", "node.carrier"),
        ("province: 福建", "province: 广东", "node.province"),
        ("role: origin", "role: terminating", "node.role"),
        ("role: origin", "role: origin, block_after: 7", "node.block_after"),
        ("smsward.db", "other.db", "store.url"),
        ('smsward.db"', 'smsward.db", max_octets: 1073741824', "store.max_octets"),
        ("var/cdr", "var/other", "records.directory"),
        ('metrics: {address: "127', 'metrics: {address: "127.0.0.1:1"} #', "metrics.address"),
        ("webhooks:", "review: {dealt_twice: 0.1}\nwebhooks:", "review.dealt_twice"),
        ("webhooks:", 'mail: {server: "m:25", sender: "a@b.example"}\nwebhooks:', "mail"),
    ],
)
async def test_each_setting_that_cannot_change_now_is_named_by_reload_readiness_and_check(
    start: Start, change: Change, command: Command, tmp_path: Path, setting: tuple[str, str, str]
) -> None:
    gateway, (old, new, named) = await start(), setting

    done = await change(gateway, old, new)
    ready = (await ask(gateway, "/readyz")).json()
    checked = await command("check", "--policies", str(tmp_path / "policies"))
    undone = await change(gateway, new, old)

    assert done == ConfigReload((), (named,))
    assert (ready["ready"], ready["warnings"]) == (True, [f"{WAITS_FOR_RESTART} {named}"])
    # Beside another store there is no gateway to ask.
    assert (f"{WAITS_FOR_RESTART} {named}" in checked.stderr) is (named != "store.url")
    assert undone == ConfigReload()
    assert (await ask(gateway, "/readyz")).json()["warnings"] == []


def test_no_setting_that_waits_for_a_restart_is_left_out_above() -> None:
    tried = {
        "node.carrier",
        "node.province",
        "node.role",
        "node.block_after",
        "store.url",
        "store.max_octets",
        "records.directory",
        "metrics.address",
        "review.dealt_twice",
    }

    waiting = {name for name, effect in settings_in_the_reference() if effect == "restart"}
    assert {name for name in waiting if not name.startswith("mail.")} == {*tried, "version"}


async def test_the_carriers_own_codes_are_heard_from_a_reload_on(
    start: Start, attach: Attach, change: Change, smsc: SimulatedSmsc
) -> None:
    gateway = await start({"policies/replies.yaml": REPLIES})
    esme = await attach(gateway)

    done = await change(gateway, new='hub: {codes: ["10086"], cancel_all: list_only}\n')
    await smsc.deliver("sp1", DESTINATION, "10086", "0000".encode("utf-16-be"), data_coding=8)
    await smsc.received(1)

    assert done.changed == ("hub.codes", "hub.cancel_all")
    assert (smsc.journal[0].source, smsc.journal[0].destination) == ("10086", DESTINATION)
    assert esme.pdus().empty()


async def test_r80_report_codes_are_heard_from_a_reload_on(
    start: Start, attach: Attach, change: Change, smsc: SimulatedSmsc
) -> None:
    gateway = await start({})
    esme = await attach(gateway)

    done = await change(gateway, new='complaints: {codes: {"12321": star}}\n')
    heard = await smsc.deliver("sp1", DESTINATION, "12321", b"1069012340000*hello")

    assert (done.changed, heard) == (("complaints.codes",), 0)
    assert len(await gateway.stores.complaints.find()) == 1
    assert smsc.journal[0].source == "12321"
    assert esme.pdus().empty()


async def test_a_report_code_that_is_a_port_is_refused_by_either_file(
    start: Start, change: Change, tmp_path: Path
) -> None:
    gateway = await start({})

    refused = await change(gateway, new='complaints: {codes: {"1069000177": star}}\n')
    taken = await change(gateway, "1069000177", "1069000577")
    senders = tmp_path / "config/senders.yaml"
    save(senders, read(senders).replace('"10690002"', '"1069000577"'))
    faults = await gateway.policies.reload(force=True)

    assert "complaints.codes.1069000177: is a port of sp1" in str(refused.faults)
    assert taken.changed == ("complaints.codes",)
    assert "1069000577 is a report code in gateway.yaml" in str(faults)


async def test_another_directory_of_models_is_asked_after_a_reload(
    start: Start, change: Change
) -> None:
    gateway = await start()
    models = gateway.models
    assert models is not None
    before = models.pair.digests[0]

    done = await change(gateway, "starter: false", "starter: true")
    await models.refresh()

    assert done.changed == ("learning.starter",)
    assert (bool(before), bool(models.pair.digests[0])) == (False, True)


async def test_r73_a_new_key_seals_after_a_reload_amid_traffic_and_old_ones_open(
    start: Start, attach: Attach, change: Change, file: Path, tmp_path: Path
) -> None:
    keys, directory = tmp_path / "keys.yaml", tmp_path / "var/cdr"
    keys.touch(0o600)
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    await (await start()).stop()
    privacy = f"privacy: {{keys: {keys}, current: k1}}\n"
    gateway = await start({"config/gateway.yaml": read(file) + privacy})
    esme = await attach(gateway)
    keeping = Housekeeping(file.parent, directory, is_sealing=True)

    async def seal(hour: int) -> None:
        files = HourFiles(directory)
        files.append(hour, b'{"kind":"decision","destination":"13800138000"}\n')
        files.close()
        await keeping.seal()

    async with asyncio.TaskGroup() as group:
        traffic = group.create_task(esme.submit_many(["您好"] * 2_000, window=20))
        await seal(_LONG_AGO)
        keys.write_text(f"{keys.read_text()}k2: {b64encode(bytes(range(64))).decode()}\n")
        done = await change(gateway, "current: k1", "current: k2")
        await seal(_LONG_AGO + 1)
    await gateway.stores.consent.record([REFUSAL])
    await gateway.stop()
    again = await start({"config/gateway.yaml": read(file)})  # its store has the key of before

    sealed = [gzip.decompress(one.read_bytes()) for one in sorted(directory.glob("*.gz"))]
    sealer = load_sealer(load_gateway(file))
    assert sealer is not None
    assert done == ConfigReload(("privacy.current",))
    assert all(answer.is_ok for answer in traffic.result())
    assert [b'"k1:' in sealed[0], b'"k2:' in sealed[1]] == [True, True]
    assert [opened(json.loads(one), sealer)["destination"] for one in sealed] == [DESTINATION] * 2
    assert await again.stores.consent.answer_of(REFUSAL.msisdn, "") == REFUSAL


async def test_r73_a_reload_without_the_key_of_the_store_is_refused(
    start: Start, change: Change, file: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    keys.touch(0o600)
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    await (await start()).stop()
    (tmp_path / "var/smsward.db").unlink()
    privacy = f"privacy: {{keys: {keys}, current: k1}}\n"
    gateway = await start({"config/gateway.yaml": read(file) + privacy})
    keys.write_text(f"k2: {b64encode(bytes(64)).decode()}\n")

    done = await change(gateway, "current: k1", "current: k2")

    assert "the key k1, which the store is sealed with, is not among them" in done.faults[0]


async def test_a_listener_is_opened_beside_the_others(
    start: Start, attach: Attach, change: Change
) -> None:
    gateway = await start()

    done = await change(gateway, PLAIN, PLAIN + '  - {name: second, address: "127.0.0.2:0"}\n')

    assert done.changed == ("listeners",)
    esme = await attach(gateway.addresses["second"])
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    await attach(gateway)


async def test_a_listener_that_is_gone_takes_no_new_sps_and_keeps_its_sessions(
    start: Start, attach: Attach, change: Change, log: LogLines
) -> None:
    gateway = await start()
    esme, before = await attach(gateway), gateway.addresses["plain"]

    await change(gateway, '"127.0.0.1:0"', '"127.0.0.2:0"')

    with pytest.raises(ConnectionRefusedError):
        await RawEsme.connect(*before)
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    await attach(gateway)
    assert "listener.closed" in [line["event"] for line in log]


async def test_a_fault_leaves_everything_as_it_was_and_is_told_until_it_is_mended(
    start: Start, attach: Attach, change: Change, file: Path, log: LogLines
) -> None:
    gateway = await start()
    before = read(file)

    refused = await change(gateway, new="limits: {window: none}\n")
    degraded = (await ask(gateway, "/readyz")).json()
    faults = sample((await ask(gateway, "/metrics")).text, "smsward_config_faults")
    save(file, before)
    await change(gateway)
    mended = (await ask(gateway, "/readyz")).json()

    assert refused.faults == (f"{file}:13:18 limits.window: must be a whole number",)
    assert (degraded["ready"], degraded["degraded"], faults) == (True, True, 1)
    assert CONFIG_WARNING in degraded["warnings"]
    assert (mended["degraded"], mended["warnings"]) == (False, [])
    assert [line["faults"] for line in log if line["event"] == "config.refused"] == [
        list(refused.faults)
    ]
    await attach(gateway)


async def test_a_port_in_use_is_a_fault_with_its_place_and_no_other_listener_is_opened(
    start: Start, change: Change, file: Path, attach: Attach
) -> None:
    gateway = await start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        refused = await change(
            gateway,
            PLAIN,
            '  - {name: new, address: "127.0.0.2:0"}\n'
            f'  - {{name: taken, address: "127.0.0.1:{port}"}}\nlimits: {{window: 10}}\n',
        )

    (fault,) = refused.faults
    assert fault.startswith(f"{file}:5:28 listeners.1.address: cannot listen on 127.0.0.1:{port}")
    assert list(gateway.addresses) == ["plain"]
    assert gateway.plane.deliver_window == 1000
    await attach(gateway)


async def test_a_host_that_is_no_name_is_a_fault_and_the_next_reload_is_taken(
    start: Start, change: Change, file: Path
) -> None:
    gateway = await start()
    before = read(file)

    refused = await change(gateway, '"127.0.0.1:0"}\n', '"smsc..example:0"}\n')
    save(file, before)

    (fault,) = refused.faults
    assert "listeners[0].address: must be host:port" in fault
    assert await change(gateway, "drain_s: 5", "drain_s: 6") == ConfigReload(("timers.drain_s",))


async def test_no_address_stays_bound_after_a_reload_that_failed(
    start: Start, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, opened = await start(), list[PreparedListener]()
    prepare = Listeners.prepare

    async def fail_late(
        listeners: Listeners, one: Listener, handshake_s: float
    ) -> PreparedListener:
        if opened:
            raise RuntimeError
        opened.append(await prepare(listeners, one, handshake_s))
        return opened[0]

    monkeypatch.setattr(Listeners, "prepare", fail_late)
    new = '  - {name: new, address: "127.0.0.2:0"}\n'
    with pytest.raises(RuntimeError):
        await change(gateway, PLAIN, new + PLAIN)

    assert [one.fileno() for one in opened[0].sockets] == [-1]


async def test_a_certificate_that_was_replaced_is_shown_to_the_next_sp(
    start: Start, change: Change, papers: Path, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    shown = put(papers, "gateway", tmp_path)
    gateway = await start({"config/gateway.yaml": with_tls(tmp_path, smsc.port, shown)})
    old = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    assert await old.bind("sp1", "secret") == 0

    put(papers, "other", tmp_path)
    done = await change(gateway)
    new = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "other"))

    assert done == ConfigReload((CERTIFICATES,))
    assert await new.bind("sp1", "secret") == 0
    assert (await old.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert config_of(gateway).watched() == {tmp_path / "tls"}
    for esme in (old, new):
        await esme.unbind()
        await esme.lost()


async def test_a_certificate_without_its_key_is_refused_and_the_old_one_is_shown(
    start: Start, change: Change, papers: Path, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    shown = put(papers, "gateway", tmp_path)
    gateway = await start({"config/gateway.yaml": with_tls(tmp_path, smsc.port, shown)})

    (tmp_path / "tls/cert.pem").write_bytes((papers / "other.pem").read_bytes())
    refused = await change(gateway)
    esme = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    with pytest.raises(ssl.SSLError):
        await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "other"))

    (fault,) = refused.faults
    assert "listeners.0.tls: cannot use" in fault
    assert await esme.bind("sp1", "secret") == 0
    await esme.unbind()
    await esme.lost()


def put(papers: Path, name: str, root: Path) -> str:
    """Copy a certificate and its key; return what gateway.yaml says of them."""
    (root / "tls").mkdir(exist_ok=True)
    for ending, to in (("pem", "cert.pem"), ("key", "key.pem")):
        (root / "tls" / to).write_bytes((papers / f"{name}.{ending}").read_bytes())
    return f"{{certificate: {root}/tls/cert.pem, key: {root}/tls/key.pem}}"


def with_tls(root: Path, smsc_port: int, tls: str) -> str:
    return f"""\
version: 1
listeners: [{{name: tls, address: "127.0.0.1:0", tls: {tls}}}]
smscs: [{{name: main, address: "127.0.0.1:{smsc_port}"}}]
store: {{url: "sqlite:///{root}/var/smsward.db"}}
records: {{directory: {root}/var/cdr}}
metrics: {{address: "127.0.0.1:0"}}
learning: {{starter: false}}
"""


async def test_reload_names_what_is_in_force_what_waits_and_every_fault(
    start: Start, command: Command, file: Path, tmp_path: Path
) -> None:
    gateway = await start()
    text = read(file)
    save(file, text.replace("drain_s: 5", "drain_s: 6").replace("cmcc", "cucc"))

    taken = await command("reload")
    again = json.loads((await command("reload", "--json", "--note", "twice")).stdout)
    save(file, text + "limits: {window: none}\n")
    save(tmp_path / "config/senders.yaml", f"{SENDERS}  - x\n")
    refused = await command("reload")
    status = await command("status")

    assert taken.returncode == 0
    assert "gateway.yaml: in force now: timers.drain_s" in taken.stdout
    assert "waits for a restart: node.carrier" in taken.stderr
    assert again["config"] == {
        "changed": [],
        "needs_restart": ["node.carrier"],
        "faults": [],
    }
    assert again["digest"] == gateway.plane.rules.digest
    assert refused.returncode == 1
    assert "gateway.yaml: as it was" in refused.stdout
    assert "gateway.yaml:13:18 limits.window: must be a whole number" in refused.stderr
    assert "senders.yaml" in refused.stderr
    assert "degraded" in status.stdout


async def test_metrics_are_read_with_the_token_that_the_file_has_now(
    start: Start, change: Change
) -> None:
    gateway = await start()
    digest = "sha256:" + "0" * 64

    done = await change(gateway, "metrics: {", f'metrics: {{token: "{digest}", ')

    assert done.changed == ("metrics.token",)
    assert (await ask(gateway, "/metrics")).status_code == 401


def test_a_saved_gateway_yaml_is_taken_over(
    deploy: Callable[..., tuple[Path, Path]],
    run_here: RunHere,
    told: Callable[..., Awaitable[dict[str, object]]],
    free_smsc_port: int,
) -> None:
    directories = deploy(free_smsc_port)
    file = directories[0] / "gateway.yaml"

    async def story(address: tuple[str, int]) -> None:
        async with (
            SimulatedSmsc(port=free_smsc_port),
            await RawEsme.connect(*address) as esme,
        ):
            assert await esme.bind("sp1", "secret") == CommandStatus.ESME_ROK
            text = read(file)
            save(file, text.replace("drain_s: 5", "drain_s: 5, inactivity_s: 0.01"))
            taken = await told("config.reloaded")
            farewell = await esme.next_pdu()

            assert taken["changed"] == ["timers.inactivity_s"]
            assert header_of(farewell).command_id == CommandId.UNBIND

    assert run_here(directories, story) == 0


def settings_in_the_reference() -> list[tuple[str, str]]:
    """Return the settings of gateway.yaml, each with when it takes effect."""
    page = Path(__file__).parents[2] / "docs/reference/configuration.md"
    section = read(page).partition("\n## gateway.yaml\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return [(row[0].strip("| `"), row[2]) for row in rows]


def test_the_reference_says_of_each_setting_whether_a_reload_is_enough() -> None:
    settings = settings_in_the_reference()

    assert len(settings) > 40
    for setting, effect in settings:
        assert (effect == "reload") is setting.startswith(live_config._LIVE), setting


# SMSCs


@pytest.fixture
async def other() -> AsyncIterator[SimulatedSmsc]:
    """Run a second SMSC."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=8)) as running:
        yield running


async def test_an_smsc_that_takes_the_place_of_another_has_its_sessions_in_order(
    start: Start, attach: Attach, change: Change, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)

    async with asyncio.TaskGroup() as tasks:
        given = tasks.create_task(esme.submit(SOURCE, DESTINATION, "您好"))
        await smsc.received(1)
        done = await change(gateway, f"127.0.0.1:{smsc.port}", f"127.0.0.1:{other.port}")
        waiting = tasks.create_task(esme.submit(SOURCE, DESTINATION, "再见"))
        smsc.release_answers()
    await smsc.until(lambda: not smsc.sessions)

    assert done == ConfigReload(("smscs",))
    assert given.result().is_ok
    assert waiting.result().is_ok
    assert (len(smsc.journal), len(other.journal)) == (1, 1)
    assert [one.binds for one in gateway.upstream.smscs] == [1]


async def test_another_weight_and_an_smsc_more_leave_the_binds_alone(
    start: Start, attach: Attach, change: Change, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await start()
    await attach(gateway)
    line = f'{{name: main, address: "127.0.0.1:{smsc.port}", mode: transparent, tls: null}}'

    await change(
        gateway,
        line,
        line.replace("tls: null", "priority: 2")
        + f'\n  - {{name: new, address: "127.0.0.1:{other.port}", priority: 1}}',
    )
    await attach(gateway)

    assert smsc.counters.unbinds == 0
    standing = [(one.name, one.settings.priority, one.binds) for one in gateway.upstream.smscs]
    assert standing == [("main", 2, 1), ("new", 1, 1)]


async def test_binds_of_the_gateways_own_follow_the_file(
    start: Start,
    attach: Attach,
    change: Change,
    smsc: SimulatedSmsc,
    other: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GW_PASSWORD", "secret")
    gateway = await start()
    esme = await attach(gateway)
    own = 'mode: pooled, binds: 2, system_id: gw, password: "env:GW_PASSWORD"'

    await change(gateway, "mode: transparent, tls: null", own)
    await smsc.until(lambda: [one.system_id for one in smsc.sessions] == ["gw", "gw"])
    pooled = await esme.submit(SOURCE, DESTINATION, "您好")
    await change(gateway, f"127.0.0.1:{smsc.port}", f"127.0.0.1:{other.port}")
    await other.bound(2)
    await smsc.until(lambda: not smsc.sessions)
    moved = await esme.submit(SOURCE, DESTINATION, "您好")
    await change(gateway, own, "mode: transparent")
    await other.until(lambda: [one.system_id for one in other.sessions] == ["sp1"])
    back = await esme.submit(SOURCE, DESTINATION, "您好")

    assert all(one.is_ok for one in (pooled, moved, back))


async def test_a_group_and_the_sender_that_needs_it_may_be_saved_together(
    start: Start, command: Command, file: Path, tmp_path: Path
) -> None:
    gateway = await start()
    group = '  - {name: codes, address: "127.0.0.1:1", group: codes}\ntimers:'
    save(file, read(file).replace("timers:", group))
    new = '  - {system_id: sp3, password: "plain:secret", group: codes, ports: []}\n'
    save(tmp_path / "config/senders.yaml", SENDERS + new)

    done = json.loads((await command("reload", "--json")).stdout)

    assert (done["faults"], done["config"]["changed"]) == ([], ["smscs"])
    assert gateway.policies.senders["sp3"].group == "codes"
    assert gateway.policies.refused_faults == 0


async def test_a_route_that_is_saved_gives_senders_their_group(
    start: Start, command: Command, file: Path
) -> None:
    gateway = await start()
    group = (
        '  - {name: codes, address: "127.0.0.1:1", group: codes}\n'
        'routes: [{group: codes, source: "1069"}]\ntimers:'
    )
    save(file, read(file).replace("timers:", group))

    done = json.loads((await command("reload", "--json")).stdout)

    assert (done["faults"], done["config"]["changed"]) == ([], ["smscs", "routes"])
    assert gateway.policies.senders["sp1"].group == "codes"
    assert gateway.plane.routes is not None


async def test_a_group_that_a_sender_needs_cannot_go(
    start: Start, change: Change, file: Path
) -> None:
    gateway = await start()

    refused = await change(gateway, "mode: transparent", "group: codes")

    (fault,) = refused.faults
    assert fault.startswith(f"{file}:6:3 smscs: none has the group main of the sender sp1")
