"""The work of `smsward check`: all faults, or what the files come to."""

# ruff: noqa: PLC0415 - reading a model imports what takes most of a second

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from socket import AI_NUMERICHOST, getaddrinfo
from urllib.parse import urlsplit

from gateway.domain.policy import Enforcement
from gateway.domain.sender import Sender
from gateway.filter.classifier.score import Scorer
from gateway.policy.bundle import Bundle, Title
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.suspicious import unscored
from gateway.runtime.clock import utcnow
from gateway.settings.credentials import is_samples_own
from gateway.settings.directories import check, stray_categories
from gateway.settings.gateway import GatewaySettings, LearningSettings
from gateway.settings.senders import are_secrets_readable
from gateway.settings.yaml import Fault
from gateway.terminal.deployment import Deployment, load_deployment
from gateway.terminal.failure import ExitCode, known
from gateway.terminal.screen import counted, print_fields, print_json, say, warn

_A_MONTH = timedelta(days=31)


def check_deployment(config: Path, policies: Path, *, as_json: bool) -> int:
    """Print the faults of a deployment, else a summary; return the exit code."""
    faults = check(config, policies)
    if faults:
        report_faults(faults, as_json=as_json)
        return ExitCode.MISUSED
    deployment = load_deployment(config, policies)
    settings, senders = deployment.settings, deployment.senders.values()
    read: dict[str, object] = {
        "configuration": str(config),
        "policies": str(policies),
        "listeners": ", ".join(str(listener.address) for listener in settings.listeners),
        "smscs": ", ".join(str(smsc.address) for smsc in settings.smscs),
        "senders": len(senders),
        "ports": sum(len(sender.ports) for sender in senders),
        **bundle_summary_of(deployment.bundle),
        **_places_of(settings),
    }
    warnings = list(deployment_warnings_of(deployment, config, policies))
    return report_sound(read, warnings, as_json=as_json)


def _places_of(settings: GatewaySettings) -> dict[str, str]:
    """Return where the gateway writes and has its keys, if it is started where this runs."""
    keys = "none" if settings.privacy is None else settings.privacy.keys
    is_file = settings.privacy is not None and not keys.startswith("env:")
    return {
        "store": str(settings.store.file.absolute()),
        "records": str(settings.records.directory.absolute()),
        "models": str(settings.learning.models.absolute()),
        "keys": str(Path(keys).absolute()) if is_file else keys,
    }


def report_sound(read: Mapping[str, object], warnings: Collection[str], *, as_json: bool) -> int:
    """Print what files without faults come to, with warnings; return the exit code."""
    if as_json:
        print_json({"ok": True, "faults": [], **read, "warnings": warnings})
        return ExitCode.FINE
    print_fields((name, str(value)) for name, value in read.items())
    for warning in warnings:
        warn(warning)
    return ExitCode.FINE


def bundle_summary_of(bundle: Bundle) -> dict[str, object]:
    """Return what the policies alone come to, by name."""
    return {
        "bundle": bundle.name,
        "posture": bundle.posture,
        "lists": len(bundle.keyword_lists),
        "words": sum(len(words.words) for words in bundle.keyword_lists),
        "rules": len(bundle.rules),
        "enforced": sum(rule.mode is Enforcement.ENFORCE for rule in bundle.rules),
        "cases": len(bundle.selftest),
        "digest": bundle.digest,
    }


def deployment_warnings_of(deployment: Deployment, config: Path, policies: Path) -> Iterable[str]:
    """Yield what is allowed in a deployment and yet should not be overlooked."""
    settings, bundle = deployment.settings, deployment.bundle
    senders, path = deployment.senders.values(), config / "senders.yaml"
    table = config / "provinces.csv"
    yield from warnings_of(senders, bundle)
    if are_secrets_readable(path, senders):
        yield (
            f"READABLE SECRETS: every account of this machine can read {path}, which holds"
            " passwords or keys of SPs: chmod 640 (600 where no group needs it)"
        )
    yield from strangers_of(senders, bundle)
    yield from stray_categories_of(bundle, policies)
    yield from unknown_holidays_of(bundle, utcnow().date())
    if not table.exists():  # rules look provinces up (R04)
        for rule in bundle.rules:
            if isinstance(rule.check, OtherProvince) and rule.can_stop:
                yield f"PROVINCES UNKNOWN: {rule.id} stops nothing, for there is no {table}"
    if settings.privacy is None:  # records would be kept like in the open (R73)
        what = "numbers and TEXTS" if settings.records.texts else "numbers"
        yield (
            f"RECORDS NOT SEALED: there are no keys, so {what} in records stay readable;"
            " `smsward keys new` makes one for privacy.keys in gateway.yaml"
        )
    yield from unreachable_webhooks_of(senders, settings.webhooks.networks)
    scorer, problems = installed_scorer(settings.learning)
    yield from (one.en for one in (*problems, *unscored(bundle.rules, scorer)))


