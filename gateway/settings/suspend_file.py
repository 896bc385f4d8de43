"""The shape of `suspend`: how a rule of `rules/*.yaml` suspends numbers, and what they are told."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.policy.hub_words import hub_command_of
from gateway.policy.intents import Intent, MoContext, meaning_of
from gateway.policy.mo_words import key_of
from gateway.settings.one_message import Reply
from gateway.settings.schema import Shape
from gateway.settings.spans import Duration, WorkingDays

_MAX_WORDS = 20
_MAX_WORD_CHARS = 16
_MAX_RESTORES = 100
_MAX_PEOPLE = 100
_MAX_SPAN = timedelta(days=180)

# What a word may mean by itself, whatever was asked before: nothing, or to be back.
_ANYTHING_BEFORE = MoContext(is_pending=True, listed=9_999)
_FREE = frozenset({Intent.NONE, Intent.OPTIN})


def _is_free(word: str) -> str:
    if not key_of(word) or len(word) > _MAX_WORD_CHARS:
        raise ValueError(f"must be 1 to {_MAX_WORD_CHARS} characters, and not only punctuation")
    # Nothing may stand in the way of a refusal, nor of what is written to the code otherwise.
    is_taken = meaning_of(word, _ANYTHING_BEFORE).intent not in _FREE
    if is_taken or hub_command_of(word) is not None:
        raise ValueError("means something else already, as TD, 1 and 0000 do")
    return word


def _is_remembered(span: timedelta) -> timedelta:
    if span > _MAX_SPAN:
        raise ValueError('must be "180d" at most: so long suspensions are kept')
    return span


RestoreWord = Annotated[str, AfterValidator(_is_free)]


class SuspendShape(Shape):
    """`suspend`: for how long, and how the number is told and restored (R43)."""

    for_: WorkingDays = Field(alias="for")
    looks_at_text: bool = False
    same_text: Annotated[int, Field(ge=2, le=_MAX_PEOPLE)] = 20
    restore_words: Annotated[list[RestoreWord], Field(min_length=1, max_length=_MAX_WORDS)]
    self_restore: Annotated[int, Field(ge=0, le=_MAX_RESTORES)] = 1
    restore_span: Annotated[Duration, AfterValidator(_is_remembered)] | None = None
    reply: Reply
    restored: Reply = "您的短信发送功能已恢复。请勿群发"
    refused: Reply = "您的号码暂不能自助恢复短信发送。到期自动恢复，如有异议请联系客服"
