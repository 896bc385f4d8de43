"""What finding campaigns costs and what it catches, as one JSON object.

python -m benchmarks.campaigns [--data DIR] > benchmarks/results/campaigns.json

Catch: of 1000 texts, each changed in a share of its characters, how many are found to be of the
same campaign, while 20 000 other texts are remembered. Links: of those others, each of a group
(campaign) of its own, how many were taken for a variant of another one. Without --data the texts
are made up here; with it they are those of the files *.tsv (label, language, source, text by
tabs) in DIR that have their groups beside them in *.groups, and adv_dev.tsv tells how many
disguises of a message are found to be of its campaign. Nothing of a text is printed. Times
are the best of several rounds of processor time; `calibration_us` is a fixed loop on the same
machine to compare them with.
"""

import argparse
import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_lowercase

from gateway.filter.campaigns import CampaignLimits, Campaigns
from gateway.filter.contacts import contacts_of
from gateway.filter.fingerprints import Fingerprint, fingerprint_of, fingerprints_of
from gateway.filter.links import links_of
from gateway.filter.lookalike import KnownNames
from gateway.filter.normalise.views import Views

OTHERS = 20_000
CHANGED = 1_000
MIN_CHARS = 40
SHARES = (0.02, 0.05, 0.10, 0.20)
TICK = 256
ROUNDS = 7
FIRST = 8613000000000
MANY = 1_000_000  # people: so that all of them are counted

_HAN = [chr(code) for code in range(0x4E00, 0x5E00)]
_OPENINGS = ("尊敬的会员", "亲爱的顾客", "【春晓书店】", "好消息！", "【云程旅行】", "温馨提示：")
_PIECES = """
    周年店庆 全场低至三折 凭短信到店领取礼品 新品上市 会员专享 名额有限 先到先得 回T退订 详询店内
    您的订单已发货 请注意查收 感谢您的支持 限时三天 免费体验 满百减五十 积分可兑换 地址在中山路
    贷款当天放款 无需抵押 额度高 利息低 有意请来电 诚招加盟 包教包会 月入过万 在家可做 工资日结
    航班因天气推迟 请留意广播 祝您旅途愉快 账单已出 请按时还款 余额不足 预约成功 请携带证件
    """


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    data = parser.parse_args().data
    choice = random.Random(7)
    by_group = list(texts_in(data)) if data else made_up_texts(choice, OTHERS)
    choice.shuffle(by_group)
    others = [Views(text).sound for text in by_group[:OTHERS]]
    report = {
        "texts": "read" if data else "made up",
        "others": len(others),
        "mean_characters": round(sum(map(len, others)) / len(others), 1),
        "calibration_us": round(best_us(calibrate, 1), 1),
        "cost_us": costs(others[:2_000]),
        **caught(others, choice),
        **(caught_in_disguise(data / "adv_dev.tsv") if data else {}),
        "memory": memory(),
    }
    print(json.dumps(report, indent=2))


