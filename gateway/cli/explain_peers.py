"""The work of `smsward explain bind` and `explain mo`: what two peers are told, and why."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TextIO

import orjson

from gateway.cli.explain_labels import bundle_at_hand, said_in, worded
from gateway.cli.explain_submit import facts_in_store
from gateway.domain.consent import Answer, parts_of
from gateway.domain.msisdn import masked
from gateway.domain.policy import RefusalScope
from gateway.domain.sender import BindType, Sender, SenderState
from gateway.domain.subscription import Hub, MessageEvidence
from gateway.policy.bundle import Title, citation_of
from gateway.policy.hub_words import HoldCommand, HoldVerb, PreferenceCommand, Verb, hub_command_of
from gateway.policy.knowledge import Knowledge
from gateway.policy.replies import Intent, MoContext, ReplyMeaning, meaning_of
from gateway.runtime.clock import utcnow
from gateway.session.binding import BindReason, BindRequest, judge_bind
from gateway.session.stranger_limits import ip_of
from gateway.settings.directories import config_directory
from gateway.settings.gateway import GatewaySettings
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services
from gateway.settings.yaml import FaultCollector
from gateway.systems.subscriptions.dialogue import Dialogue, Word
from gateway.systems.subscriptions.model import Catalogue, SubscriberRecords
from gateway.systems.subscriptions.texts import price_of
from gateway.terminal.arguments import moment_asked
from gateway.terminal.deployment import Deployment, faulty, load_settings
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.screen import counted, print_fields, print_json, print_json_line, say, warn

_INTERFACE_VERSION = 0x34
_WORDS = {
    BindReason.OK: ("可以绑定", "it gets in, with the right password"),
    BindReason.SUSPENDED: ("发送方已暂停", "the sender is suspended"),
    BindReason.EXPIRED: ("发送方已到期", "the sender has expired"),
    BindReason.LICENCE_EXPIRED: ("许可证已过期", "its licence has ended"),
    BindReason.LICENCE_MISSING: ("未登记许可证", "no licence of it is on file"),
    BindReason.ADDRESS: (
        "来源地址不在许可范围内",
        "its address is not among those it may bind from",
    ),
    BindReason.BIND_TYPE: ("绑定类型不被允许", "it may not bind as this type"),
    BindReason.TOO_MANY: ("不允许任何绑定", "it may have no bind at all"),
}


async def explain_admission(
    deployment: Deployment,
    asked: tuple[str, str, BindType],
    at: datetime | None,
    *,
    lang: str,
    as_json: bool,
) -> int:
    """Judge a bind of (system_id, address, type), print the verdict; return the exit code."""
    system_id, peer, bind_type = asked
    deployment.require_sender(system_id)
    if ip_of(peer) is None:
        raise misused(
            f"--peer: {peer!r} is no IP address", "write it as 203.0.113.7 or 2001:db8::7"
        )
    stored = await facts_in_store(deployment, system_id)
    sender = deployment.senders[system_id]
    warnings = *stored.warnings, *stored.measures.of_sender()
    if stored.measures.is_suspended:
        sender = replace(sender, state=SenderState.SUSPENDED)
    licence = BindReason.OK
    if not sender.is_peer:
        licence = _licence_at(stored.knowledge, system_id, moment_asked(at), deployment.settings)
    verdict = judge_bind(
        BindRequest(system_id, b"", bind_type, _INTERFACE_VERSION, b"", peer),
        sender,
        password_is_right=True,
        live_binds=0,
        locked=False,
        licence=licence,
    )
    article = citation_of(deployment.bundle, "R01").article
    if as_json:
        print_json(_as_json(verdict, article, warnings))
        return ExitCode.FINE
    zh, en = _WORDS[verdict]
    told = (
        ("verdict", "ACCEPT" if verdict is BindReason.OK else "REFUSE"),
        ("reason", f"{verdict}: {zh if lang == 'zh' else en}"),
        ("article", f"{article} (R01)"),
        ("the SP hears", verdict.status.name),
    )
    print_fields((worded(name, lang), worded(value, lang)) for name, value in told)
    for warning in warnings:
        warn(said_in(warning, lang), lang)
    return ExitCode.FINE


def _licence_at(
    knowledge: Knowledge, system_id: str, at: datetime, settings: GatewaySettings
) -> BindReason:
    """Return what speaks against the licence, as the gateway's own gate sees it (R01)."""
    match knowledge.filings.of(system_id).is_licensed(at.timestamp()):
        case None if settings.filings.licence_required:
            return BindReason.LICENCE_MISSING
        case False:
            return BindReason.LICENCE_EXPIRED
        case _:
            return BindReason.OK