def warnings_of(senders: Collection[Sender], bundle: Bundle) -> Iterable[str]:
    """Yield what is allowed and yet should not be overlooked."""
    if bundle.is_open:
        yield f"OPEN POLICY: the bundle {bundle.name} can stop nothing, every message is forwarded"
    plain = sum(sender.password.startswith("plain:") for sender in senders)
    if plain:
        yield (
            f"PLAIN PASSWORDS: written out for {counted(plain, 'sender')};"
            " smsward sender hash-password makes a hash"
        )
    sample = [sender.system_id for sender in senders if is_samples_own(sender.password)]
    if sample:
        yield (
            f"SAMPLE PASSWORDS: {known(sample)}: still the sample's password, which everybody"
            " knows; smsward sender hash-password makes a hash of your own"
        )


def unreachable_webhooks_of(
    senders: Iterable[Sender], networks: Collection[IPv4Network | IPv6Network]
) -> Iterable[str]:
    """Yield the SPs with a webhook at an address that is never dialled.

    Where a host name leads is only known once it is.
    """
    from gateway.app.webhook_client import may_be_dialled

    for sender in senders:
        address = None if sender.webhook is None else _literal(sender.webhook.url)
        if address is not None and not may_be_dialled(address, networks):
            yield (
                f"WEBHOOK UNREACHABLE: notices to {sender.system_id} go nowhere: its address is"
                " not public, and in no network of webhooks.networks in gateway.yaml"
            )


def _literal(url: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a URL names itself, as those who dial it read it."""
    host = urlsplit(url).hostname
    try:
        found = getaddrinfo(
            "127.0.0.1" if host == "localhost" else host, None, flags=AI_NUMERICHOST
        )
    except (OSError, UnicodeError):
        return None  # a name, if only one that no name server has: with a label too long, or none
    return ip_address(found[0][4][0])


def unknown_holidays_of(bundle: Bundle, today: date) -> Iterable[str]:
    """Yield that the calendar in use does not know the year that is, or that is about to be."""
    calendar = bundle.surroundings.calendar
    soon = today + _A_MONTH
    if calendar.years and not calendar.covers(soon):
        yield (
            f"HOLIDAYS UNKNOWN: the calendar {calendar.name} has none for {soon.year},"
            " so its rules take every day of it for no holiday"
        )


def strangers_of(senders: Collection[Sender], bundle: Bundle) -> Iterable[str]:
    """Yield whom rules make exceptions for and who is not there.

    No fault: the same bundle may serve gateways with different senders.
    """
    known = {sender.system_id for sender in senders}
    ports = {port.number for sender in senders for port in sender.ports}
    for rule in bundle.rules:
        for override in rule.overrides:
            if override.sender and override.sender not in known:
                yield f"UNKNOWN SENDER: {rule.id} makes an exception for {override.sender}"
            if override.port and override.port not in ports:
                yield f"UNKNOWN PORT: {rule.id} makes an exception for {override.port}"


def stray_categories_of(bundle: Bundle, policies: Path) -> Iterable[str]:
    """Yield the categories of lists that are none, at their places."""
    yield from (f"UNKNOWN CATEGORY: {one}" for one in stray_categories(bundle, policies))


def report_faults(faults: tuple[Fault, ...], *, as_json: bool) -> None:
    """Print faults, one a line, or as JSON."""
    if as_json:
        listed = [asdict(fault) | {"path": str(fault.path)} for fault in faults]
        print_json({"ok": False, "faults": listed})
        return
    for fault in faults:
        say(str(fault))


def installed_scorer(learning: LearningSettings) -> tuple[Scorer | None, tuple[Title, ...]]:
    """Return the model in force (None without one) and a message about what is wrong with it."""
    from gateway.filter.classifier.model_file import ModelFileError
    from gateway.runtime.sealing import KeyFileError, trusted_key
    from gateway.systems.learning.model_directory import ModelDirectory, ModelStateError

    try:
        keys = [trusted_key(path) for path in learning.trusted_keys]
        directory = ModelDirectory(learning.models, keys, starter=learning.starter_file)
        models, problem = directory.pair()
    except (KeyFileError, ModelFileError, ModelStateError, OSError) as error:
        return None, (_unusable(learning, str(error)),)
    return models.active, (_unusable(learning, problem),) if problem else ()


def _unusable(learning: LearningSettings, problem: str) -> Title:
    said = f"{learning.models}: {problem}"
    return Title(f"分类模型无法使用：{said}", f"MODEL UNUSABLE: {said}")
