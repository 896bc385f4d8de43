"""The work of `smsward explain bind`, and what the store knows of a sender and a subscriber."""

from collections.abc import Sequence
from datetime import datetime
from itertools import product

from gateway.cli.explain_labels import said_in, worded
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import written_alike
from gateway.domain.sender import BindType, companions_of
from gateway.policy.bundle import Title
from gateway.policy.knowledge import Knowledge
from gateway.policy.stages import citation_of
from gateway.runtime.clock import utcnow
from gateway.session.binding import BindReason, BindRequest, judge_bind
from gateway.session.stranger_limits import ip_of
from gateway.settings.gateway import GatewaySettings
from gateway.stores import Stores, stores_of
from gateway.terminal.arguments import moment_asked
from gateway.terminal.deployment import Deployment
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.screen import print_fields, print_json, warn
from gateway.terminal.store import opened_store, store_file


async def knowledge_of(
    deployment: Deployment, system_id: str, msisdn: int | None, source: int | None = None
) -> tuple[Knowledge, tuple[Title, ...]]:
    """Return what rules would look up, as far as the store tells, and warnings about the rest.

    `msisdn` None asks about the sender alone; `source` is the number that sends, where it is one.
    """
    knowledge = Knowledge(provinces=deployment.provinces)
    companions = companions_of(deployment.senders.values())
    path = store_file(deployment.settings).absolute()
    if not path.exists():
        nothing = Title(
            f"{path} 处没有数据库：用户的答复和报备一概不知",
            f"there is no store at {path}: no answer and no filing is known here",
        )
        return knowledge, (nothing,)
    try:
        async with opened_store(deployment.settings, stores_of) as stores:
            scopes = (EVERY_SENDER, system_id, *companions.get(system_id, ()))
            knowledge.filings.replace(system_id, await stores.filings.of(system_id))
            if msisdn is not None:
                await _learn(knowledge, stores, scopes, msisdn)
            if source is not None:
                rows = await stores.suspensions.rows_of([source])
                knowledge.suspended.load(rows.values())
    except CommandError as error:
        # What the gateway does while it cannot read its store.
        knowledge.consent.is_current = False
        return knowledge, (Title(f"无法使用数据库：{error}", str(error)),)
    return knowledge, ()


async def _learn(knowledge: Knowledge, stores: Stores, scopes: Sequence[str], msisdn: int) -> None:
    alike = written_alike(msisdn)  # rules look up as whom its digits are read, too
    for number, scope in product(alike, scopes):
        answer = await stores.consent.answer_of(number, scope)
        if answer is not None:
            knowledge.consent.apply(number, scope, answer.standing(utcnow()))
    packed = await stores.preferences.packed_of(alike)
    knowledge.preferences.load(packed.items())


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
