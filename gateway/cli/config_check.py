"""The work of `smsward check`: all faults, or what the files come to."""

# ruff: noqa: PLC0415 - reading a model imports what takes most of a second

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from socket import AI_NUMERICHOST, getaddrinfo
from urllib.parse import urlsplit

from gateway.domain.live import WAITS_FOR_RESTART, LiveStatus
from gateway.domain.policy import Enforcement
from gateway.domain.sender import BindType, Sender
from gateway.filter.classifier.score import Scorer
from gateway.policy.bundle import Bundle, Title
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.suspicious import unscored
from gateway.runtime.clock import utcnow
from gateway.settings.credentials import is_samples_own
from gateway.settings.directories import check, stray_categories
from gateway.settings.gateway import GatewaySettings, LearningSettings, groups_of
from gateway.settings.senders import are_secrets_readable
from gateway.settings.smscs import SmscGroups
from gateway.settings.yaml import Fault
from gateway.terminal.control import ask
from gateway.terminal.deployment import Deployment, load_deployment
from gateway.terminal.failure import CommandError, ExitCode, known
from gateway.terminal.screen import counted, print_fields, print_json, say, warn

_A_MONTH = timedelta(days=31)


def check_deployment(config: Path, policies: Path, *, as_json: bool, law: str | None = None) -> int:
    """Print the faults of a deployment, else a summary; return the exit code.

    With a `law` the summary says as well what that still lacks here.
    """
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
    warnings = [*deployment_warnings_of(deployment, config, policies), *waiting_of(settings)]
    if law is not None:
        warnings += law_gaps_of(settings, deployment.bundle, law)
    return report_sound(read, warnings, as_json=as_json)


def _places_of(settings: GatewaySettings) -> dict[str, str]:
    """Return where the gateway writes and has its keys, if it is started where this runs."""
    keys = "none" if settings.privacy is None else settings.privacy.keys
    is_file = settings.privacy is not None and not keys.startswith("env:")
    return {
        "store": str(settings.store.path.absolute()),
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
    yield from law_not_in_force(bundle)
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
    yield from unheard_of(senders, bundle, settings)
    yield from unrouted_of(senders, groups_of(settings))
    yield from unreachable_webhooks_of(senders, settings.webhooks.networks)
    if settings.mail is None:
        yield from (
            f"MAIL UNSENT: alerts to {sender.system_id} go nowhere by mail: gateway.yaml names no"
            " server for it: mail.server"
            for sender in senders
            if sender.mail
        )
    scorer, problems = installed_scorer(settings.learning)
    yield from (one.en for one in (*problems, *unscored(bundle.rules, scorer)))


def waiting_of(settings: GatewaySettings) -> Iterable[str]:
    """Yield what the gateway that runs on this store says of settings that wait for a restart."""
    with suppress(CommandError):  # none runs, or not for this account
        said = ask(settings.store.control, "status", LiveStatus).warnings
        yield from (one for one in said if one.startswith(WAITS_FOR_RESTART))


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


def unheard_of(
    senders: Iterable[Sender], bundle: Bundle, settings: GatewaySettings
) -> Iterable[str]:
    """Yield what subscribers would write in vain, as no bind hears it (R31, R33, R80)."""
    is_asked = bundle.replies is not None or settings.hub.codes
    has_own = any(smsc.own_bind is not None or smsc.is_pooled for smsc in settings.smscs)
    deaf = [one.system_id for one in senders if one.binds.types == {BindType.TX}]
    if is_asked and deaf and not has_own:
        yield (
            f"REFUSALS UNHEARD: {known(deaf)} may bind as transmitters only, and no SMSC in"
            " gateway.yaml has an own_bind: what subscribers write to their ports, TD say, reaches"
            " nobody; set smscs[].own_bind"
        )
    if settings.complaints.codes and not has_own:
        yield (
            "COMPLAINTS UNHEARD: no SMSC in gateway.yaml has an own_bind to deliver what is written"
            f" to {known(settings.complaints.codes)} on; set smscs[].own_bind"
        )


def unrouted_of(senders: Iterable[Sender], groups: SmscGroups) -> Iterable[str]:
    """Yield the SPs that routes by destination do not hold for."""
    names = [one.system_id for one in senders if one.group not in groups.pooled]
    if names and any(route.destination for route in groups.routes):
        yield (
            f"ROUTES NOT FOR ALL: {known(names)}: the SMSCs of their group are transparent, where a"
            " session has one bind; routes by destination need groups of mode: pooled"
        )


def law_not_in_force(bundle: Bundle) -> Iterable[str]:
    """Yield each rule of the law of the bundle's profile that is off or only watches."""
    for rule in bundle.rules:
        if rule.mode is Enforcement.ENFORCE or not _is_law_of(bundle, rule.article):
            continue
        how = "is off" if rule.mode is Enforcement.OFF else "only watches"
        yield (
            f"LAW NOT IN FORCE: {rule.id} ({rule.title.en}; {rule.article}) {how};"
            f" `smsward policy enforce {rule.id}` puts it in force"
        )


# What names a paragraph of law; practice, contracts and plans have none.
_LAW = re.compile(r"第[^；]{1,8}[条项]|征求意见稿|\bCFR\b|\bart\. |\breg\. |\bTCCCPR\b")
_NO_LAW = re.compile("not verified")
_DRAFT = re.compile("征求意见稿|draft")
_CHINESE = re.compile("[\u4e00-\u9fff]")


def _is_law_of(bundle: Bundle, article: str) -> bool:
    """Tell whether an article names a law of the bundle's profile.

    Abroad no Chinese law counts, and a draft only in the profile of it.
    """
    if not bundle.name.startswith("cn") and _CHINESE.search(article):
        return False
    parts = [part for part in article.split("；") if _LAW.search(part)]
    is_draft = "draft" in bundle.name
    return any(not _NO_LAW.search(part) and (is_draft or not _DRAFT.search(part)) for part in parts)


_PROFILES = {
    "cn": ("cn-o31", "cn-2020-draft"),
    "us": ("us-tcpa",),
    "in": ("in-tcccpr",),
    "uk": ("uk-pecr",),
    "fr": ("fr",),
}
_MONTHS_CN = 5  # N136 and O31: transport records


def law_gaps_of(settings: GatewaySettings, bundle: Bundle, law: str) -> Iterable[str]:
    """Yield what a law lacks besides its rules: how records are kept, what is heard, filed."""
    usual, *_ = _PROFILES[law]
    replies = bundle.replies
    lacks = (
        (
            bundle.name not in _PROFILES[law],
            f"the bundle is {bundle.name}, not {usual}: bundle.yaml",
        ),
        (replies is None, "replies that refuse are not heard: replies.yaml"),
        (settings.privacy is None, "numbers are kept in the open: privacy.keys in gateway.yaml"),
        (
            law == "us" and replies is not None and not replies.help,
            "HELP is not answered (CTIA): help in replies.yaml",
        ),
        (
            law == "cn" and not settings.records.texts,
            "what ports say is not kept (N136, R70): records.texts in gateway.yaml",
        ),
        (
            law == "cn" and settings.records.keep_months < _MONTHS_CN,
            "records are kept for less than five months (N136, R70): records.keep_months",
        ),
        (
            law == "cn" and not settings.hub.codes,
            "0000 and 00000 have no code of the carrier's (N136, R33, R34): hub.codes",
        ),
        (
            law in {"cn", "in"} and not settings.filings.licence_required,
            "an SP may bind without a licence on file (R01): filings.licence_required",
        ),
    )
    yield from (f"LAW {law.upper()} LACKS: {said}" for is_lacking, said in lacks if is_lacking)


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
