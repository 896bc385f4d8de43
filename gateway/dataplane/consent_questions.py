"""Requests for consent, once the store has said whether they may go (R23)."""

from gateway.dataplane.attention import Ask
from gateway.dataplane.relay import renumbered
from gateway.dataplane.rows import decision, found, nothing_found, text_of
from gateway.dataplane.turn import Turn
from gateway.domain.records import Why
from gateway.domain.verdict import Action, Finding
from gateway.policy.consent_findings import ASKING
from gateway.policy.statuses import status_of
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.status import status_named


def settle_ask(turn: Turn, item: Ask, against: Finding | None) -> None:
    """Pass the request on as it came, or refuse it for what stands `against` it.

    Its session must have a bind at the SMSC if nothing does.
    """
    if against is None:
        _pass(turn, item)
    else:
        _refuse(turn, item, against)


def _pass(turn: Turn, item: Ask) -> None:
    message, tally = item.message, turn.plane.tally
    session, link = message.session, message.session.peer
    assert link is not None  # noqa: S101 - the shell has looked
    noted = [finding for finding in message.findings if finding is not ASKING]
    why = nothing_found(turn.plane.rules.digest)
    if noted:
        tally.verdict("shadow", noted[0].reason.value)
        why = found(turn.plane.rules.digest, "shadow", noted[0])
    # The errand: should the SMSC not take it, nobody has been asked.
    own = link.register(session, message.sequence, message.command_id, turn.now, item)
    turn.batch.write(link, renumbered(item.pdu, own))
    tally.forwarded += 1
    tally.sender(session.system_id, Action.FORWARD.value)
    _record(turn, item, why)


def _refuse(turn: Turn, item: Ask, against: Finding) -> None:
    message, tally = item.message, turn.plane.tally
    session, action = message.session, against.action.value
    turn.plane.rules.uncount(message, item.at)
    status = status_of(against, message.account.sender.statuses)
    answer = message.command_id | RESPONSE_BIT
    turn.batch.refuse(session, answer, status_named(status), message.sequence)
    tally.verdict(action, against.reason.value)
    tally.sender(session.system_id, action)
    _record(turn, item, found(turn.plane.rules.digest, action, against, status))


def _record(turn: Turn, item: Ask, why: Why) -> None:
    message = item.message
    request = (message.command_id, message.sequence)
    addresses = (message.source, message.destination)
    kept = (item.message_id, text_of(message) if turn.plane.keeps_texts else None)
    turn.batch.rows.append(decision(turn.at, message.session, request, addresses, why, kept))
