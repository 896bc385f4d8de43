"""What subscribers are told about their complaints: in Chinese, or in English abroad."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.outbound_message import MAX_CHARS
from gateway.systems.complaints.model import Complaint, ComplaintState, reads_chinese


@dataclass(frozen=True, slots=True)
class ReplyWords:
    """What subscribers are told, each in one message; with the number of the complaint."""

    taken: str
    asks_sender: str
    asks_text: str
    status: str
    states: Mapping[ComplaintState, str]
    unknown: str
    asked_today: str
    answered: str
    usual_answer: str
    outcomes: Mapping[str, str]


_ZH = ReplyWords(
    "您的举报已受理，编号{number}。感谢您的举报。本短信免费",
    "举报{number}已登记。请在7天内回复发来该短信的号码（免费）",
    "举报{number}已登记。请在7天内回复该短信的内容（免费）",
    "您的举报（免费）：",
    {
        ComplaintState.RECEIVED: "{number}已受理",
        ComplaintState.NEED_INFO: "{number}待补充",
        ComplaintState.VALID: "{number}已核实",
        ComplaintState.INVALID: "{number}未成立",
        ComplaintState.CLUSTERED: "{number}处理中",
        ComplaintState.CLOSED: "{number}已办结",
    },
    "没有您的举报（免费）",
    "今日已查询过，请明日再查（免费）",
    "您的举报{number}：{answer}",
    "已依法依规核查处理，感谢您的监督",
    # A case may have several ports: which of them was it, the words do not say.
    {
        "port_closed": "经核查属实，已关闭相关端口，感谢您的监督",
        "port_suspended": "经核查属实，已暂停相关端口，感谢您的监督",
        "sender_suspended": "经核查属实，已暂停相关企业的短信，感谢您的监督",
        "number_suspended": "经核查属实，已暂停相关号码，感谢您的监督",
        "content_blocked": "经核查属实，已拦截此类短信，感谢您的监督",
        "sender_warned": "经核查属实，已警告相关企业，感谢您的监督",
    },
)
_EN = ReplyWords(
    "Report {number} received, thank you. Free of charge",
    "Report {number}: now reply with the number it came from (free)",
    "Report {number}: now reply with the text of that message (free)",
    "Your reports (free): ",
    {
        ComplaintState.RECEIVED: "{number} received",
        ComplaintState.NEED_INFO: "{number} incomplete",
        ComplaintState.VALID: "{number} confirmed",
        ComplaintState.INVALID: "{number} not confirmed",
        ComplaintState.CLUSTERED: "{number} in work",
        ComplaintState.CLOSED: "{number} closed",
    },
    "There is no such report of yours (free)",
    "You asked today already; ask again tomorrow (free)",
    "Report {number}: {answer}",
    "it was looked into and dealt with. Thank you",
    {
        "port_closed": "confirmed, and the port closed. Thank you",
        "port_suspended": "confirmed, and the port suspended. Thank you",
        "sender_suspended": "confirmed, and the sender suspended. Thank you",
        "number_suspended": "confirmed, and the number suspended. Thank you",
        "content_blocked": "confirmed, and such messages blocked. Thank you",
        "sender_warned": "confirmed, and the sender warned. Thank you",
    },
)


def reply_to(msisdn: int, number: int, state: ComplaintState, sender: str) -> str:
    """Return the reply to a complaint that is on record, or to one that lacks something."""
    words = words_of(msisdn)
    told = words.taken
    if state is ComplaintState.NEED_INFO:
        told = words.asks_text if sender else words.asks_sender
    return told.format(number=number)[:MAX_CHARS]


def words_of(msisdn: int) -> ReplyWords:
    """Return the words in the language of a subscriber."""
    return _ZH if reads_chinese(msisdn) else _EN


def told_states(words: ReplyWords, found: list[Complaint]) -> str:
    """Return the states of complaints, as many of the newest as one message holds."""
    told, sign = words.status, ""
    for one in found:
        more = sign + words.states[one.state].format(number=one.number)
        if len(told) + len(more) > MAX_CHARS:
            break
        told, sign = told + more, "; " if words is _EN else "，"
    return told if found else words.unknown
