"""What the gateway writes to subscribers about their orders: each one message of 70 characters."""

from collections.abc import Sequence

from gateway.domain.outbound_message import MAX_CHARS, chars_of, cut_to
from gateway.domain.subscription import Cycle, Subscription, SubscriptionState, Terms

NO_ORDERS = "无订购业务"
NOTHING_CHANGED = "未作任何更改。查询订购业务请回0000"
GONE_ALREADY = "所选业务已退订，不再收费。查询订购业务请回0000"

_MAX_SENDER_CHARS = 6
_MAX_HUB_SENDER_CHARS = 4
_HEAD = "您的订购："
_FOOT = "。回QX序号退订，00000全退"
_UNITS = {Cycle.MONTH: "月", Cycle.ONCE: "次"}
_FEN_PER_YUAN = 100


def price_of(terms: Terms) -> str:
    """Return the price as subscribers read it: 5元/月."""
    if not terms.price_fen:
        return "免费"
    yuan, fen = divmod(terms.price_fen, _FEN_PER_YUAN)
    cents = f".{fen:02}".rstrip("0") if fen else ""
    return f"{yuan}{cents}元/{_UNITS[terms.cycle]}"


def request(terms: Terms) -> str:
    """Ask for the yes: service, SP, price, cycle, how to confirm and how to see (N136, R24)."""
    trial = f"试用{terms.trial_days}天后再确认，" if terms.trial_days else ""
    what = f"{_sender(terms)}“{terms.name}”，{trial}{price_of(terms)}"
    return f"您申请{what}。24小时内回“是”确认，否则不收费。查询退订0000"


def renewal(terms: Terms) -> str:
    """Ask for the yes that makes a trial a paid order (R25)."""
    what = f"{_sender(terms)}“{terms.name}”试用后续订，{price_of(terms)}"
    return f"{what}。24小时内回“是”续订，不回则到期终止；查询退订回0000"


def done(subscription: Subscription) -> str:
    """Say that the order stands, and how to end it."""
    terms = subscription.terms
    what = f"{_sender(terms)}“{terms.name}”"
    if subscription.state is SubscriptionState.TRIAL:
        return f"已开通{what}试用{terms.trial_days}天，到期终止不收费。退订回TD{terms.name}"
    return f"您已订购{what}，{price_of(terms)}。查询回0000，退订回TD{terms.name}"


def ordered_already(terms: Terms) -> str:
    """Say that what is ordered runs."""
    what = f"您已订购{_sender(terms)}“{terms.name}”，{price_of(terms)}，无需重复"
    return f"{what}。查询退订回0000"


def withdrawn(subscription: Subscription) -> str:
    """Say that a no was heard."""
    name = subscription.terms.name
    if subscription.is_running:
        return f"“{name}”不续订，试用到期终止，不收费"
    return f"“{name}”的订购申请已取消，不收费"


def consented(sender_name: str) -> str:
    """Say that a yes to a request for consent was heard."""
    return f"您已同意接收{cut_to(sender_name, _MAX_SENDER_CHARS)}的信息。退订请回复TD"


def cancelled(ended: Sequence[Subscription]) -> str:
    """Say which orders have ended."""
    names = "、".join(one.terms.name for one in ended)
    text = f"已退订：{names}，不再收费。查询回0000"
    if chars_of(text) > MAX_CHARS:
        text = f"已退订{len(ended)}项业务，不再收费。查询回0000"
    return text


def cancelled_all(ended: Sequence[Subscription]) -> str:
    """Say that everything of an SP has ended, and that its advertising has."""
    whose = _sender(ended[0].terms)
    return f"已退订{whose}全部{len(ended)}项业务，不再收费，也不再收到其商业信息。恢复回HF"


def cancelled_everything(count: int) -> str:
    """Say that everything of every SP has ended (R34)."""
    return f"已退订全部{count}项业务，不再收费。查询回0000"


def ask_cancel_all(count: int) -> str:
    """Ask whether everything of every SP shall end (R34)."""
    return f"您共订购{count}项业务。24小时内回“是”全部退订；逐项退订请回0000"


def listing(orders: Sequence[Subscription], start: int, *, is_hub: bool) -> tuple[str, int]:
    """Return the message that lists `orders` from index `start` on, and where it stops.

    Each with its number and price; as many as fit, and of what is left how many.
    """
    texts = [
        _item(number, order, is_hub=is_hub)
        for number, order in enumerate(orders[start:], start=start + 1)
    ]
    if is_hub and chars_of(_page(texts, 0)) > MAX_CHARS:
        # The SPs' names are a help where there is room for them.
        texts = [
            _item(number, order, is_hub=False)
            for number, order in enumerate(orders[start:], start=start + 1)
        ]
    shown = len(texts)
    while shown > 1 and chars_of(_page(texts[:shown], len(texts) - shown)) > MAX_CHARS:
        shown -= 1
    return _page(texts[:shown], len(texts) - shown), start + shown


def _page(texts: Sequence[str], left: int) -> str:
    more = f"。再发0000看余{left}项" if left else ""
    return f"{_HEAD}{'；'.join(texts)}{more}{_FOOT}"


def _item(number: int, order: Subscription, *, is_hub: bool) -> str:
    terms = order.terms
    whose = f"({cut_to(terms.sender_name, _MAX_HUB_SENDER_CHARS)})" if is_hub else ""
    trial = "" if order.state is SubscriptionState.ACTIVE else "(试用)"
    return f"{number}{terms.name}{whose}{price_of(terms)}{trial}"


def paid(orders: Sequence[Subscription]) -> str:
    """Return what paid orders are called in a few characters: “天气”5元/月, or 3项."""
    if len(orders) > 1:
        return f"{len(orders)}项"
    return "".join(f"“{one.terms.name}”{price_of(one.terms)}" for one in orders)


def _sender(terms: Terms) -> str:
    return cut_to(terms.sender_name, _MAX_SENDER_CHARS)
