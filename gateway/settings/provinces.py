"""Which province each head of mobile numbers belongs to: `provinces.csv` (号段归属, R04)."""

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.policy.places import ProvinceTable
from gateway.settings.fault import Fault, SettingsError, decode_utf8, read_octets

_MAX_FILE_OCTETS = 64 * 1024 * 1024
_MAX_PROVINCES = 255
_MAX_CHARS = 32
_HEAD = re.compile("1[0-9]{6}")


def load_provinces(path: Path) -> ProvinceTable:
    """Read `provinces.csv`; without the file no number's province is known.

    Raises SettingsError with all faults.
    """
    if not path.exists():
        return ProvinceTable()
    heads: dict[int, str] = {}
    faults: list[Fault] = []
    provinces: set[str] = set()
    for line, head, province in _lines(decode_utf8(path, read_octets(path, _MAX_FILE_OCTETS))):
        problem = _problem(head, province)
        if problem is None and heads.setdefault(int(head), province) != province:
            problem = f"{head} is given to {heads[int(head)]} already"
        if problem is None:
            provinces.add(province)
            problem = "names more than 255 provinces" if len(provinces) > _MAX_PROVINCES else None
        if problem is not None:
            faults.append(Fault(path, line, 1, problem))
    if faults:
        raise SettingsError(faults)
    return ProvinceTable(heads.items())


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    for line, raw in enumerate(text.split("\n"), start=1):
        written = raw.strip()
        if written and not written.startswith("#"):
            head, _, province = written.partition(",")
            yield line, head.strip(), province.strip()


def _problem(head: str, province: str) -> str | None:
    if not _HEAD.fullmatch(head):
        return "must begin with the first seven digits of mobile numbers, as 1380591,福建"
    if not province:
        return "names no province behind the comma"
    if len(province) > _MAX_CHARS or not province.isprintable() or "," in province:
        return f"a province is named in up to {_MAX_CHARS} characters without a comma"
    return None
