"""The end of the tick: what passes gets a number upstream, what does not gets its answer."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.dataplane.attention import AcceptedRefusals, Ask, Hold, ProhibitedMessage
from gateway.dataplane.judge_batch import settle_parts
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Turn, decision, nothing_found, text_of
from gateway.dataplane.relay import STATUS_AT, STATUS_SEQUENCE, renumbered
from gateway.dataplane.request_reader import way_of
from gateway.dataplane.submit_request import (
    Care,
    SubmitRequest,
    context_of,
    refusal_of,
    split_accepted,
)
from gateway.domain.authority_report import prohibited_in
from gateway.domain.records import Why
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.policy.findings import ASKING, is_asking, status_of
from gateway.policy.submission import Submission
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import header_only, make
from gateway.smpp.status import CommandStatus, status_named
from gateway.smpp.text import readings

_SUBMIT_SM = int(CommandId.SUBMIT_SM)
_REPLACE_SM = int(CommandId.REPLACE_SM)
_REPLACE_SM_RESP = int(CommandId.REPLACE_SM_RESP)
_RECEIPT_BITS = 0x03
_FORWARD = Action.FORWARD.value
_NO_CARE = Care()
_KEPT = frozenset({Action.QUARANTINE, Action.DEFER})
# A submit_multi has many messages, a replace_sm none of its own.
_WITH_ONE_ID = frozenset({_SUBMIT_SM, int(CommandId.DATA_SM)})
_ROK = CommandStatus.ESME_ROK.name


def pass_on(  # noqa: C901, PLR0912, PLR0915 - the one loop that every message takes
    turn: Turn,
    session: Link,
    data: bytes,
    messages: Sequence[SubmitRequest],
    link: Link,
) -> None:
    """Write the messages of one session that pass to an SMSC on `link`, and answer the others.

    Of what is forwarded only the sequence_number changes (promise 2), and a command_status that
    is not 0; runs of messages stay one piece. Each is registered before it is written, or a fast
    answer would find nothing.
    """
    batch, now, at = turn.batch, turn.now, turn.at
    digest, number, system_id = turn.plane.rules.digest, session.number, session.system_id
    # What the rows of a tick share is one object: the writer knows it again at a glance.
    about, why, classed = (number, system_id, _SUBMIT_SM), nothing_found(digest), None
    outstanding, rows, keeps_texts = link.outstanding, batch.rows, turn.plane.keeps_texts
    trial_of, on_trial = turn.plane.trials.of, turn.on_trial
    buffer = bytearray(data)
    run_start = run_end = 0
    before = session.under_way
    is_detour = link in session.detours
    for message in messages:
        care = message.care
        if care is not None and care.part is not None:
            settle_parts(turn.plane, message, care, now)
        if message.verdict is not None:
            _stop(turn, message, message.verdict, data)
            continue
        if care is not None and care.rebuilt is not None:
            if run_end > run_start:  # what came before it goes before it
                batch.write(link, buffer[run_start:run_end])
                run_start = run_end
            _pass_narrowed(turn, link, message, care, care.rebuilt)
            continue
        # Link.register, unfolded: this is the one path that every message takes.
        own = link.next_sequence()
        context = None if care is None else context_of(message, care)
        outstanding[own] = (session, message.sequence, message.command_id, now, context)
        session.under_way += 1
        if is_detour:
            session.detours[link] += 1
        start = message.start
        STATUS_SEQUENCE.pack_into(buffer, start + STATUS_AT, 0, own)
        if start != run_end:
            if run_end > run_start:
                batch.write(link, buffer[run_start:run_end])
            run_start = start
        run_end = message.end
        if message.classed is not classed:
            classed = message.classed
            why = nothing_found(digest, classed)
        because = why
        if message.findings:  # _on_trial, unfolded: with rules in shadow mode most bear some
            trial = trial_of(message.findings, digest, classed)
            because = trial.why
            on_trial[trial] = on_trial.get(trial, 0) + 1
            if trial.warns:
                turn.plane.warnings.note(message, at, (number, message.sequence, 0))
        text = text_of(message) if keeps_texts else None
        if care is None:
            addressed = (message.sequence, message.source, message.destination)
            rows.append(("d", at, about, *addressed, because, 0, text))
            continue
        of = (number, system_id, message.command_id)
        for destination in care.reached or (message.destination,):
            rows.append(
                ("d", at, of, message.sequence, message.source, destination, because, 0, text)
            )
    if run_end > run_start:
        batch.write(link, buffer[run_start:run_end])
    forwarded = session.under_way - before
    if forwarded:
        turn.plane.tally.forwarded += forwarded
        turn.plane.tally.sender(system_id, _FORWARD, forwarded)


def _pass_narrowed(turn: Turn, link: Link, message: SubmitRequest, care: Care, pdu: bytes) -> None:
    """Pass a submit_multi on without the destinations that may not get it."""
    context = context_of(message, care)
    own = link.register(message.session, message.sequence, message.command_id, turn.now, context)
    turn.batch.write(link, renumbered(pdu, own))
    passed = nothing_found(turn.plane.rules.digest, message.classed)
    why = _on_trial(turn, message) if message.findings else passed
    for destination in care.reached:
        _record(turn, message, destination, why)
    _record_turned_away(turn, message, care)


def _on_trial(turn: Turn, message: SubmitRequest) -> Why:
    """Count a message that passes although rules in shadow mode would have stopped it."""
    plane = turn.plane
    trial = plane.trials.of(message.findings, plane.rules.digest, message.classed)
    if trial.warns:
        plane.warnings.note(message, turn.at, (message.session.number, message.sequence, 0))
    plane.tally.verdict("shadow", trial.reason)
    plane.tally.found(trial.rules)
    return trial.why


def _record_turned_away(turn: Turn, message: SubmitRequest, care: Care) -> None:
    for one in (each.message for each in care.turned_away):
        verdict = one.verdict
        assert verdict is not None  # noqa: S101 - that is why it was turned away
        message_id = _report(turn, message, verdict, (one.destination,))
        about = (message.session.number, message.sequence, message_id)
        turn.plane.warnings.note(one, turn.at, about)
        deciding = verdict.deciding
        turn.plane.tally.verdict(verdict.action.value, deciding.reason.value if deciding else "")
        why = _stopped(turn, one, verdict, verdict.status)
        _record(turn, message, one.destination, why, message_id)


def _stopped(turn: Turn, message: Submission, verdict: Verdict, status: str) -> Why:
    """Count what was found against a message that is stopped, and return what is said of it."""
    plane = turn.plane
    found = plane.rules.known_of(message)
    trial = plane.trials.stopped(found, verdict, status, message.classed)
    plane.tally.found(trial.rules)
    return trial.why


def _report(
    turn: Turn, message: SubmitRequest, verdict: Verdict, destinations: Sequence[bytes]
) -> int:
    """Hand over what is refused for prohibited content; return its message id, 0 for the rest."""
    told = _told(turn, message, verdict, destinations)
    if told is None:
        return 0
    turn.batch.prohibited.append(told)
    return told.message_id


def _told(
    turn: Turn,
    message: SubmitRequest,
    verdict: Verdict,
    destinations: Sequence[bytes],
    message_id: int = 0,
) -> ProhibitedMessage | None:
    """Return what the authority is told of a message that was stopped; of most nothing (R60)."""
    finding = prohibited_in(verdict.findings)
    if finding is None:
        return None
    # A new text for a message is taken or refused; it is never held.
    is_replacement = message.command_id == _REPLACE_SM
    read = message.care.readings if message.care is not None else None
    texts = read or readings(message.octets, message.data_coding)
    return ProhibitedMessage(
        message_id=message_id or turn.plane.next_id(turn.at),
        system_id=message.account.system_id,
        source=message.source,
        destination=destinations[0],
        recipients=len(destinations),
        finding=finding,
        action=Action.REJECT if is_replacement else verdict.action,
        digest=verdict.digest,
        text=texts[0] if texts else "",  # of a part, together with the parts beside it
        at=turn.at,
    )


def _record(
    turn: Turn,
    message: SubmitRequest,
    destination: bytes,
    why: Why,
    message_id: int = 0,
) -> None:
    request = (message.command_id, message.sequence)
    addresses = (message.source, destination)
    kept = (message_id, text_of(message) if turn.plane.keeps_texts else None)
    turn.batch.rows.append(decision(turn.at, message.session, request, addresses, why, kept))


def _stop(turn: Turn, message: SubmitRequest, verdict: Verdict, data: bytes) -> None:
    session, care = message.session, message.care or _NO_CARE
    message_id, action, status = 0, verdict.action, verdict.status
    if action in _KEPT and message.command_id == _REPLACE_SM:
        # ROK would say that the text was exchanged; held, it would be nobody's message.
        action, status = Action.REJECT, CommandStatus.ESME_RREPLACEFAIL.name
    elif is_asking(verdict):
        turn.plane.warnings.note(message, turn.at, (session.number, message.sequence, 0))
        session.held += 1
        turn.batch.attention.append(_ask(turn, message, data[message.start : message.end]))
        return
    turn.plane.tally.sender(session.system_id, action.value)
    destinations = care.reached or (message.destination,)
    is_accepted = action is Action.REJECT and _is_accepted(message, verdict.deciding)
    if action in _KEPT or is_accepted:
        message_id, status = turn.plane.next_id(turn.at), _ROK if is_accepted else ""
        pdu = care.rebuilt or data[message.start : message.end]
        told = _told(turn, message, verdict, destinations, message_id)
        session.held += 1
        known = turn.plane.rules.known_of(message) if action is Action.QUARANTINE else ()
        turn.batch.attention.append(_hold(message, verdict, pdu, message_id, told, known))
    elif not (care.addressees and _accept_each(turn, message, care, verdict)):
        _refuse(turn, message, verdict.deciding, status)
    _record_turned_away(turn, message, care)
    if care.turned_away and not care.reached:
        return  # each of its destinations had a verdict of its own
    message_id = message_id or _report(turn, message, verdict, destinations)
    turn.plane.warnings.note(message, turn.at, (session.number, message.sequence, message_id))
    deciding = verdict.deciding
    turn.plane.tally.verdict(action.value, deciding.reason.value if deciding else "")
    why = _stopped(turn, message, replace(verdict, action=action), status)
    for destination in destinations:
        _record(turn, message, destination, why, message_id)


def _is_accepted(message: SubmitRequest, finding: Finding | None) -> bool:
    """Tell whether an SP hears ESME_ROK for what is refused, and a receipt instead."""
    return (
        finding is not None
        and finding.reason in message.account.sender.accept
        and message.command_id in _WITH_ONE_ID
    )


def _accept_each(turn: Turn, message: SubmitRequest, care: Care, verdict: Verdict) -> bool:
    """Keep what is refused of a submit_multi for receipts; False if its SP takes none of it so."""
    session, there = message.session, [e for e in care.addressees if e.message.verdict is None]
    text_refused = (refusal_of(message, each, verdict) for each in there)
    accepted, others = split_accepted((*care.refused, *text_refused))
    if not accepted:
        return False
    own_id, response_id = turn.plane.next_id(turn.at), message.command_id | RESPONSE_BIT
    told_id = str(own_id).encode()
    kept = make(response_id, message.sequence, message_id=told_id, unsuccess_sme=others)
    failed = header_only(response_id, status_named(verdict.status), message.sequence)
    session.held += 1
    turn.batch.attention.append(
        AcceptedRefusals(session, message.sequence, told_id, own_id, accepted, kept, failed)
    )
    return True


def _refuse(turn: Turn, message: SubmitRequest, finding: Finding | None, status: str) -> None:
    """Answer a refused request; name reason and rule in a TLV if its SP asks for that."""
    session, response_id = message.session, message.command_id | RESPONSE_BIT
    code, is_told = status_named(status), message.account.sender.refusal_tlvs
    # A replace_sm_resp has no body (SMPP 3.4, 4.10.2).
    if finding is None or not (is_told and session.knows_tlvs) or response_id == _REPLACE_SM_RESP:
        turn.batch.refuse(session, response_id, code, message.sequence)
        return
    said = f"{finding.reason} {finding.rule}\0".encode()
    tlvs = (Tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT, said),)
    turn.batch.write(session, make(response_id, message.sequence, code, tlvs=tlvs, message_id=b""))


def _ask(turn: Turn, message: SubmitRequest, pdu: bytes) -> Ask:
    msisdn, facts = message.msisdn, message.facts
    assert msisdn is not None  # noqa: S101 - or its destination had been refused
    assert facts is not None  # noqa: S101 - or nobody had seen that it asks
    return Ask(message, pdu, msisdn, facts.texts[0], turn.plane.next_id(turn.at), turn.at)


def _hold(
    message: SubmitRequest,
    verdict: Verdict,
    pdu: bytes,
    message_id: int,
    told: ProhibitedMessage | None,
    known: Sequence[Finding] = (),
) -> Hold:
    care = message.care or _NO_CARE
    destination = care.reached[0] if care.reached else message.destination
    deciding = verdict.deciding
    awaits = deciding is not None and deciding.reason is Reason.PARTS_AWAITED
    return Hold(
        session=message.session,
        sequence=message.sequence,
        command_id=message.command_id,
        message_id=message_id,
        pdu=pdu,
        source=message.source,
        destination=destination,
        verdict=verdict,
        receipt_asked=bool(message.registered & _RECEIPT_BITS),
        joined=care.readings[0] if care.part is not None and care.readings else "",
        refused=care.refused,
        place=care.places[0] if awaits else None,
        prohibited=told,
        is_refused=verdict.action is Action.REJECT,
        known=tuple(known),
    )


def settle_ask(turn: Turn, item: Ask, against: Finding | None) -> None:
    """Pass the request on as it came, or refuse it for what stands `against` it.

    Its session must have a bind at the SMSC if nothing does.
    """
    if against is None:
        _pass_ask(turn, item)
    else:
        _refuse_ask(turn, item, against)


def _pass_ask(turn: Turn, item: Ask) -> None:
    message, tally = item.message, turn.plane.tally
    session = message.session
    link = way_of(turn.plane, session, item.pdu) or session.peer
    assert link is not None  # noqa: S101 - the shell has looked
    digest, noted = turn.plane.rules.digest, _besides_asking(message)
    why = nothing_found(digest, message.classed)
    if noted:
        trial = turn.plane.trials.of(noted, digest, message.classed)
        tally.verdict("shadow", trial.reason)
        tally.found(trial.rules)
        why = trial.why
    # The context: should the SMSC not take it, nobody has been asked.
    own = link.register(session, message.sequence, message.command_id, turn.now, item)
    turn.batch.write(link, renumbered(item.pdu, own))
    if message.port is not None and message.port.shared:
        turn.plane.writers.note(message.port.number, item.msisdn, session.system_id)
    tally.forwarded += 1
    tally.sender(session.system_id, Action.FORWARD.value)
    _record(turn, message, message.destination, why, item.message_id)


def _refuse_ask(turn: Turn, item: Ask, against: Finding) -> None:
    message, tally = item.message, turn.plane.tally
    session, action = message.session, against.action.value
    turn.plane.rules.uncount(message, item.at)
    status = status_of(against, message.account.sender.statuses)
    findings = (*_besides_asking(message), against)
    verdict = Verdict(against.action, findings, turn.plane.rules.digest, status)
    if _is_accepted(message, against):
        session.held, status = session.held + 1, _ROK
        turn.batch.attention.append(_hold(message, verdict, item.pdu, item.message_id, None))
    else:
        _refuse(turn, message, against, status)
    tally.verdict(action, against.reason.value)
    tally.sender(session.system_id, action)
    trial = turn.plane.trials.stopped(findings, verdict, status, message.classed)
    tally.found(trial.rules)
    _record(turn, message, message.destination, trial.why, item.message_id)


def _besides_asking(message: SubmitRequest) -> tuple[Finding, ...]:
    return tuple(finding for finding in message.findings if finding is not ASKING)