def _as_json(verdict: BindReason, article: str, warnings: tuple[Title, ...]) -> dict[str, object]:
    zh, en = _WORDS[verdict]
    return {
        "action": "accept" if verdict is BindReason.OK else "refuse",
        "reason": verdict,
        "said": {"zh": zh, "en": en},
        "rule": "R01",
        "article": article,
        "status": verdict.status.name,
        "warnings": [one.en for one in warnings],
    }


_MAX_LINE_CHARS = 64 * 1024
_NOTHING = type(None)
_FIELDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "advertised": (str, _NOTHING),
    "pending": (bool, _NOTHING),
    "listed": (int, _NOTHING),
}
_VERBS = {
    Verb.SET: Title("设置接收偏好：", "sets a preference: "),
    Verb.TAKE_BACK: Title("取消接收偏好：", "takes a preference back: "),
    Verb.SHOW: Title("查询接收偏好", "asks for the preferences"),
    Verb.UNCLEAR: Title("像是接收偏好的命令，但不明确", "begins like a preference, and is unclear"),
}

_HOLD_VERBS = {
    HoldVerb.LIST: Title("查询按本人设置拦截的短信", "asks what their own rules hold"),
    HoldVerb.RELEASE: Title("放行被拦截的短信：", "lets held messages go: "),
    HoldVerb.DISCARD: Title("删除被拦截的短信：", "drops held messages: "),
}
_SOURCE = "plan (四) 3 行动方案（四）3"


_N136, _O31, _PRACTICE = "N136 信部电[2004]136号", "O31 工信部令第31号", "practice 运营商惯例"


