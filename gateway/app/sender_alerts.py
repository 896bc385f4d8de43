"""Tell SPs by webhook and mail of what ends, warnings, long throttling and suspended ports."""

import asyncio
import random
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import NoReturn, TypeAlias

import orjson
import structlog

from gateway.domain.filings import Filing
from gateway.domain.sanction import Sanction
from gateway.domain.sender import PEERS, Sender, Webhook
from gateway.domain.suspension import COMPLAINTS, PortSuspension
from gateway.domain.verdict import Action
from gateway.domain.warning import EarlyWarning
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.settings.credentials import secret_of
from gateway.settings.gateway import MailSettings, MailTls
from gateway.storage.errors import StoreUnavailable, logged
from gateway.stores import Stores
from gateway.systems.filings.filing_table import days_left, ending_of, kind_of, name_of
from gateway.systems.optout_notices.service import GIVE_UP_AFTER, pause_after
from gateway.systems.sender_alerts import AlertKind, SenderAlert

log = structlog.get_logger()

STAGES_DAYS = (1, 7, 30)
THROTTLED_MINUTES, THROTTLED_SHARE = 10, 0.05
_EVERY_S = 60.0
_FILINGS_EVERY = 60  # in looks: they end with a day
_WARNINGS_AT_ONCE = 200
_ABOUT_CHARS = 128
# Posts a body to a webhook, signed; returns why it was not taken, "" if it was.
Post: TypeAlias = Callable[[Webhook, bytes], Awaitable[str]]
# Sends a mail with each text to its address; returns why it was not taken, "" if it was.
SendMails: TypeAlias = Callable[[Sequence[tuple[str, str, str]]], Awaitable[list[str]]]
_KEPT_FOR = timedelta(days=400)  # longer than any alert could come again


def ending_alerts(filings: Iterable[Filing], at: datetime) -> list[SenderAlert]:
    """Return an alert for each filing that ends, for the stage that it has reached."""
    found = []
    for one, day in ending_of(filings, STAGES_DAYS[-1]):
        left = days_left(day)
        if left >= 0:
            stage = next(days for days in STAGES_DAYS if left <= days)
            until = day.isoformat()
            about = f"{kind_of(one)} {until} {stage} {name_of(one)}"
            said = {
                "what": kind_of(one),
                "name": name_of(one),
                "valid_until": until,
                "days_left": left,
            }
            found.append(_alert(one.system_id, AlertKind.ENDING, about, said, at))
    return found


def warning_alert(warning: EarlyWarning) -> SenderAlert:
    """Return the alert of a warning that was raised."""
    gathered, kind = warning.gathered, warning.gathered.kind
    said = {
        "number": warning.number,
        "code": kind.code.value,
        "en": kind.code.en,
        "zh": kind.code.zh,
        "rule": kind.rule,
        "port": kind.port,
        "severity": gathered.severity.value if gathered.severity is not None else "",
        "since": gathered.first_at.isoformat(timespec="seconds"),
        "due_at": warning.due_at.isoformat(timespec="seconds"),
    }
    about = str(warning.number)
    return _alert(kind.system_id, AlertKind.WARNING, about, said, gathered.first_at)


def port_alerts(suspension: PortSuspension, *, is_still_held: bool = False) -> list[SenderAlert]:
    """Return the alerts of a suspension of a port and of its end, without any reporter.

    Not of its end where another suspension still held the port.
    """
    rule = "R88" if suspension.by == COMPLAINTS else ""
    said = {"port": suspension.port, "rule": rule}
    begin, end = suspension.since, None if is_still_held else suspension.lifted_at
    moments = [(AlertKind.PORT_SUSPENDED, begin), (AlertKind.PORT_RESUMED, end)]
    return [
        _alert(suspension.system_id, kind, str(suspension.number), said, at)
        for kind, at in moments
        if at is not None
    ]


def sanction_alerts(sanction: Sanction) -> list[SenderAlert]:
    """Return the alerts of a sanction that was applied, and of its end."""
    said = {
        "number": sanction.number,
        "warning": sanction.warning,
        "step": sanction.step.value,
        "severity": sanction.severity.value,
        "port": sanction.port,
    }
    asked, about = sanction.reopening, str(sanction.number)
    found = []
    if sanction.decided_at is not None:
        found.append(
            _alert(sanction.system_id, AlertKind.SANCTION, about, said, sanction.decided_at)
        )
    if sanction.reopened_at is not None and asked is not None:
        until = sanction.reopened_at + timedelta(days=asked.days)
        terms = {
            "conditions": asked.conditions,
            "daily_max": asked.daily_max,
            "probation_until": until.isoformat(timespec="seconds"),
        }
        at = sanction.reopened_at
        found.append(_alert(sanction.system_id, AlertKind.REOPENED, about, said | terms, at))
    return found


