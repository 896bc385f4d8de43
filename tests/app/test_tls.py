"""TLS on both sides, with certificates of the test's own."""

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import ref

import pytest

from gateway.app.gateway import Gateway
from gateway.proxy.listener import listener_context, smsc_context
from gateway.settings.gateway import ListenerTls
from gateway.settings.smscs import SmscTls
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Deploy = Callable[..., tuple[Path, Path]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
HTTP = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"


def trusting(papers: Path, name: str, own: str | None = None) -> ssl.SSLContext:
    """Return what a client uses that trusts `name`, and shows `own` when asked."""
    context = ssl.create_default_context(cafile=str(papers / f"{name}.pem"))
    if own is not None:
        context.load_cert_chain(papers / f"{own}.pem", papers / f"{own}.key")
    return context


def with_listener(deploy: Deploy, smsc: SimulatedSmsc, tls: str) -> dict[str, str | None]:
    """Return files in which the listener `tls` stands beside the plain one."""
    config, _ = deploy(smsc.port)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    plain = '  - {name: plain, address: "127.0.0.1:0"}\n'
    both = (
        '  - {name: plain, address: "127.0.0.2:0"}\n'
        f'  - {{name: tls, address: "127.0.0.1:0", tls: {tls}}}\n'
    )
    return {"config/gateway.yaml": text.replace(plain, both)}


def with_smsc(deploy: Deploy, port: int, tls: str) -> dict[str, str | None]:
    """Return files in which the SMSC is reached over TLS."""
    config, _ = deploy(port)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    return {"config/gateway.yaml": text.replace("tls: null", f"tls: {tls}")}


async def test_an_sp_binds_and_submits_over_tls(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path
) -> None:
    tls = f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key}}"
    gateway = await start(with_listener(deploy, smsc, tls))

    esme = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    status = await esme.bind("sp1", "secret")
    answers = await esme.submit_many(["您好"] * 200, window=50)
    unbound = await esme.unbind()
    await esme.lost()

    assert (status, unbound) == (0, 0)
    assert {answer.command_status for answer in answers} == {0}
    assert len(smsc.journal) == 200


async def test_a_connection_that_has_ended_is_gone_without_a_collection(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path, until: Until
) -> None:
    tls = f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key}}"
    gateway = await start(with_listener(deploy, smsc, tls))
    gc.disable()
    esme = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    await esme.bind("sp1", "secret")
    ended = [ref(one) for one in gateway.tick.connections.values()]

    await esme.unbind()
    await esme.lost()

    try:
        await until(lambda: all(one() is None for one in ended))
    finally:
        gc.enable()
    assert len(ended) == 2


async def test_with_a_client_ca_an_sp_has_to_show_its_certificate(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path
) -> None:
    tls = (
        f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key,"
        f" client_ca: {papers}/other.pem}}"
    )
    gateway = await start(with_listener(deploy, smsc, tls))
    address = gateway.addresses["tls"]

    shown = await RawEsme.connect(*address, ssl=trusting(papers, "gateway", "other"))
    async with shown:
        status = await shown.bind("sp1", "secret")
        # TLS 1.3 lets a client believe itself connected until it reads.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with await RawEsme.connect(*address, ssl=trusting(papers, "gateway")) as bare:
                await bare.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK
    assert gateway.gate.binds == {"ok": 1}


@pytest.mark.parametrize("octets", [HTTP, b"\0\0\0\x10\0\0\0\x15" + bytes(8), b""])
async def test_what_is_no_tls_is_hung_up_on_and_takes_no_place(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path, octets: bytes
) -> None:
    tls = f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key}}"
    files = with_listener(deploy, smsc, tls)
    gateway = await start(files)
    gateway.sessions.joining.maximum = 1

    for _ in range(3):
        reader, writer = await asyncio.open_connection(*gateway.addresses["tls"])
        writer.write(octets)
        if not octets:
            writer.close()
        await asyncio.wait_for(reader.read(), 60)
        writer.close()
    esme = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    async with esme:
        status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK


async def test_a_tls_hello_at_the_plain_port_is_hung_up_on(start: Start, papers: Path) -> None:
    gateway = await start()

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await RawEsme.connect(*gateway.addresses["plain"], ssl=trusting(papers, "gateway"))

    assert gateway.plane.tally.framing_faults == 1


async def test_the_smsc_is_reached_over_tls_when_it_proves_its_name(
    start: Start, deploy: Deploy, papers: Path
) -> None:
    paper = ListenerTls(papers / "other.pem", papers / "other.key")
    async with SimulatedSmsc(ssl=listener_context(paper)) as secure:
        tls = f"{{ca: {papers}/other.pem, server_name: localhost}}"
        gateway = await start(with_smsc(deploy, secure.port, tls))
        async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
            status = await esme.bind("sp1", "secret")
            answer = await esme.submit(SOURCE, DESTINATION, "您好")
            await esme.unbind()
            await secure.until(lambda: not secure.sessions)

    assert status == CommandStatus.ESME_ROK
    assert answer.is_ok


