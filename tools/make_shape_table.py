"""Write gateway/filter/shape_table.py: Han that differ in the radical alone.

python tools/make_shape_table.py UNIHAN_DIR

UNIHAN_DIR holds the files of the Unihan database (Unicode, UAX #38), unpacked. Two characters
are of one shape when they have a phonetic component in common (kPhonetic; a simplified character
has that of its traditional one as well) and as many strokes beside the radical (kRSUnicode).
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).parent.parent / "gateway" / "filter" / "shape_table.py"
_FILES = ("Unihan_DictionaryLikeData", "Unihan_IRGSources", "Unihan_RadicalStrokeCounts")
_WIDTH = 98

_HEAD = '''"""Han that differ in the radical alone; made by tools/make_shape_table.py, not by hand.

Source: the Unihan database of Unicode 14.0.0, kPhonetic, kRSUnicode and kTraditionalVariant
(Unicode License v3), for the 6763 characters of GB 2312. Each word is a group.
"""

SHAPES = """
'''


def main() -> None:
    """Read the database and write the table."""
    folder = Path(sys.argv[1])
    words = "\n".join(_filled(sorted(set(_groups(folder)))))
    OUT.write_text(f'{_HEAD}{words}\n"""\n', encoding="utf-8")


def _groups(folder: Path) -> Iterator[str]:
    values = _read([folder / f"{name}.txt" for name in (*_FILES, "Unihan_Variants")])
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