class ThrottleWatch:
    """Finds SPs with many throttled messages in each of ten minutes in a row."""

    def __init__(self) -> None:
        self._before: Mapping[tuple[str, str], int] = {}
        self._minutes: dict[str, int] = {}

    def look(self, actions: Mapping[tuple[str, str], int], at: datetime) -> list[SenderAlert]:
        """Take the counts by sender and action once a minute; return the alerts, one a day."""
        sent: dict[str, int] = {}
        throttled: dict[str, int] = {}
        for (system_id, action), count in actions.items():
            more = count - self._before.get((system_id, action), 0)
            sent[system_id] = sent.get(system_id, 0) + more
            if action == Action.THROTTLE:
                throttled[system_id] = more
        self._before = dict(actions)
        found = []
        for system_id, count in sent.items():
            refused = throttled.get(system_id, 0)
            is_long = refused > 0 and refused >= THROTTLED_SHARE * count
            minutes = self._minutes[system_id] = (
                self._minutes.get(system_id, 0) + 1 if is_long else 0
            )
            if minutes >= THROTTLED_MINUTES:
                said = {"minutes": minutes, "share": round(refused / count, 2)}
                found.append(_alert(system_id, AlertKind.THROTTLED, f"{at:%Y-%m-%d}", said, at))
        return found


def _alert(
    system_id: str, kind: AlertKind, about: str, said: Mapping[str, object], at: datetime
) -> SenderAlert:
    return SenderAlert(system_id, kind, about[:_ABOUT_CHARS], orjson.dumps(said).decode(), at)


def body_of_alerts(system_id: str, alerts: Sequence[SenderAlert]) -> bytes:
    """Return alerts as JSON; the same octets for the same alerts."""
    shown = [
        {"kind": one.kind.value, "at": one.at.isoformat(timespec="seconds")}
        | orjson.loads(one.fields)
        for one in alerts
    ]
    return orjson.dumps({"system_id": system_id, "alerts": shown})


_ALERTS_A_MAIL = 100
_MAIL_TIMEOUT_S, _MAILS_S = 10.0, 30.0
_LATE = "no time was left for it"


def mail_of_alerts(system_id: str, alerts: Sequence[SenderAlert]) -> tuple[str, str]:
    """Return subject and text of a mail: no port and no words of a message stand in it."""
    lines = [f"{one.at:%Y-%m-%d %H:%M} UTC  {_line_of(one)}" for one in alerts]
    foot = "Details: GET /v1/limits, or your carrier. 详情请查询接口或联系运营商。"
    return f"smsward: {len(alerts)} for {system_id}", "\n".join((*lines, "", foot, ""))


_PORT_LINES = {
    AlertKind.PORT_SUSPENDED: "a port may not send until it was reviewed"
    " / 一个端口号已暂停发送，待复核",
    AlertKind.PORT_RESUMED: "a suspended port may send again / 一个端口号已恢复发送",
}
_STEPS = {
    "notice": "notice of a violation / 违规告知",
    "suspend": "a port is suspended for a violation / 因违规暂停端口",
    "close": "closed for violations: binds are refused / 因违规关闭，不再接受绑定",
}


def _line_of(alert: SenderAlert) -> str:
    said = orjson.loads(alert.fields)
    match alert.kind:
        case AlertKind.ENDING:
            until, left = said["valid_until"], said["days_left"]
            return (
                f"{said['what']} ends {until}, {left} days left / 将于 {until} 到期，剩 {left} 天"
            )
        case AlertKind.WARNING:
            about = f"{said['code']} {said['en']} / {said['zh']}"
            return f"warning {said['number']} / 预警: {about} ({said['rule']})"
        case AlertKind.THROTTLED:
            minutes, share = said["minutes"], f"{said['share']:.0%}"
            return f"{share} throttled for {minutes} minutes / 连续 {minutes} 分钟限速 {share}"
        case AlertKind.PORT_SUSPENDED | AlertKind.PORT_RESUMED:
            return _PORT_LINES[alert.kind]
        case AlertKind.SANCTION:
            return f"{_STEPS[said['step']]} (sanction {said['number']}, warning {said['warning']})"
        case AlertKind.REOPENED:
            until, most = said["probation_until"][:10], said["daily_max"]
            over = f"sanction {said['number']} is over / 处罚 {said['number']} 已解除"
            return f"{over}: at most {most} a day until {until} / 观察期内每日限量"