@pytest.mark.parametrize(
    "tls", ["{{ca: {0}/gateway.pem}}", "{{ca: {0}/other.pem, server_name: smsc.example}}"]
)
async def test_an_smsc_that_cannot_prove_its_name_gets_nothing(
    start: Start, deploy: Deploy, papers: Path, tls: str, log: LogLines
) -> None:
    paper = ListenerTls(papers / "other.pem", papers / "other.key")
    async with SimulatedSmsc(ssl=listener_context(paper)) as secure:
        gateway = await start(with_smsc(deploy, secure.port, tls.format(papers)))
        async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
            status = await esme.bind("sp1", "secret")
        assert secure.counters.binds == 0

    assert status == CommandStatus.ESME_RBINDFAIL
    (line,) = [line for line in log if line["event"] == "smsc.unreachable"]
    assert "certificate" in str(line["said"]).lower()


async def test_an_smsc_can_ask_for_our_certificate(
    start: Start, deploy: Deploy, papers: Path
) -> None:
    paper = ListenerTls(
        papers / "other.pem", papers / "other.key", client_ca=papers / "gateway.pem"
    )
    async with SimulatedSmsc(ssl=listener_context(paper)) as secure:
        ours = f"certificate: {papers}/gateway.pem, key: {papers}/gateway.key"
        gateway = await start(with_smsc(deploy, secure.port, f"{{ca: {papers}/other.pem, {ours}}}"))
        async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
            status = await esme.bind("sp1", "secret")
            await esme.unbind()
            await secure.until(lambda: not secure.sessions)

    assert status == CommandStatus.ESME_ROK


def test_nothing_below_tls_1_2_is_spoken(papers: Path) -> None:
    listener = listener_context(ListenerTls(papers / "gateway.pem", papers / "gateway.key"))
    smsc = smsc_context(SmscTls())

    assert {listener.minimum_version, smsc.minimum_version} == {ssl.TLSVersion.TLSv1_2}
    assert smsc.verify_mode is ssl.CERT_REQUIRED
    assert smsc.check_hostname
    assert listener.verify_mode is ssl.CERT_NONE


def test_a_key_that_does_not_fit_its_certificate_is_refused(papers: Path) -> None:
    with pytest.raises(ssl.SSLError, match=r"gateway\.pem and .*other\.key"):
        listener_context(ListenerTls(papers / "gateway.pem", papers / "other.key"))


def test_an_encrypted_key_is_refused_and_no_password_is_asked_for(
    papers: Path, tmp_path: Path
) -> None:
    key = tmp_path / "encrypted.key"
    locking = ("openssl", "ec", "-in", f"{papers}/gateway.key", "-aes256", "-out", str(key))
    subprocess.run([*locking, "-passout", "pass:secret"], check=True, capture_output=True)  # noqa: S603 - the openssl of this machine
    loading = (
        "import sys; from pathlib import Path\n"
        "from gateway.proxy.listener import listener_context, smsc_context\n"
        "from gateway.settings.gateway import ListenerTls\n"
        "from gateway.settings.smscs import SmscTls\n"
        "pair = [Path(one) for one in sys.argv[1:]]\n"
        "for of in (lambda: listener_context(ListenerTls(*pair)), "
        "lambda: smsc_context(SmscTls(None, *pair))):\n"
        "    try: of()\n"
        "    except OSError as error: print(error)\n"
    )

    # Without a terminal OpenSSL reads the password from the standard input.
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", loading, f"{papers}/gateway.pem", str(key)],
        check=True,
        capture_output=True,
        text=True,
        input="secret\nsecret\n",
        start_new_session=True,
        timeout=60,
    )

    assert done.stdout.count("encrypted.key") == 2


async def test_behind_a_load_balancer_the_proxy_header_comes_before_tls(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path
) -> None:
    tls = (
        f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key}},"
        ' proxy_protocol: ["127.0.0.0/8"]'
    )
    gateway = await start(with_listener(deploy, smsc, tls))
    spoken_for = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c 7f00004d 7f000001 0001 0ad7")
    with socket.create_connection(gateway.addresses["tls"]) as sock:
        sock.sendall(spoken_for)
        sock.setblocking(False)

        _, esme = await asyncio.get_running_loop().create_connection(
            RawEsme, sock=sock, ssl=trusting(papers, "gateway"), server_hostname="127.0.0.1"
        )
        async with esme:
            status = await esme.bind("sp1", "secret")
            (pair,) = gateway.sessions.pairs.values()

            assert status == CommandStatus.ESME_ROK
            assert pair.esme.peer_address == "127.0.0.77"


async def test_handshakes_that_do_not_go_on_keep_no_sp_out(
    start: Start, deploy: Deploy, smsc: SimulatedSmsc, papers: Path
) -> None:
    tls = f"{{certificate: {papers}/gateway.pem, key: {papers}/gateway.key}}"
    gateway = await start(with_listener(deploy, smsc, tls))
    gateway.sessions.unbound.share(8)
    crowd = [await asyncio.open_connection(*gateway.addresses["tls"]) for _ in range(20)]

    esme = await RawEsme.connect(*gateway.addresses["tls"], ssl=trusting(papers, "gateway"))
    async with esme:
        status = await esme.bind("sp1", "secret")
        waiting = len(gateway.sessions.unbound)
    for _, writer in crowd:
        writer.close()

    assert status == CommandStatus.ESME_ROK
    assert waiting <= 4
