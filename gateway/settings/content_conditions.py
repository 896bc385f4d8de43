"""What rules that look at what a text says were told, in words."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeAlias

from gateway.policy.rules import BadLink, Campaign, ContactGiven, Impostor, Suspicious
from gateway.settings.duration_text import duration_said

ContentCheck: TypeAlias = BadLink | Impostor | ContactGiven | Suspicious | Campaign

# A list of all banks is no cell of a table.
_SHOWN = 12


def content_parameters_of(check: ContentCheck) -> dict[str, str]:
    """Return what `check` was told, by the names of the file."""
    match check:
        case BadLink():
            lists = {"block": check.block, "allow": check.allow, "brands": check.brands}
            said = {name: _some(names) for name, names in lists.items() if names}
            flags = {"disguised": check.disguised, "only_allowed": check.only_allowed}
            said |= {name: "true" for name, is_set in flags.items() if is_set}
            return said | {"category": check.category}
        case Impostor(names, filed, category):
            said = {"names": _some(names)} if names else {}
            return said | {"filed": str(filed).lower(), "category": category}
        case ContactGiven(kinds):
            return {"kinds": ", ".join(sorted(kinds))}
        case Suspicious(tolerates, tolerances, actions):
            said = {"tolerates": _share(tolerates)}
            apart = [f"{one.port or one.sender}: {_share(one.tolerates)}" for one in tolerances]
            said |= {"tolerances": ", ".join(apart)} if apart else {}
            return said | {f"actions.{harm}": str(action) for harm, action in actions.items()}
        case Campaign(people, within, accept_asserted, each_sender):
            said = {"people": str(people), "within": duration_said(within)}
            said |= {"accept_asserted": str(accept_asserted).lower()}
            return said | ({"each_sender": "true"} if each_sender else {})


def _some(names: Sequence[str]) -> str:
    """Return the first of a list; of a longer one also what differs when any of it does."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    mark = blake2b("\n".join(names).encode(), digest_size=3).hexdigest()
    return f"{', '.join(names[:_SHOWN])}, … (+{len(names) - _SHOWN}, {mark})"


def _share(share: float) -> str:
    return f"{100 * share:g} %"
