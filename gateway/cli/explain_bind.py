"""The work of `smsward explain bind`: whether an SP would get in, and why not."""

from datetime import datetime

from gateway.cli.deployment import Deployment
from gateway.cli.explanation_labels import said_in, worded
from gateway.cli.failure import ExitCode, known, misused
from gateway.cli.moment import moment_asked
from gateway.cli.screen import print_fields, print_json, warn
from gateway.cli.store_knowledge import knowledge_of
from gateway.domain.sender import BindType
from gateway.policy.citations import citation_of
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import Title
from gateway.session.addresses import ip_of
from gateway.session.binding import BindReason, BindRequest, BindVerdict, judge_bind
from gateway.settings.gateway import GatewaySettings

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
    if system_id not in deployment.senders:
        raise misused(
            f"there is no sender {system_id} in senders.yaml",
            f"there are: {known(deployment.senders)}",
        )
    if ip_of(peer) is None:
        raise misused(
            f"--peer: {peer!r} is no IP address", "write it as 203.0.113.7 or 2001:db8::7"
        )
    knowledge, warnings = await knowledge_of(deployment, system_id, None)
    licence = _licence_at(knowledge, system_id, moment_asked(at), deployment.settings)
    verdict = judge_bind(
        BindRequest(system_id, b"", bind_type, _INTERFACE_VERSION, b"", peer),
        deployment.senders[system_id],
        password_is_right=True,
        live_binds=0,
        locked=False,
        licence=licence,
    )
    article = citation_of(deployment.bundle, "R01").article
    if as_json:
        print_json(_as_json(verdict, article, warnings))
        return ExitCode.FINE
    zh, en = _WORDS[verdict.reason]
    told = (
        ("verdict", "ACCEPT" if verdict.is_accepted else "REFUSE"),
        ("reason", f"{verdict.reason}: {zh if lang == 'zh' else en}"),
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
        case None if settings.licence_required:
            return BindReason.LICENCE_MISSING
        case False:
            return BindReason.LICENCE_EXPIRED
        case _:
            return BindReason.OK


def _as_json(verdict: BindVerdict, article: str, warnings: tuple[Title, ...]) -> dict[str, object]:
    zh, en = _WORDS[verdict.reason]
    return {
        "action": "accept" if verdict.is_accepted else "refuse",
        "reason": verdict.reason,
        "said": {"zh": zh, "en": en},
        "rule": "R01",
        "article": article,
        "status": verdict.status.name,
        "warnings": [one.en for one in warnings],
    }
