"""Rules as people wrote them: the name of a check, and what it was told, in words."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import TypeAlias

from gateway.domain.suspension import SuspensionTerms
from gateway.policy.limits import Clock, Limit, RollingWindow
from gateway.policy.rules import (
    BadLink,
    Campaign,
    Check,
    ContactGiven,
    Impostor,
    Nameless,
    NotAgreed,
    NumberWalk,
    PublicInterest,
    Rule,
    Suspicious,
    TooFast,
    TooOften,
    UnknownNumbers,
    Untimely,
)
from gateway.policy.windows import EVERY_DAY, OnHolidays, Window
from gateway.settings.duration_text import duration_said
from gateway.settings.rule_file import Weekday

ContentCheck: TypeAlias = BadLink | Impostor | ContactGiven | Suspicious | Campaign
# A list of all banks is no cell of a table.
_SHOWN = 12
_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])")


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


def check_name(check: Check) -> str:
    """Return the name of a check as `rules/*.yaml` spells it."""
    return _CAPITAL.sub("_", type(check).__name__).lower()


def parameters_of(rule: Rule) -> dict[str, str]:  # noqa: C901, PLR0911 - a table, a line a check
    """Return what the check of `rule` was told, by the names of the file."""
    match rule.check:
        case PublicInterest(exempts):
            return {"exempts": _listed(sorted(exempts))}
        case NotAgreed(accept_asserted):
            return {"accept_asserted": str(accept_asserted).lower()}
        case Nameless(telephone):
            return {"telephone": str(telephone).lower()}
        case Untimely(windows, jitter):
            said = {"open": _listed(map(_window, windows.windows), "; ")}
            return said | ({"jitter": duration_said(jitter)} if jitter else {})
        case TooOften(limits, sources, suspend):
            said = {"limits": _listed(map(_limit, limits), "; ")}
            said |= {"sources": _listed(sources)} if sources else {}
            return said | (_suspension(suspend) if suspend is not None else {})
        case TooFast(per_s, burst):
            return {"per_s": f"{per_s:g}", "burst": str(burst)}
        case NumberWalk(count, within):
            return {"count": str(count), "within": duration_said(within)}
        case UnknownNumbers(share, within, at_least):
            said = {"share": f"{share:g}", "within": duration_said(within)}
            return said | {"at_least": str(at_least)}
        case BadLink() | Impostor() | ContactGiven() | Suspicious() | Campaign():
            return content_parameters_of(rule.check)
        case _:
            return {}


def _listed(items: Iterable[str], between: str = ", ") -> str:
    return between.join(items)


def _window(window: Window) -> str:
    closes = window.closes.isoformat("minutes")
    said = f"{window.opens.isoformat('minutes')}-{'24:00' if closes == '00:00' else closes}"
    if window.weekdays != EVERY_DAY:
        said += f" {' '.join(day for at, day in enumerate(Weekday) if at in window.weekdays)}"
    return said + (" but holidays" if window.on_holidays is OnHolidays.CLOSED else "")


def _limit(limit: Limit) -> str:
    holidays = f", {limit.holiday_maximum} on holidays" if limit.holiday_maximum else ""
    return f"{limit.maximum} {_every(limit.every)} per {' and '.join(limit.per)}{holidays}"


def _suspension(terms: SuspensionTerms) -> dict[str, str]:
    looks = {"suspend.looks_at_text": "true", "suspend.same_text": str(terms.same_text)}
    return {
        "suspend.for": f"{terms.working_days} working day{'s' * (terms.working_days > 1)}",
        **(looks if terms.same_text else {}),
        "suspend.restore_words": _listed(terms.restore_words),
        "suspend.self_restore": str(terms.self_restores),
        "suspend.restore_span": duration_said(terms.restore_span),
        "suspend.reply": terms.reply,
        "suspend.restored": terms.restored,
        "suspend.refused": terms.refused,
    }


def _every(every: Clock | RollingWindow) -> str:
    match every:
        case Clock():
            return "an hour" if every is Clock.HOUR else f"a {every.value}"
        case RollingWindow(seconds):
            return f"in rolling {duration_said(timedelta(seconds=seconds))}"