def texts_in(folder: Path) -> Iterator[str]:
    seen: set[int] = set()
    for path in sorted(folder.glob("*.groups")):
        groups = path.read_text(encoding="utf-8").splitlines()
        lines = path.with_suffix(".tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        for group, line in zip(groups, lines, strict=True):
            if int(group) not in seen:
                seen.add(int(group))
                yield line.split("\t", 3)[3]


def made_up_texts(choice: random.Random, count: int) -> list[str]:
    pieces = _PIECES.split()
    return [
        choice.choice(_OPENINGS)
        + "，".join(choice.sample(pieces, 4))
        + "".join(choice.sample(_HAN, 20))
        + str(choice.randrange(10**6))
        for _ in range(count)
    ]


def caught(others: list[str], choice: random.Random) -> dict[str, object]:
    campaigns = Campaigns(CampaignLimits(campaigns=2 * OTHERS))
    linked = 0
    for text in others:
        before = len(campaigns)
        see(campaigns, fingerprint_of(text))
        linked += len(campaigns) == before
    long_enough = [text for text in others if len(text) >= MIN_CHARS]
    report: dict[str, object] = {}
    for script in ("han", "latin"):
        some = [text for text in long_enough if text.isascii() == (script == "latin")][:CHANGED]
        if some:
            report[f"caught_after_change_{script}"] = {
                f"{share:.0%}": share_caught(campaigns, some, share, choice) for share in SHARES
            }
    return {
        **report,
        "linked_share": round(linked / len(others), 4),
        "linked_per_million_pairs": round(linked / (len(others) * len(others) / 2) * 1e6, 3),
    }


def caught_in_disguise(path: Path) -> dict[str, object]:
    """Return by attack how many are of the campaign of the message that they disguise."""
    campaigns = Campaigns(CampaignLimits(campaigns=2 * OTHERS))
    told: dict[str, list[bool]] = {}
    own = ""
    for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
        _, language, attack, text = line.split("\t", 3)
        name = see(campaigns, fingerprint_of(Views(text).sound))
        if attack == "none":
            own = name
        else:
            told.setdefault(f"{language} {attack}", []).append(name == own)
    return {
        "caught_in_disguise": {
            attack: round(sum(found) / len(found), 3) for attack, found in sorted(told.items())
        }
    }


def share_caught(
    campaigns: Campaigns, texts: list[str], share: float, choice: random.Random
) -> float:
    return round(sum(is_caught(campaigns, text, share, choice) for text in texts) / len(texts), 3)


def is_caught(campaigns: Campaigns, text: str, share: float, choice: random.Random) -> bool:
    letters = list(text)
    alphabet = ascii_lowercase if text.isascii() else _HAN
    for place in choice.sample(range(len(letters)), max(1, round(share * len(letters)))):
        letters[place] = choice.choice(alphabet)
    own = see(campaigns, fingerprint_of(text))
    return see(campaigns, fingerprint_of("".join(letters))) == own


def costs(texts: list[str]) -> dict[str, float]:
    prints = [fingerprint_of(text) for text in texts]
    known = Campaigns()
    see_all(known, prints)
    ticks = [texts[at : at + TICK] for at in range(0, len(texts), TICK)]
    read = [Views(text) for text in texts]
    names = KnownNames(text[:8] for text in texts)
    new = min(seconds(lambda: see_all(Campaigns(), prints)) for _ in range(ROUNDS))
    made = min(seconds(Campaigns) for _ in range(ROUNDS))
    each = len(texts)
    return {
        "fingerprint_alone": round(best_us(lambda: [fingerprint_of(t) for t in texts], each), 2),
        "fingerprint_in_tick": round(
            best_us(lambda: [fingerprints_of(tick) for tick in ticks], each), 2
        ),
        "new_text": round((new - made) / each * 1e6, 2),
        "seen_text": round(best_us(lambda: see_all(known, prints), each), 2),
        "links": round(best_us(lambda: [links_of(one) for one in read], each), 2),
        "contacts": round(best_us(lambda: [contacts_of(one) for one in read], each), 2),
        "look_alike_name": round(best_us(lambda: look_up(names, read), each), 2),
    }


def look_up(names: KnownNames, read: list[Views]) -> None:
    for text in read:
        names.like(text.raw[2:10])


def memory() -> dict[str, float]:
    """Return the megabytes of all campaigns there may be, with one message and with many."""
    choice = random.Random(3)
    kept = CampaignLimits().campaigns
    tracemalloc.start()
    campaigns = Campaigns()
    for number in range(kept):
        see(campaigns, Fingerprint(number, None))
    small = tracemalloc.get_traced_memory()[0]
    for number in range(kept):
        for step in range(4):
            for _ in range(20):
                to = choice.randrange(10**11)
                campaigns.reaches(Fingerprint(number, None), "sp1", MANY, to, step * 900.0)
    for number in range(kept, 2 * kept):
        see(campaigns, Fingerprint(number, None))
    large = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "campaigns": len(campaigns),
        "one_message_mb": round(small / 1e6, 1),
        "all_hour_mb": round(large / 1e6, 1),
    }


def see_all(campaigns: Campaigns, prints: list[Fingerprint]) -> None:
    for number, one in enumerate(prints):
        campaigns.reaches(one, "sp1", MANY, FIRST + number, 0.0)


def see(campaigns: Campaigns, one: Fingerprint) -> str:
    found = campaigns.reaches(one, "sp1", 1, FIRST, 0.0)
    assert found is not None
    return found


def best_us(work: Callable[[], object], each: int) -> float:
    return min(seconds(work) for _ in range(ROUNDS)) / each * 1e6


def seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def calibrate() -> int:
    total = 0
    for number in range(10_000):
        total += number
    return total


if __name__ == "__main__":
    main()