@dataclass(frozen=True, slots=True)
class ReplyPlace:
    """Where a reply arrives: its port or hub code, the SP behind that, and what is offered.

    `refuses` is what a refusal is of that names nothing.
    """

    destination: str
    owner: Sender | None
    hub: Hub
    catalogue: Catalogue
    refuses: RefusalScope = RefusalScope.SENDER

    @property
    def is_hub(self) -> bool:
        """Tell whether it is a code of the carrier's."""
        return self.destination in self.hub.codes


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What is on record after a reply: an answer, and the SP or its part, * for all."""

    scope: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class ReplyEffect:
    """What a reply does, by which rule, and what that rests on."""

    said: Title
    rule: str
    source: str


_EFFECTS = {
    intent: ReplyEffect(Title(zh, en), rule, source)
    for intent, zh, en, rule, source in (
        (
            Intent.OPTOUT,
            "拒绝继续接收商业性短信（退订）",
            "wants no more commercial messages",
            "R31",
            f"{_O31}；DEC2012 (7) 关于加强网络信息保护的决定",
        ),
        (Intent.OPTOUT_ALL, "取消全部订购并退订", "cancels everything", "R34", _N136),
        (
            Intent.OPTOUT_ITEMS,
            "取消列表中的这些业务",
            "cancels these items of the list",
            "R35",
            _PRACTICE,
        ),
        (
            Intent.BAD_INDEX,
            "序号不在列表中，重发列表",
            "names no item of a list; the list is sent again",
            "R35",
            _PRACTICE,
        ),
        (Intent.LIST, "查询订购列表", "asks for the list", "R33", _N136),
        (Intent.HELP, "请求帮助", "asks for help", "", "practice 惯例"),
        (Intent.HOW_TO, "询问如何退订，只告知办法", "asks how to refuse, and is told", "R31", _O31),
        (Intent.OPTIN, "恢复接收", "takes a refusal back", "R37", _O31),
        (Intent.CONFIRM, "对待确认请求表示同意", "says yes to the pending request", "R24", _N136),
        (Intent.REFUSE, "对待确认请求表示拒绝", "says no to the pending request", "R24", _N136),
        (
            Intent.NONE,
            "不改变同意状态，转发给SP",
            "nothing that changes consent; it is for the SP",
            "R27",
            "a reply is no consent unless a request is pending 无待确认请求不构成同意",
        ),
    )
}


def explain_reply(
    text: str,
    before: MoContext,
    route: tuple[str, str],
    config: Path | None,
    *,
    lang: str,
    as_json: bool,
) -> int:
    """Print what a reply means that goes that way, under `config` if that is given.

    Returns the exit code.
    """
    if before.listed is not None and before.listed < 0:
        raise misused("--listed: 0 or more")
    meaning = meaning_of(text, before)
    place = None if config is None else place_at(config, route[1])
    here = None if place is None else meaning_here(place, text)
    ledger = None if place is None or here is not None else ledger_after(place, text, before)
    if as_json:
        known = {} if place is None else {"here": here, "ledger": ledger}
        print_json_line(asdict(meaning) | known)
        return ExitCode.FINE
    told: Iterable[tuple[str, str]] = _described(meaning, here, route, lang)
    if place is not None:
        told = chain(told, [("ledger", said_in(_ledger_said(ledger), lang))])
    print_fields((worded(name, lang), value) for name, value in told if value)
    if config is None:
        say(worded("orders and the carrier's own codes: add --config", lang))
    return ExitCode.FINE


def explain_file(path: Path) -> int:
    """Print what each reply of the file at `path` means, a line each; return the exit code."""
    faulty = 0
    with _opened(path) as lines:
        for line in _bounded(lines):
            try:
                answer = asdict(meaning_of(*_question(line)))
            except ValueError as error:
                faulty += 1
                answer = {"error": str(error)}
            print_json_line(answer)
    if faulty:
        warn(f"not understood: {counted(faulty, 'line')}")
    return ExitCode.FAILED if faulty else ExitCode.FINE


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdin
        return
    try:
        # What is no UTF-8 is found to be no JSON, line by line.
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield lines
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def _bounded(lines: TextIO) -> Iterator[str]:
    """Yield the lines that are not blank, those that are too long cut off."""
    while line := lines.readline(_MAX_LINE_CHARS + 1):
        rest = line
        while rest and not rest.endswith("\n"):
            rest = lines.readline(_MAX_LINE_CHARS)
        if line.strip():
            yield line


def _question(line: str) -> tuple[str, MoContext]:
    """Return the text in one line of JSON, and what came before. Raises ValueError for none."""
    if len(line) > _MAX_LINE_CHARS:
        raise ValueError(f"longer than {_MAX_LINE_CHARS} characters")
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if not isinstance(given, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of error for one kind of line
    context = given.get("ctx") or {}
    if not isinstance(context, dict):
        raise ValueError("ctx: not an object")  # noqa: TRY004 - as above
    given |= context
    for name, kinds in _FIELDS.items():
        # JSON has exactly these types, and true is no count.
        if type(given.get(name)) not in kinds:
            raise ValueError(f"{name}: not of the right type")
    if (given.get("listed") or 0) < 0:
        raise ValueError("listed: less than 0")
    pending, listed = bool(given.get("pending")), given.get("listed")
    return given["text"], MoContext(given.get("advertised"), pending, listed)


def _described(
    meaning: ReplyMeaning, here: ReplyEffect | None, route: tuple[str, str], lang: str
) -> Iterator[tuple[str, str]]:
    effect = _EFFECTS[meaning.intent]
    source, destination = route
    yield "from", masked(source)
    yield "to", destination
    yield "intent", meaning.intent
    yield "meaning", said_in(effect.said, lang)
    yield "scope", meaning.scope or ""
    yield "the service", meaning.service or ""
    yield "items", ", ".join(map(str, meaning.items))
    yield "rule", effect.rule
    yield "source", effect.source
    if here is not None:
        yield "here", said_in(here.said, lang)
        yield "rule", here.rule
        yield "source", here.source


def place_at(config: Path, destination: str) -> ReplyPlace:
    """Return the place of a port or code. Raises CommandError with the configuration's faults."""
    hub = load_settings(config).hub
    gathering = FaultCollector()
    directory = config_directory(config)
    senders = gathering.take(lambda: load_senders(directory / "senders.yaml"), {})
    services = gathering.take(lambda: load_services(directory / "services.yaml", senders), ())
    if gathering.faults:
        raise faulty(gathering.faults)
    owners = (one for one in senders.values() if one.port_of(destination) is not None)
    bundle = bundle_at_hand()
    replies = None if bundle is None else bundle.replies
    refuses = RefusalScope.SENDER if replies is None else replies.scope
    return ReplyPlace(destination, next(owners, None), hub, Catalogue(services), refuses)


