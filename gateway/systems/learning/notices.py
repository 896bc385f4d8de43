"""Innocent notices made up to train on: codes, banks, couriers, bookings, offices."""

from collections.abc import Mapping, Sequence
from pkgutil import get_data

import numpy as np

_LINES = (get_data(__package__, "notices.txt") or b"").decode().splitlines()
_FORMS = [line for line in _LINES if not line.startswith("#")]

_WORDS: Mapping[str, Sequence[str]] = {
    "bank": [
        "建安银行",
        "华江银行",
        "民丰银行",
        "金穗农信",
        "滨海银行",
        "长河村镇银行",
        "晋源银行",
    ],
    "shop": ["豆芽商城", "星河出行", "麦田书店", "红杉酒店", "小鹿超市", "海豚影城", "竹林餐厅"],
    "courier": ["迅达快递", "蓝天速递", "四通快运", "喜鹊快递", "飞马物流"],
    "operator": ["中国移动", "中国联通", "中国电信"],
    "city": ["武汉", "成都", "郑州", "合肥", "昆明", "宁波", "太原", "苏州", "兰州", "青岛"],
    "name": ["周先生", "吴女士", "郑先生", "孙女士", "黄先生", "林女士", "何先生", "罗女士"],
    "place": ["东门驿站", "一楼丰巢柜", "传达室", "小区超市", "北门岗亭", "快递服务点", "门卫处"],
}


def innocent_notices(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` invented notices, an equal number of each form as far as possible.

    They are important texts from ports, which must not be stopped: collections have many adverts
    and few notices of banks, couriers, clinics and utilities. None is a real person's text.
    """
    order = rng.permutation(max(count, len(_FORMS)))[:count] % len(_FORMS)
    return [_FORMS[form].format(**_drawn(rng)) for form in order.tolist()]


def _drawn(rng: np.random.Generator) -> dict[str, object]:
    words = {name: several[int(rng.integers(len(several)))] for name, several in _WORDS.items()}
    return {
        **words,
        "code": _digits(6, rng),
        "minutes": int(rng.integers(1, 31)),
        "month": int(rng.integers(1, 13)),
        "day": int(rng.integers(1, 29)),
        "hour": int(rng.integers(7, 22)),
        "minute": f"{int(rng.integers(60)):02}",
        "tail": _digits(4, rng),
        "money": f"{rng.uniform(1, 2000):.2f}",
        "more": f"{rng.uniform(1000, 40000):.2f}",
        "cash": int(rng.integers(1, 200)) * 100,
        "hotline": f"95{_digits(3, rng)}",
        "mobile": f"1380013{_digits(4, rng)}",
        "parcel": _digits(12, rng),
        "order": _digits(10, rng),
        "pick": f"{int(rng.integers(1, 10))}-{int(rng.integers(1, 20))}-{_digits(4, rng)}",
        "box": int(rng.integers(1, 40)),
        "train": f"G{int(rng.integers(1, 9000))}",
        "used": int(rng.integers(1, 900)),
        "left": int(rng.integers(1, 900)),
    }


def _digits(count: int, rng: np.random.Generator) -> str:
    return f"{int(rng.integers(10**count)):0{count}}"
