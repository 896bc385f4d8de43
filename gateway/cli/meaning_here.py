"""What one deployment makes of a reply: an order of its services, a command to its own codes."""

from dataclasses import dataclass
from pathlib import Path

from gateway.cli.deployment import faulty, load_settings
from gateway.domain.sender import Sender
from gateway.policy.preference_words import PreferenceCommand, Verb, preference_of
from gateway.policy.rules import Title
from gateway.settings.fault import Gathering
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


@dataclass(frozen=True, slots=True)
class Here:
    """What the reply does, by which rule, and what that rests on."""

    said: Title
    rule: str
    source: str


def meaning_here(config: Path, text: str, destination: str) -> Here | None:
    """Return what `text` to `destination` does beside its plain meaning (R24, R51).

    Raises CommandError with the faults of the configuration.
    """
    if destination in load_settings(config).hub.codes:
        command = preference_of(text)
        return None if command is None else _preferred(command)
    gathering = Gathering()
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


def _preferred(command: PreferenceCommand) -> Here:
    about, verb = command.about, _VERBS[command.verb]
    what = "" if about is None else f"{about.action} {about.kind} {about.value}"
    said = Title(f"{verb.zh}{what}", f"{verb.en}{what}")
    return Here(said, "R51", "plan (四) 3 行动方案（四）3")


def _owner_of(port: str, senders: dict[str, Sender]) -> str:
    owners = (one.system_id for one in senders.values() if one.port_of(port) is not None)
    return next(owners, "")