class AlertMail:
    """Sends mails over one connection, in a thread of its own: a slow server delays nothing else.

    All of a call takes _MAILS_S and one timeout at most; what is left is for the next.
    """

    def __init__(self, settings: MailSettings | None) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "mail")

    async def send(self, mails: Sequence[tuple[str, str, str]]) -> list[str]:
        """Send (address, subject, text) each; return why one was not taken, "" if it was."""
        if self._settings is None:
            return ["gateway.yaml names no server of mail"] * len(mails)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._send, self._settings, mails)

    def _send(self, settings: MailSettings, mails: Sequence[tuple[str, str, str]]) -> list[str]:
        said: list[str] = []
        until = monotonic() + _MAILS_S
        try:
            with _connected(settings) as server:
                for mail in mails:
                    taken = monotonic() < until
                    said.append(_taken(server, new_mail(settings, *mail)) if taken else _LATE)
        except (OSError, smtplib.SMTPException) as error:
            said += [_reason(error)] * (len(mails) - len(said))
        return said


@contextmanager
def _connected(settings: MailSettings) -> Iterator[smtplib.SMTP]:
    host, port = settings.server
    context = ssl.create_default_context()
    if settings.tls is MailTls.TLS:
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=_MAIL_TIMEOUT_S, context=context
        )
    else:
        server = smtplib.SMTP(host, port, timeout=_MAIL_TIMEOUT_S)
    with server:
        if settings.tls is MailTls.STARTTLS:
            server.starttls(context=context)
        if settings.user is not None and settings.password is not None:
            server.login(settings.user, secret_of(settings.password).decode())
        yield server


