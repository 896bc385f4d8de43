"""What a deployment's store knows of one subscriber and one sender."""

from collections.abc import Sequence
from itertools import product

from gateway.cli.deployment import Deployment
from gateway.cli.failure import CommandError
from gateway.cli.storage import opened_store, store_file
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import written_alike
from gateway.domain.sender import companions_of
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import Title
from gateway.runtime.clock import utcnow
from gateway.stores.open import Stores


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
        async with opened_store(deployment.settings) as stores:
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
