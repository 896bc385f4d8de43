"""Requests for acts that need a second person: what is asked for, by whom, and what came of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256


class ApprovalAct(StrEnum):
    """An act that the settings may put under the rule of two persons."""

    MAKE_ADMIN = "make_admin"
    RELEASE_CAMPAIGN = "release_campaign"
    SWITCH_RULE_OFF = "switch_rule_off"
    UNMASK_IN_BULK = "unmask_in_bulk"


class ApprovalState(StrEnum):
    """State of a request."""

    OPEN = "open"
    APPROVED = "approved"  # it is being carried out
    DECLINED = "declined"
    DONE = "done"
    FAILED = "failed"  # it was approved, and could not be carried out


def kept_words(text: str, **given: object) -> str:
    """Return a text with the fields of `given` in braces, as it is kept to be translated later."""
    return json.dumps([text, {name: str(one) for name, one in given.items()}], ensure_ascii=False)


def words_kept(kept: str) -> tuple[str, dict[str, str]]:
    """Return the text and the fields of `kept_words`; another text as it is, without fields."""
    try:
        text, given = json.loads(kept)
    except (ValueError, TypeError):
        return kept, {}
    return str(text), {str(name): str(one) for name, one in given.items()}


class ApprovalRefusal(StrEnum):
    """Why somebody may not approve or decline a request."""

    MISSING = "there is no such request"
    OVER = "it was decided already, or its time is over"
    SAME_PERSON = "another person has to decide: you have asked for it"
    OTHER_TERMS = "it is not the request that was shown"


@dataclass(frozen=True, slots=True)
class NewApproval:
    """What somebody asks for. `parameters` are what the act needs, without text and number.

    `about` says it to the person who decides, `reason` why.
    """

    act: ApprovalAct
    parameters: Mapping[str, str]
    about: str
    reason: str
    by: str
    at: datetime
    expires_at: datetime

    @property
    def written(self) -> str:
        """Return the parameters as JSON, the same for the same ones."""
        return json.dumps(dict(self.parameters), sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of act and parameters: who approves has seen these, and no others."""
        return sha256(f"{self.act}\n{self.written}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A request on record. `decided_by` and `outcome` are empty while it is open."""

    number: int
    act: ApprovalAct
    parameters: str
    digest: str
    about: str
    reason: str
    by: str
    at: datetime
    expires_at: datetime
    state: ApprovalState
    decided_by: str
    decided_at: datetime | None
    outcome: str

    @property
    def given(self) -> dict[str, str]:
        """Return the parameters."""
        return {str(name): str(value) for name, value in json.loads(self.parameters).items()}

    @property
    def switched(self) -> list[str]:
        """Return the ids of all that would stop less, empty for another act."""
        return list(map(str, json.loads(self.given.get("switched", "[]"))))

    @property
    def version(self) -> str:
        """Return the number of the version of the policy that would be put back, "" for none."""
        return self.given.get("version", "")

    @property
    def changes(self) -> list[str]:
        """Return what drafts of the policy say otherwise than it, as it was asked for."""
        return list(map(str, json.loads(self.given.get("changes", "[]"))))

    def is_open(self, now: datetime) -> bool:
        """Tell whether somebody may decide on it."""
        return self.state is ApprovalState.OPEN and now < self.expires_at

    def decided(
        self, digest: str, by: str, at: datetime, state: ApprovalState
    ) -> "ApprovalRequest | ApprovalRefusal":
        """Return it approved or declined by another person, or why that may not be."""
        if not self.is_open(at):
            return ApprovalRefusal.OVER
        if self.by == by:
            return ApprovalRefusal.SAME_PERSON
        if self.digest != digest:
            return ApprovalRefusal.OTHER_TERMS
        return replace(self, state=state, decided_by=by, decided_at=at)