def meaning_here(place: ReplyPlace, text: str) -> ReplyEffect | None:
    """Return what `text` does there beside its plain meaning (R24, R50, R51)."""
    if place.is_hub:
        return _commanded(text)
    owner = "" if place.owner is None else place.owner.system_id
    service = place.catalogue.ordered_by(owner, place.destination, text)
    if service is None:
        return None
    what = f"{service.terms.name} {price_of(service.terms)} ({owner} {service.id})"
    said = Title(f"订购 {what}，须再次确认", f"orders {what}; counts after a second yes")
    return ReplyEffect(said, "R24", _N136)


def ledger_after(place: ReplyPlace, text: str, before: MoContext) -> LedgerEntry | None:
    """Return what is on record after a reply of who has no orders; None if nothing changes.

    What a question or a list before it would make of it is not known here.
    """
    if place.owner is None and not place.is_hub:
        return None
    system_id = "" if place.owner is None else place.owner.system_id
    owned = None if place.owner is None else place.owner.port_of(place.destination)
    now = utcnow()
    word = Word(
        msisdn=0,
        system_id=system_id,
        sender_name="",
        port=place.destination,
        text=text,
        said=MessageEvidence("", "", now),
        reply_id="",
        tokens=() if before.advertised is None else (before.advertised,),
        is_hub=place.is_hub,
        owned=owned.number if owned is not None else "",
        is_narrow=place.refuses is RefusalScope.PORT,
    )
    dialogue = Dialogue(lambda: place.catalogue, lambda: place.hub.cancel_all)
    outcome = dialogue.outcome_of(word, SubscriberRecords(), now)
    if outcome.answer is None:
        return None
    return LedgerEntry(outcome.scope or word.scope or "*", outcome.answer)


def _ledger_said(entry: LedgerEntry | None) -> Title:
    if entry is None:
        return Title("不变", "unchanged")
    whom = parts_of(entry.scope)
    part = whom.port or whom.category
    zh, en = ("所有服务商", "every SP") if whom.system_id == "*" else (whom.system_id,) * 2
    if part:
        of_what = ("类别", "category") if whom.category else ("端口", "port")
        zh, en = f"{zh} 的{of_what[0]} {part}", f"{of_what[1]} {part} of {en}"
    verb = ("拒收", "refuses") if entry.answer is Answer.REFUSED else ("恢复接收", "takes back")
    return Title(f"{verb[0]} {zh}", f"{verb[1]} {en}")


def _commanded(text: str) -> ReplyEffect | None:
    match hub_command_of(text):
        case None:
            return None
        case HoldCommand(verb, items):
            said = _HOLD_VERBS[verb]
            which = ", ".join(map(str, items))
            return ReplyEffect(Title(f"{said.zh}{which}", f"{said.en}{which}"), "R50", _SOURCE)
        case PreferenceCommand(verb, about):
            what = "" if about is None else f"{about.action} {about.kind} {about.value}"
            said = Title(f"{_VERBS[verb].zh}{what}", f"{_VERBS[verb].en}{what}")
            return ReplyEffect(said, "R51", _SOURCE)
