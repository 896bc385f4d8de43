"""What the keyword index and the text cache cost, as one JSON object.

    python -m benchmarks.keywords > benchmarks/results/keywords.json

The texts and words are generated, the same ones each time. Times are the best of several
rounds; `calibration_us` is a fixed loop on the same machine to compare them with.
"""

import json
import random
import statistics
import timeit
from collections.abc import Callable
from dataclasses import replace

from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise.folding import compact
from gateway.filter.normalise.views import Views
from gateway.filter.scan import CodedText, ContentScan

TEXTS = 2_000
ROUNDS = 7
TICK = 256
UCS2 = 8

_HAN = [chr(code) for code in range(0x4E00, 0x5E00)]
_SHOPS = ("永辉超市", "万家汇", "蓝天旅行社", "康美药房", "银泰百货", "迅捷快递")
_OPENINGS = (
    "您的验证码是{}，5分钟内有效，请勿泄露。",
    "您尾号{}的账户支出人民币99.50元，余额充足。",
)
_LATIN_OPENING = "Your verification code is {}. It expires in 5 minutes. Do not share it."


def main() -> None:
    texts = generated_texts(random.Random(7))
    report = {
        "command": "python -m benchmarks.keywords",
        "calibration_us": round(best_us(calibrate, 1), 1),
        "views_us": round(
            best_us(lambda: [compact(Views(t).folded) for t in texts], len(texts)), 2
        ),
        "mean_characters": round(statistics.mean(map(len, texts)), 1),
        "lists": [measured(words, texts) for words in (10_000, 100_000)],
    }
    print(json.dumps(report, indent=2))


def measured(words: int, texts: list[str]) -> dict[str, float]:
    keywords = KeywordList("K", "fraud", ListAction.REJECT, generated_words(words))
    built = timeit.repeat(lambda: KeywordIndex([keywords]), number=1, repeat=5)
    index = KeywordIndex([keywords])
    heard = KeywordIndex([replace(keywords, sound=True)])
    octets = [text.encode("utf-16-be") for text in texts]
    warm = ContentScan(index)
    scan_all(warm, in_ticks(octets))
    # Every PDU brings bytes that were never hashed before, so each round gets copies.
    scanned = iter([in_ticks(octets) for _ in range(ROUNDS)])
    looked_up = iter([in_ticks(octets) for _ in range(ROUNDS)])
    unknown = iter([in_ticks(octets) for _ in range(ROUNDS)])
    return {
        "words": words,
        "build_ms": round(min(built) * 1e3, 1),
        "search_us": round(best_us(lambda: [index.search([t]) for t in texts], len(texts)), 2),
        "sound_us": round(best_us(lambda: [heard.search([t]) for t in texts], len(texts)), 2),
        "uncached_us": round(
            best_us(lambda: scan_all(ContentScan(index), next(unknown)), len(texts)), 2
        ),
        "cached_us": round(best_us(lambda: scan_all(warm, next(scanned)), len(texts)), 3),
        "look_up_us": round(best_us(lambda: look_up_all(warm, next(looked_up)), len(texts)), 3),
        "hit_share": round(sum(bool(index.search([text])) for text in texts) / len(texts), 3),
    }


def in_ticks(texts: list[bytes]) -> list[list[CodedText]]:
    copies = [(UCS2, bytes(bytearray(octets))) for octets in texts]
    return [copies[at : at + TICK] for at in range(0, len(copies), TICK)]


def scan_all(scan: ContentScan, ticks: list[list[CodedText]]) -> None:
    for tick in ticks:
        scan.scan(tick, read_ucs2)


def look_up_all(scan: ContentScan, ticks: list[list[CodedText]]) -> None:
    look_up = scan.look_up
    for tick in ticks:
        for data_coding, octets in tick:
            look_up(data_coding, octets)


def read_ucs2(octets: bytes, _data_coding: int) -> tuple[str, ...]:
    return (octets.decode("utf-16-be"),)


def generated_texts(source: random.Random) -> list[str]:
    """Return distinct texts of which a quarter is Latin and one in fifty holds a keyword."""
    keywords = generated_words(TEXTS // 50)
    texts = []
    for number in range(TEXTS):
        code = f"{number:06d}"
        if number % 4 == 0:
            texts.append(_LATIN_OPENING.format(code))
            continue
        text = f"【{source.choice(_SHOPS)}】{source.choice(_OPENINGS).format(code)}"
        filling = "".join(source.choices(_HAN, k=source.randint(5, 30)))
        spice = keywords[number // 50] if number % 50 == 1 else ""
        texts.append(f"{text}{filling}{spice}，回T退订")
    return texts


def generated_words(count: int) -> tuple[str, ...]:
    """Return `count` words of three to six Han characters, a longer list after a shorter."""
    source = random.Random(11)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(source.choices(_HAN, k=source.randint(3, 6)))] = None
    return tuple(words)


def calibrate() -> None:
    total = 0
    for number in range(10_000):
        total += number * number % 7


def best_us(work: Callable[[], object], units: int) -> float:
    return min(timeit.repeat(work, number=1, repeat=ROUNDS)) / units * 1e6


if __name__ == "__main__":
    main()
