"""SPs hear by mail of what ends, of warnings and of throttling, through a real server of mail."""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import orjson
import pytest

from gateway.app import sender_alerts
from gateway.app.sender_alerts import AlertMail, SenderAlerts, mail_of_alerts
from gateway.domain.sender import Sender
from gateway.runtime.clock import monotonic
from gateway.settings.gateway import MailSettings, MailTls
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.systems.sender_alerts import AlertKind, SenderAlert
from tests.app.notices.test_postman import papers as papers  # noqa: PLC0414 - a fixture
from tests.app.notices.test_sender_alerts import SP, Hook, licence, raise_warning

LogLines = list[dict[str, object]]
Until = Callable[[Callable[[], bool]], object]

ADDRESS = "ops@sp.example.com"
MAILED = replace(SP, webhook=None, mail=ADDRESS)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class MailServer:
    """A server of mail. What it takes stands in `mails`; `refused` has answers to commands."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.mails: list[tuple[str, str, str]] = []
        self.attached: list[bytes] = []
        self.logins: list[str] = []
        self.refused: dict[str, int] = {}
        self.port = 0
        self._context = context

    @asynccontextmanager
    async def serving(self, *, is_tls: bool = False) -> AsyncIterator["MailServer"]:
        tls = self._context if is_tls else None
        async with await asyncio.start_server(self._serve, "localhost", 0, ssl=tls) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        to = ""
        while line := (await reader.readline()).decode().strip():
            verb = line.partition(" ")[0].upper()
            code = self.refused.get(verb, 250)
            if verb == "STARTTLS" and self._context is not None:
                writer.write(b"220 go\r\n")
                await writer.start_tls(self._context)
                continue
            if verb == "DATA" and code < 400:
                writer.write(b"354 go\r\n")
                octets = await reader.readuntil(b"\r\n.\r\n")
                mail = message_from_bytes(octets[:-3], policy=policy.default)
                body = mail.get_body(("plain",))
                assert body is not None
                self.mails.append((to, str(mail["Subject"]), body.get_content()))
                self.attached += [bytes(one.get_content()) for one in mail.iter_attachments()]
            elif verb == "AUTH" and code < 400:
                self.logins.append(b64decode(line.split()[2]).decode())
                code = 235
            elif verb == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
            elif verb == "EHLO":
                writer.write(b"250-here\r\n250-AUTH PLAIN\r\n250-STARTTLS\r\n")
            writer.write(f"{221 if verb == 'QUIT' else code} so\r\n".encode())
        writer.close()

    def settings(self, tls: MailTls = MailTls.OFF, *, is_known: bool = False) -> MailSettings:
        user, password = ("gw", "plain:secret") if is_known else (None, None)
        server = Address("localhost", self.port)
        return MailSettings(server, "smsward@carrier.example", tls, user, password)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer().serving() as running:
        yield running


def alerts_of(stores: Stores, settings: MailSettings | None, *senders: Sender) -> SenderAlerts:
    alerts = SenderAlerts(stores, dict, Hook().post, AlertMail(settings).send)
    alerts.follow({one.system_id: one for one in senders or (MAILED,)})
    return alerts


async def look(alerts: SenderAlerts) -> None:
    """Look once, and wait for the mails of that."""
    await alerts.look()
    mailing = alerts._mailing
    assert mailing is not None
    await mailing


async def test_an_sp_hears_by_mail_once_of_what_ends_and_of_warnings(
    stores: Stores, server: MailServer, log: LogLines
) -> None:
    await stores.filings.put([licence(7)])
    await raise_warning(stores)
    alerts = alerts_of(stores, server.settings())

    for _ in range(2):
        await look(alerts)

    ((to, subject, text),) = server.mails
    assert (to, subject) == (ADDRESS, "smsward: 2 for sp1")
    assert "licence ends " in text
    assert "7 days left" in text
    assert "夜间发送" in text
    assert [line["alerts"] for line in log if line["event"] == "alert.told"] == [2]


async def test_a_mail_names_no_port_and_nothing_that_an_sp_has_written() -> None:
    said: dict[AlertKind, dict[str, object]] = {
        AlertKind.ENDING: {"what": "signature", "name": "示例商城", "valid_until": "2026-05-02"},
        AlertKind.WARNING: {"number": 17, "code": "W4", "en": "night", "zh": "夜", "rule": "R40"},
        AlertKind.THROTTLED: {"minutes": 10, "share": 0.31},
        AlertKind.PORT_SUSPENDED: {"rule": "R88"},
        AlertKind.PORT_RESUMED: {"rule": "R88"},
    }
    more: dict[str, object] = {"days_left": 1, "port": "10690001"}
    alerts = [
        SenderAlert("sp1", kind, "x", orjson.dumps(fields | more).decode(), NOON)
        for kind, fields in said.items()
    ]

    _, text = mail_of_alerts("sp1", alerts)

    assert "31% throttled for 10 minutes" in text
    assert "signature ends 2026-05-02" in text
    assert "已暂停发送" in text
    assert "已恢复发送" in text
    assert not any(secret in text for secret in ("10690001", "示例商城"))


async def test_who_has_a_webhook_too_hears_by_both(stores: Stores, server: MailServer) -> None:
    await stores.filings.put([licence(7)])
    hook = Hook()
    alerts = SenderAlerts(stores, dict, hook.post, AlertMail(server.settings()).send)
    alerts.follow({"sp1": replace(SP, mail=ADDRESS)})

    await look(alerts)

    assert (len(hook.alerts), len(server.mails)) == (1, 1)


@pytest.mark.parametrize(
    "failure",
    [
        ("RCPT", 550, "the server refuses the address"),
        ("MAIL", 451, "SMTP 451"),
        ("DATA", 452, "SMTP 452"),
        ("EHLO", 500, "SMTP 500"),
    ],
)
async def test_what_is_not_taken_comes_again_and_the_log_has_none_of_the_servers_words(
    stores: Stores,
    server: MailServer,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
    failure: tuple[str, int, str],
) -> None:
    verb, code, said = failure
    await stores.filings.put([licence(7)])
    server.refused = {verb: code, "HELO": code}
    alerts = alerts_of(stores, server.settings())

    await look(alerts)
    await look(alerts)  # not yet: it waits for a while
    server.refused = {}
    later = monotonic() + 3600
    monkeypatch.setattr(sender_alerts, "monotonic", lambda: later)
    await look(alerts)

    failed = [line["said"] for line in log if line["event"] == "alert.failed"]
    assert failed == [said]
    assert len(server.mails) == 1


@pytest.mark.parametrize("tls", [MailTls.STARTTLS, MailTls.TLS])
async def test_a_password_goes_over_tls_to_a_server_that_the_system_trusts(
    stores: Stores, papers: Path, monkeypatch: pytest.MonkeyPatch, tls: MailTls
) -> None:
    await stores.filings.put([licence(7)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers / "sp.pem", papers / "sp.key")

    async with MailServer(context).serving(is_tls=tls is MailTls.TLS) as server:
        settings = server.settings(tls, is_known=True)
        doubted = await AlertMail(settings).send([(ADDRESS, "x", "y")])
        monkeypatch.setenv("SSL_CERT_FILE", str(papers / "sp.pem"))
        await look(alerts_of(stores, settings))
        server.refused = {"AUTH": 535}
        refused = await AlertMail(settings).send([(ADDRESS, "x", "y")])

    assert doubted == ["the certificate of the server is not trusted"]
    assert len(server.mails) == 1
    assert server.logins == ["\0gw\0secret"]
    assert refused == ["the server refuses the password"]


async def test_without_a_server_or_without_tls_of_it_the_log_says_so(
    stores: Stores, server: MailServer, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.filings.put([licence(7)])
    server.refused = {"STARTTLS": 502}

    await look(alerts_of(stores, None))
    nothing = await AlertMail(server.settings(MailTls.STARTTLS)).send([(ADDRESS, "x", "y")])
    monkeypatch.setattr(sender_alerts, "_MAILS_S", -1.0)
    late: Sequence[str] = await AlertMail(server.settings()).send([(ADDRESS, "x", "y")])

    (failed,) = [line for line in log if line["event"] == "alert.failed"]
    assert failed["said"] == "gateway.yaml names no server of mail"
    assert nothing == ["SMTP 502"]
    assert late == ["no time was left for it"]
    assert server.mails == []