def new_mail(settings: MailSettings, address: str, subject: str, text: str) -> EmailMessage:
    """Return a mail that a program writes."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.sender, address, subject
    mail["Date"], mail["Auto-Submitted"] = format_datetime(utcnow()), "auto-generated"
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    mail.set_content(text)
    return mail


def send_mail(settings: MailSettings, mail: EmailMessage) -> str:
    """Send one mail; return why it was not taken, "" if it was. It waits: not for the loop."""
    try:
        with _connected(settings) as server:
            return _taken(server, mail)
    except (OSError, smtplib.SMTPException) as error:
        return _reason(error)


def _taken(server: smtplib.SMTP, mail: EmailMessage) -> str:
    try:
        server.send_message(mail)
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        return _reason(error)
    return ""


# Subclasses before their base classes.
_REASONS: Mapping[type[Exception], str] = {
    smtplib.SMTPAuthenticationError: "the server refuses the password",
    smtplib.SMTPRecipientsRefused: "the server refuses the address",
    smtplib.SMTPNotSupportedError: "the server has no TLS, or no login",
    ssl.SSLCertVerificationError: "the certificate of the server is not trusted",
    ssl.SSLError: "no TLS with the server",
}


def _reason(error: Exception) -> str:
    """Return why mail was not taken, without any words of the server."""
    said = (words for kind, words in _REASONS.items() if isinstance(error, kind))
    if isinstance(error, smtplib.SMTPResponseException):
        return next(said, f"SMTP {error.smtp_code}")
    return next(said, "no connection with the server")


@dataclass(slots=True)
class _AlertTries:
    """How often a way to an SP failed in a row, and when it is tried again (monotonic)."""

    failed: int = 0
    again_at: float = 0.0


class SenderAlerts:
    """Raises alerts, posts them, signed as notices are, and mails them; tries again what failed.

    They are on record before that, so each is raised once, over restarts too. After 72 hours an
    alert that was not taken is not tried any more.
    """

    def __init__(
        self,
        stores: Stores,
        actions: Callable[[], Mapping[tuple[str, str], int]],
        post: Post,
        send_mails: SendMails,
    ) -> None:
        self._stores = stores
        self._actions = actions
        self._post = post
        self._send_mails = send_mails
        self._throttling = ThrottleWatch()
        self._webhooks: dict[str, Webhook] = {}
        self._peers = frozenset({PEERS})
        self._addresses: dict[str, str] = {}
        self._attempts: dict[tuple[str, bool], _AlertTries] = {}  # by SP, and whether by mail
        self._mailing: asyncio.Task[None] | None = None
        self._unkept: dict[tuple[str, AlertKind, str], SenderAlert] = {}
        self._looks = 0
        self._last_warning = 0
        self._is_failing = False

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Post to the webhooks of `senders` and write to their addresses from now on."""
        self._addresses = {one.system_id: one.mail for one in senders.values() if one.mail}
        self._webhooks = {one.system_id: one.webhook for one in senders.values() if one.webhook}
        self._peers |= {one.system_id for one in senders.values() if one.is_peer}
        self._attempts.clear()

    async def watch(self) -> NoReturn:
        """Look once a minute, until cancelled."""
        while True:
            try:
                await self.look()
                self._is_failing = False
            except StoreUnavailable as error:
                if not self._is_failing:
                    log.error("alert.store_failed", said=str(error))
                self._is_failing = True
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Raise what is to be raised, and post what waits. Raises StoreUnavailable."""
        now = utcnow()
        self._keep(self._throttling.look(self._actions(), now))
        self._keep(await self._warnings(now - GIVE_UP_AFTER))
        ports = self._stores.suspended_ports
        changed = await ports.changed_after(now - GIVE_UP_AFTER)
        still_held = await ports.lifted_beneath(now - GIVE_UP_AFTER)
        for one in changed:
            if one.system_id not in self._peers:  # told by the linkage, case by case
                self._keep(port_alerts(one, is_still_held=one.number in still_held))
        for sanction in await self._stores.sanctions.changed_after(now - GIVE_UP_AFTER):
            self._keep(sanction_alerts(sanction))
        if self._looks % _FILINGS_EVERY == 0:
            self._keep(ending_alerts(await self._stores.filings.all_filings(), now))
            await self._stores.sender_alerts.forget(now - _KEPT_FOR)
        self._looks += 1
        await self._stores.sender_alerts.add(list(self._unkept.values()))
        self._unkept.clear()
        await self._tell(now)

    def _keep(self, alerts: Iterable[SenderAlert]) -> None:
        """Hold alerts until the store has them; what is raised again is held once."""
        self._unkept.update({(one.system_id, one.kind, one.about): one for one in alerts})

    async def _warnings(self, since: datetime) -> list[SenderAlert]:
        """Return alerts of warnings that were raised after the last look, and after `since`."""
        new: list[EarlyWarning] = []
        before: int | None = None
        while page := await self._stores.warnings.find(before=before, limit=_WARNINGS_AT_ONCE):
            new += [one for one in page if one.number > self._last_warning]
            before = page[-1].number
            if before <= self._last_warning or page[-1].gathered.first_at <= since:
                break
        self._last_warning = max((one.number for one in new), default=self._last_warning)
        return [warning_alert(one) for one in new if one.gathered.first_at > since]

    async def _tell(self, now: datetime) -> None:
        if self._mailing is None or self._mailing.done():  # a slow server delays no webhook
            self._mailing = spawn(self._mail_alerts(now), name="alert-mail")
        alerts = await self._untold(self._webhooks, now, by_mail=False)
        await asyncio.gather(*(self._bring(*one) for one in alerts.items()))

    async def _untold(
        self, ways: Mapping[str, object], now: datetime, *, by_mail: bool
    ) -> dict[str, list[SenderAlert]]:
        """Return the alerts of each SP that is to be told now in such a way."""
        due = [one for one in ways if self._attempts_of(one, by_mail).again_at <= monotonic()]
        alerts: dict[str, list[SenderAlert]] = {}
        store, since = self._stores.sender_alerts, now - GIVE_UP_AFTER
        for one in await store.untold(due, since, by_mail=by_mail) if due else ():
            alerts.setdefault(one.system_id, []).append(one)
        return alerts

    async def _bring(self, system_id: str, alerts: Sequence[SenderAlert]) -> None:
        webhook = self._webhooks.get(system_id)
        if webhook is not None:
            failure = await self._post(webhook, body_of_alerts(system_id, alerts))
            await self._settle(system_id, alerts, failure, by_mail=False)

    async def _mail_alerts(self, now: datetime) -> None:
        await logged(self._mail(now))

    async def _mail(self, now: datetime) -> None:
        untold = await self._untold(self._addresses, now, by_mail=True)
        some = {one: alerts[:_ALERTS_A_MAIL] for one, alerts in untold.items()}
        mails = [(self._addresses.get(one, ""), *mail_of_alerts(one, some[one])) for one in some]
        said = await self._send_mails(mails) if mails else []
        for (system_id, alerts), failure in zip(some.items(), said, strict=True):
            await self._settle(system_id, alerts, failure, by_mail=True)

    async def _settle(
        self, system_id: str, alerts: Sequence[SenderAlert], failure: str, *, by_mail: bool
    ) -> None:
        attempts = self._attempts_of(system_id, by_mail)
        if failure:
            attempts.failed += 1
            pause = pause_after(attempts.failed, random.random())  # noqa: S311 - no secret
            attempts.again_at = monotonic() + pause.total_seconds()
            if attempts.failed == 1:
                log.warning("alert.failed", system_id=system_id, said=failure)
            return
        attempts.failed = 0
        await self._stores.sender_alerts.told(alerts, utcnow(), by_mail=by_mail)
        log.info("alert.told", system_id=system_id, alerts=len(alerts))

    def _attempts_of(self, system_id: str, by_mail: bool) -> _AlertTries:  # noqa: FBT001 - a key
        return self._attempts.setdefault((system_id, by_mail), _AlertTries())
