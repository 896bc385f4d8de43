"""What remains of a text without its recipients' particulars, and its MinHash."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, shake_256

import numpy as np
from numpy.typing import NDArray

from gateway.filter.links import registrable_domain
from gateway.filter.normalise.folding import sound_of
from gateway.filter.normalise.shapes import deflated, is_inflated
from gateway.filter.normalise.views import Views
from gateway.kernel.code_points import joined, kinds_of_characters, text_of
from gateway.kernel.fingerprint_loops import LINK, MIN_LETTERS, NAME, all_particulars, write_all

# Only the beginning of a longer text counts: a text of more than sixty parts is no bulk text.
MAX_CHARS = 4_096

SIGNS = 64
# With fewer letters and no link, the whole text counts: 7点 is not 8点.
_MIN_SAID = 3
_ODD = np.uint32(1)

_HOST = r"(?<![a-z0-9-])[a-z0-9-]++(?:[.。][a-z0-9-]++)++"
_DOT = re.compile("[.。]|://")
_OF_HOST = "abcdefghijklmnopqrstuvwxyz0123456789-"
_LINK = re.compile(rf"(?:(?:https?://)?+{_HOST}|https?://)[!-~]*+")
_HOST_OF_LINK = re.compile(rf"(?:{_HOST}@)?({_HOST})")
_TITLES = tuple(map(sound_of, ("先生", "女士", "小姐")))
_GREETINGS = "|".join(map(sound_of, ("尊敬的", "亲爱的")))
_NAME = re.compile(
    rf"(?:{_GREETINGS}|(?<![^\W_]))[*\u4e00-\u9fff]{{1,4}}?(?:{'|'.join(_TITLES)})"
    rf"(?:/?(?:{'|'.join(_TITLES)}))?|\bdear (?:mr|mrs|ms|miss)?\.? ?[^\W\d_]+"
)
_TITLE_CODES, _ = joined(_TITLES)

# Odd, so that multiplication by each is a permutation of all hashes.
_FACTORS = np.frombuffer(shake_256(b"signs of campaigns").digest(4 * SIGNS), np.uint32) | _ODD
_KINDS = kinds_of_characters()
_HASHER = blake2b(digest_size=8)

Signs = NDArray[np.uint32]


@dataclass(slots=True, eq=False)
class Fingerprint:
    """The identity of a text, to find it again unchanged or changed.

    `skeleton` is equal for texts that differ only in particulars; if the texts have few letters,
    the domain of the link must be equal too. `signs` of two texts agree in the share of letter
    pairs that both texts have (MinHash); None if the text is too short for that.
    """

    skeleton: int
    signs: Signs | None


def fingerprint_of(sound: str) -> Fingerprint:
    """Return the fingerprint of a text from its sound view, so that homophones do not change it.

    It is the same in every process and after every start. The time is linear in the length.
    """
    return fingerprints_of((sound,))[0]


def sound_of_text(text: str) -> str:
    """Return the sound view of the beginning of a text: as much as a fingerprint reads."""
    begin = text[:MAX_CHARS]
    return Views(deflated(begin) if is_inflated(begin) else begin).sound


def fingerprints_of(sounds: Sequence[str]) -> list[Fingerprint]:
    """Return the fingerprint of each text; `sounds` are the sound views of a tick's new texts."""
    letters, counts, signs = _read(sounds)
    found = []
    past = 0
    for number, (sound, count) in enumerate(zip(sounds, counts, strict=True)):
        at, past = past, past + count
        if count < MIN_LETTERS:
            found.append(Fingerprint(_digest(_said(sound, letters[at:past])), None))
        else:
            # A copy: a view of the row would keep the table of all texts in memory.
            found.append(Fingerprint(_digest(letters[at:past]), signs[number].copy()))
    return found


def skeleton_of(sound: str) -> str:
    """Return the letters of such a text without links, numbers, and names of recipients."""
    return _read((sound,))[0]


def _read(sounds: Sequence[str]) -> tuple[str, list[int], Signs]:
    """Return the skeletons of all texts joined, their lengths, and the signs of the long ones."""
    texts = [sound[:MAX_CHARS] for sound in sounds]
    codes, bounds = joined(texts)
    found = all_particulars(codes, bounds, _TITLE_CODES).tolist()
    if any(found):
        texts = list(map(_without, texts, found))
        codes, bounds = joined(texts)
    counts = np.empty(len(sounds), np.int64)
    signs = np.empty((len(sounds), SIGNS), np.uint32)
    letters = write_all(codes, bounds, _KINDS, _FACTORS, counts, signs)
    return text_of(letters), counts.tolist(), signs


def _without(text: str, particulars: int) -> str:
    if particulars & LINK:
        text = _without_links(text)
    return _NAME.sub(" ", text) if particulars & NAME else text


def _without_links(text: str) -> str:
    """Return `text` with a space for each link; none begins before the first word with a dot."""
    dot = _DOT.search(text)
    at = len(text) if dot is None else len(text[: dot.start()].rstrip(_OF_HOST))
    return text[:at] + _LINK.sub(" ", text[at:])


def _said(sound: str, letters: str) -> str:
    """Return what identifies a text of few letters: the letters, and the domain of its link."""
    link = _HOST_OF_LINK.search(sound, 0, MAX_CHARS)
    if link is None:
        return letters if len(letters) >= _MIN_SAID else sound
    host = link[1].replace("。", ".")
    return f"{letters} {registrable_domain(host) or host}"


def _digest(text: str) -> int:
    hasher = _HASHER.copy()  # takes three quarters of the time of a new one
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(hasher.digest(), "big")
