"""The campaigns of held messages: what a person decides on in one go."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.dataplane.carriers import read_carrier
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.filter.normalise.views import Views
from gateway.smpp.status import DecodeError


async def with_campaigns(messages: Sequence[HeldMessage]) -> list[HeldMessage]:
    """Return `messages`; those that are for a person have a campaign.

    If no rule has named one, it is that of the text: the id that a rule would give to a campaign
    that begins with it. It is found in a thread, because the first time takes a second.
    """
    nameless = [one for one in messages if one.state is HoldState.HELD and not one.campaign]
    if not nameless:
        return list(messages)
    ids = await asyncio.to_thread(_campaigns_of, [_text_of(one) for one in nameless])
    named = {one.message_id: campaign for one, campaign in zip(nameless, ids, strict=True)}
    return [
        replace(one, campaign=named[one.message_id]) if one.message_id in named else one
        for one in messages
    ]


def _campaigns_of(texts: Sequence[str]) -> list[str]:
    # Importing compiled code takes longer than all of this.
    from gateway.filter.campaigns import campaign_id  # noqa: PLC0415
    from gateway.filter.fingerprints import fingerprints_of  # noqa: PLC0415

    return [campaign_id(one) for one in fingerprints_of([Views(text).sound for text in texts])]


def _text_of(held: HeldMessage) -> str:
    if held.joined:
        return held.joined
    try:
        places = read_carrier(held.pdu).texts()
    except DecodeError:
        return ""
    return next((text for place in places for text in place), "")
