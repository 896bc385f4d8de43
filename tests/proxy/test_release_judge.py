"""What people let go is judged again at the moment it leaves."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.held_findings import told_items
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.policy.bundle import Bundle
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import SimulatedSmsc
from tests.proxy.people import DESTINATION, LOAN, SOURCE, SUBSCRIBER, hold, receipt_of, release

Attach = Callable[..., Awaitable[RawEsme]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]


async def test_r61_a_refusal_that_came_meanwhile_wins(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await refuse(gateway, SUBSCRIBER)

    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.REFUSED)
    receipt = await esme.next_pdu()

    assert "OPTED_OUT" in held.note
    assert receipt_of(receipt) == (message_id, message_id, "REJECTD")
    assert smsc.journal == []


async def test_r21_a_refusal_that_came_while_the_store_noted_the_release_wins(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    move = gateway.stores.quarantine.move
    came: list[HoldState] = []

    async def refused_meanwhile(message_id: int, **given: Any) -> HeldMessage | None:
        came.append(given["to"])
        if came == [HoldState.RELEASE_REQUESTED, HoldState.RELEASING]:
            await refuse(gateway, SUBSCRIBER)
        return await move(message_id, **given)

    monkeypatch.setattr(gateway.stores.quarantine, "move", refused_meanwhile)
    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.REFUSED)

    assert "OPTED_OUT" in held.note
    assert receipt_of(await esme.next_pdu()) == (message_id, message_id, "REJECTD")
    assert smsc.journal == []


async def test_a_word_that_became_forbidden_wins_and_a_word_to_review_does_not(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle, reach: Reach
) -> None:
    esme = await attach(gateway)
    forbidden, reviewed = await hold(esme, f"{LOAN} 百家乐"), await hold(esme)
    words = KeywordList("K-NEW", "gambling", ListAction.REJECT, ("百家乐",))
    stricter = replace(bundle, digest="1" * 12, keyword_lists=(*bundle.keyword_lists, words))
    rules = gateway.plane.rules
    gateway.tick.pipeline.load(
        type(rules)(stricter, [rules.accounts["sp1"].sender], gateway._knowledge, rules)
    )

    await release(gateway, forbidden)
    await release(gateway, reviewed)
    await reach(gateway, forbidden, HoldState.REFUSED)
    await reach(gateway, reviewed, HoldState.RELEASED)

    assert [entry.octets for entry in smsc.journal] == [builders.ucs2(LOAN)]


async def test_r61_a_release_to_many_is_judged_for_each(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
) -> None:
    esme = await attach(gateway)
    many = [DESTINATION, "13800138001"]
    octets = builders.submit_multi(SOURCE, many, builders.ucs2(LOAN), registered_delivery=1)
    clean = answer_of(await esme.request(octets)).message_id
    refused = answer_of(await esme.request(octets[:12] + b"\0\0\0\2" + octets[16:])).message_id
    await release(gateway, clean)
    await reach(gateway, clean, HoldState.RELEASED)
    await refuse(gateway, SUBSCRIBER + 1)

    await release(gateway, refused)
    await reach(gateway, refused, HoldState.REFUSED)

    assert [entry.destinations for entry in smsc.journal] == [tuple(many)]


async def test_what_another_word_holds_by_now_comes_back_and_goes_when_that_is_overruled_too(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme, f"{LOAN} 百家乐")
    words = KeywordList("K-NEW", "gambling", ListAction.QUARANTINE, ("百家乐",))
    stricter = replace(bundle, digest="1" * 12, keyword_lists=(*bundle.keyword_lists, words))
    rules = gateway.plane.rules
    gateway.tick.pipeline.load(
        type(rules)(stricter, [rules.accounts["sp1"].sender], gateway._knowledge, rules)
    )

    await release(gateway, message_id)
    back = await reach(gateway, message_id, HoldState.HELD)
    nothing_sent = not smsc.journal
    await release(gateway, message_id)
    gone = await reach(gateway, message_id, HoldState.RELEASED)

    assert nothing_sent
    assert (back.rule, back.reason, back.evidence) == ("K-NEW", "CONTENT", "百家乐")
    assert (back.note, back.is_reviewed) == ("judged again: CONTENT", True)
    assert back.decision == "release asked by lin"
    assert told_items(back.found) == [("K-NEW", "百家乐")]
    assert told_items(back.overruled) == [("K-LOAN", "低息贷款")]
    assert told_items(gone.overruled) == [("K-LOAN", "低息贷款"), ("K-NEW", "百家乐")]
    assert len(smsc.journal) == 1


async def test_a_refusal_wins_over_what_came_back_as_well(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    bundle: Bundle,
    refuse: Refuse,
    reach: Reach,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme, f"{LOAN} 百家乐")
    words = KeywordList("K-NEW", "gambling", ListAction.QUARANTINE, ("百家乐",))
    stricter = replace(bundle, digest="1" * 12, keyword_lists=(*bundle.keyword_lists, words))
    rules = gateway.plane.rules
    gateway.tick.pipeline.load(
        type(rules)(stricter, [rules.accounts["sp1"].sender], gateway._knowledge, rules)
    )
    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.HELD)
    await refuse(gateway, SUBSCRIBER)

    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.REFUSED)

    assert held.note == "judged again: OPTED_OUT"
    assert receipt_of(await esme.next_pdu()) == (message_id, message_id, "REJECTD")
    assert smsc.journal == []
