"""All commands that subscribers write to a hub code, besides the words of the dialogue."""

from typing import TypeAlias

from gateway.policy.hold_words import HoldCommand, hold_command_of
from gateway.policy.preference_words import PreferenceCommand, preference_of

HubCommand: TypeAlias = PreferenceCommand | HoldCommand


def hub_command_of(text: str) -> HubCommand | None:
    """Return the command in `text`; None for any other text. Never raises."""
    return preference_of(text) or hold_command_of(text)
