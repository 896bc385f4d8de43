"""The work of `smsward explain mo`: what replies of subscribers mean, by which rule."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import orjson

from gateway.cli.explain_labels import worded
from gateway.domain.msisdn import masked
from gateway.domain.sender import Sender
from gateway.policy.bundle import Title
from gateway.policy.replies.hub_words import (
    HoldCommand,
    HoldVerb,
    PreferenceCommand,
    Verb,
    hub_command_of,
)
from gateway.policy.replies.intents import Intent, MoContext, ReplyMeaning, meaning_of
from gateway.settings.directories import config_directory
from gateway.settings.fault import FaultCollector
from gateway.settings.senders import load_senders, load_services
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.texts import price_of
from gateway.terminal.deployment import faulty, load_settings
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.screen import counted, print_fields, print_json_line, say, warn

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


@dataclass(frozen=True, slots=True)
class Question:
    """A reply and what came before it, as it was asked."""

    text: str | None
    advertised: str | None = None
    pending: bool = False
    listed: int | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """What the reply does, by which rule, and what that rests on."""

    said: Title
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class _IntentSource:
    """What an intent says to people, and where it comes from."""

    en: str
    zh: str
    id: str
    source: str


_RULES = {
    Intent.OPTOUT: _IntentSource(
        "wants no more commercial messages",
        "拒绝继续接收商业性短信（退订）",
        "R31",
        "O31 工信部令第31号；DEC2012 (7) 关于加强网络信息保护的决定",
    ),
    Intent.OPTOUT_ALL: _IntentSource(
        "cancels everything", "取消全部订购并退订", "R34", "N136 信部电[2004]136号"
    ),
    Intent.OPTOUT_ITEMS: _IntentSource(
        "cancels these items of the list", "取消列表中的这些业务", "R35", "practice 运营商惯例"
    ),
    Intent.BAD_INDEX: _IntentSource(
        "names no item of a list; the list is sent again",
        "序号不在列表中，重发列表",
        "R35",
        "practice 运营商惯例",
    ),
    Intent.LIST: _IntentSource(
        "asks for the list", "查询订购列表", "R33", "N136 信部电[2004]136号"
    ),
    Intent.HELP: _IntentSource("asks for help", "请求帮助", "", "practice 惯例"),
    Intent.OPTIN: _IntentSource("takes a refusal back", "恢复接收", "R37", "O31 工信部令第31号"),
    Intent.CONFIRM: _IntentSource(
        "says yes to the pending request",
        "对待确认请求表示同意",
        "R24",
        "N136 信部电[2004]136号",
    ),
    Intent.REFUSE: _IntentSource(
        "says no to the pending request",
        "对待确认请求表示拒绝",
        "R24",
        "N136 信部电[2004]136号",
    ),
    Intent.NONE: _IntentSource(
        "nothing that changes consent; it is for the SP",
        "不改变同意状态，转发给SP",
        "R27",
        "a reply is no consent unless a request is pending 无待确认请求不构成同意",
    ),
}


def explain_reply(
    question: Question, route: tuple[str, str], config: Path | None, *, lang: str, as_json: bool
) -> int:
    """Print what a reply means that goes that way, under `config` if that is given.

    Returns the exit code.
    """
    if question.text is None:
        raise misused("there is no --text", "give --text, or --file for many at once")
    if question.listed is not None and question.listed < 0:
        raise misused("--listed: 0 or more")
    meaning = meaning_of(question.text, _context(question))
    here = None if config is None else meaning_here(config, question.text, route[1])
    if not as_json:
        told = (*_described(meaning, route, lang), *_described_here(here, lang))
        print_fields((worded(name, lang), value) for name, value in told if value)
        if config is None:
            say(worded("orders and the carrier's own codes: add --config", lang))
        return ExitCode.FINE
    print_json_line(_as_json(meaning) | ({} if config is None else {"here": here}))
    return ExitCode.FINE


def explain_file(path: Path, question: Question, config: Path | None) -> int:
    """Print what each reply of the file at `path` means, a line each; return the exit code."""
    if question != Question(text=None):
        raise misused("--file: what came before a reply stands in its line, not in options")
    if config is not None:
        raise misused("--config goes with one --text, not with --file")
    faulty = 0
    with _opened(path) as lines:
        for line in _bounded(lines):
            try:
                asked = _question(line)
                answer = _as_json(meaning_of(asked.text or "", _context(asked)))
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


def _question(line: str) -> Question:
    """Return the question in one line of JSON. Raises ValueError if the line has none."""
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
    return Question(
        given["text"], given.get("advertised"), bool(given.get("pending")), given.get("listed")
    )


def _context(question: Question) -> MoContext:
    return MoContext(question.advertised, question.pending, question.listed)


def _as_json(meaning: ReplyMeaning) -> dict[str, object]:
    return {
        "intent": meaning.intent,
        "scope": meaning.scope,
        "service": meaning.service,
        "items": meaning.items,
    }


def _described(
    meaning: ReplyMeaning, route: tuple[str, str], lang: str
) -> Iterator[tuple[str, str]]:
    rule = _RULES[meaning.intent]
    source, destination = route
    yield "from", masked(source)
    yield "to", destination
    yield "intent", meaning.intent
    yield "meaning", rule.zh if lang == "zh" else rule.en
    yield "scope", meaning.scope or ""
    yield "the service", meaning.service or ""
    yield "items", ", ".join(map(str, meaning.items))
    yield "rule", rule.id
    yield "source", rule.source


def _described_here(here: Here | None, lang: str) -> Iterator[tuple[str, str]]:
    if here is not None:
        yield "here", here.said.zh if lang == "zh" else here.said.en
        yield "rule", here.rule
        yield "source", here.source


def meaning_here(config: Path, text: str, destination: str) -> Here | None:
    """Return what `text` to `destination` does beside its plain meaning (R24, R50, R51).

    Raises CommandError with the faults of the configuration.
    """
    if destination in load_settings(config).hub.codes:
        return _commanded(text)
    gathering = FaultCollector()
    directory = config_directory(config)
    senders = gathering.take(lambda: load_senders(directory / "senders.yaml"), {})
    services = gathering.take(lambda: load_services(directory / "services.yaml", senders), ())
    if gathering.faults:
        raise faulty(gathering.faults)
    owner = _owner_of(destination, senders)
    service = Catalogue(services).ordered_by(owner, destination, text)
    if service is None:
        return None
    what = f"{service.terms.name} {price_of(service.terms)} ({owner} {service.id})"
    said = Title(f"订购 {what}，须再次确认", f"orders {what}; counts after a second yes")
    return Here(said, "R24", "N136 信部电[2004]136号")


def _commanded(text: str) -> Here | None:
    match hub_command_of(text):
        case None:
            return None
        case HoldCommand(verb, items):
            said = _HOLD_VERBS[verb]
            which = ", ".join(map(str, items))
            return Here(Title(f"{said.zh}{which}", f"{said.en}{which}"), "R50", _SOURCE)
        case command:
            return _preferred(command)


def _preferred(command: PreferenceCommand) -> Here:
    about, verb = command.about, _VERBS[command.verb]
    what = "" if about is None else f"{about.action} {about.kind} {about.value}"
    said = Title(f"{verb.zh}{what}", f"{verb.en}{what}")
    return Here(said, "R51", _SOURCE)


def _owner_of(port: str, senders: dict[str, Sender]) -> str:
    owners = (one.system_id for one in senders.values() if one.port_of(port) is not None)
    return next(owners, "")
