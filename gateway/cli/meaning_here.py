"""What one deployment makes of a reply: an order of its services, a command to its own codes."""

from dataclasses import dataclass
from pathlib import Path

from gateway.cli.deployment import faulty, load_settings
from gateway.domain.sender import Sender
from gateway.policy.hold_words import HoldCommand, HoldVerb
from gateway.policy.hub_words import hub_command_of
from gateway.policy.preference_words import PreferenceCommand, Verb
from gateway.policy.rules import Title
from gateway.settings.fault import FaultCollector
from gateway.settings.locate import config_directory
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.texts import price_of

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
class Here:
    """What the reply does, by which rule, and what that rests on."""

    said: Title
    rule: str
    source: str


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
