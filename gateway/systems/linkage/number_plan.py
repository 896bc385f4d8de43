"""The number plan (号码计划): which carrier a sender belongs to, and which member that is (R84)."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from gateway.domain.linkage import Member, MemberRegistry, MemberRole, NumberRoute
from gateway.domain.msisdn import without_country


class NumberPlan:
    """Prefixes of numbers with their carriers; a carrier has several names (cmcc, 中国移动)."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._carriers: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for line in lines:
            names, _, prefixes = line.partition("#")[0].partition(":")
            for name in names.split():
                self._names.setdefault(name, names.split()[0])
            for prefix in prefixes.split():
                self._carriers[prefix] = names.split()[0]

    def carrier_of(self, sender: str) -> str:
        """Return the carrier of a number, "" if the plan does not know it."""
        return _longest(self._carriers, sender) or ""

    def is_same(self, one: str, other: str) -> bool:
        """Tell whether two names are of one carrier."""
        first, second = one.strip().lower(), other.strip().lower()
        return self._names.get(first, first) == self._names.get(second, second)


@cache
def shipped_plan() -> NumberPlan:
    """Return the plan of the package."""
    text = files(__package__).joinpath("number_plan.txt").read_text(encoding="utf-8")
    return NumberPlan(text.splitlines())


def owner_of(sender: str, routes: Mapping[str, str]) -> str:
    """Return who has a number: what the longest of `routes` says, else the carrier of the plan.

    "" if neither knows it.
    """
    number = without_country(sender)
    return _longest(routes, number) or shipped_plan().carrier_of(number)


class MemberFinder:
    """Finds the member that must act on a sender: `routes` first, then the plan."""

    def __init__(
        self,
        registry: MemberRegistry,
        routes: Iterable[NumberRoute] = (),
        plan: NumberPlan | None = None,
    ) -> None:
        self._registry = registry
        self._routes = {one.prefix: one.member for one in routes}
        self._plan = plan or shipped_plan()

    def of_sender(self, sender: str) -> Member | None:
        """Return the member of a number, None if it is not known or could be several."""
        number = without_country(sender)
        name = _longest(self._routes, number)
        if name is not None:
            return self._registry.find(name)
        carrier = self._plan.carrier_of(number)
        return self.of_organisation(carrier) if carrier else None

    def of_organisation(self, carrier: str, province: str = "") -> Member | None:
        """Return the node of a carrier in a province, None without one, or for several.

        Without a province it is the only one of the carrier, or that in the province of this node.
        """
        found = [
            one
            for one in self._registry.members
            if one.role is MemberRole.NODE
            and self._plan.is_same(one.carrier, carrier)
            and province in ("", one.province)
        ]
        if len(found) > 1:
            own = self._registry.own_member.province
            found = [one for one in found if one.province == own]
        return found[0] if len(found) == 1 else None


def _longest(values: Mapping[str, str], number: str) -> str | None:
    """Return the value of the longest prefix of a number."""
    prefixes = (number[:length] for length in range(len(number), 0, -1))
    return next((values[one] for one in prefixes if one in values), None)
