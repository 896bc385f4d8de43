"""Evidence in Chinese for people; records and logs keep to English."""

import re
from collections.abc import Mapping

from gateway.filter.contacts import ContactKind

_CONTACTS = {
    ContactKind.QQ: "QQ",
    ContactKind.WECHAT: "微信",
    ContactKind.MESSENGER: "即时通讯账号",
    ContactKind.MOBILE: "手机号码",
    ContactKind.LANDLINE: "固定电话",
    ContactKind.TOLL_FREE: "400/800 电话",
    ContactKind.SERVICE_LINE: "客服热线",
    ContactKind.EMAIL: "电子邮箱",
}
_BY_PREFERENCE = {
    "the sender's number": "发送号码",
    "a word of the text": "短信中的词语",
    "what the text is about": "此类内容",
    "all messages of this class": "此类短信",
    "messages at this hour": "此时段的短信",
}
CHINESE: Mapping[str, str] = {
    # What always holds
    "no port of this sender": "不是该服务商的端口",
    "more digits behind the port than were allotted": "端口后的扩展位数超出分配",
    "no subscriber number": "不是用户号码",
    "over the sender's rate and burst": "超过服务商的速率和突发上限",
    "sender is suspended": "服务商已暂停",
    "sender is expired": "服务商已到期",
    "no text could be read from the octets": "内容无法解读",
    # Consent
    "the subscriber refused": "用户已拒收",
    "the subscriber refused another account of the same owner": "用户已拒收同一公司的其他账号",
    "the subscriber refused meanwhile": "用户已在此期间拒收",
    "no consent on record": "没有同意记录",
    "consent is asserted only": "同意仅为服务商声称，未经证明",
    "the consent store cannot be read": "无法读取同意记录",
    "the consent store cannot be asked": "无法查询同意记录",
    "whose message it changes is unknown": "不知被替换短信的接收用户",
    "a request for consent: the store tells if it may go": "征求同意的短信：能否发出以记录为准",
    "the subscriber was asked much the same before": "已就相近内容征求过该用户同意",
    "consent is asked of one at a time": "征求同意须逐个用户发送",
    "the way to the SMSC was lost": "与短信中心的连接已断开",
    **{
        f"the subscriber {verb} {what}": f"用户{shown}{about}"
        for verb, shown in (("blocks", "屏蔽了"), ("holds", "要求拦截"))
        for what, about in _BY_PREFERENCE.items()
    },
    # Numbers, ports and filings
    "the SMSC does not know most of the numbers": "多数号码为空号",
    "destinations follow each other number by number": "接收号码依次相连",
    "the number may send nothing for a while": "该号码暂停发送",
    "over the rate and burst of the port": "超过端口的速率和突发上限",
    "a provincial port, and a subscriber of another province": "省内端口，用户属于外省",
    "the source is bound to another signature": "该号码绑定了其他签名",
    "the text bears no signature": "短信没有签名",
    "the signature was not filed": "签名未报备",
    "the text is of no template on file": "不符合任何已报备的模板",
    # Times and counts
    "outside the hours in which it may arrive": "不在允许接收的时段",
    "no hours in which it may arrive while it is valid": "有效期内没有允许接收的时段",
    "scheduled outside the hours in which it may arrive": "定时在不允许接收的时段",
    "scheduled for no moment that can be read": "定时时间无法解读",
    "the counters are full": "计数器已满",
    # Texts
    "a commercial text from a port for another purpose": "其他用途的端口发送商业性短信",
    "the text tells no way to refuse": "短信未告知退订方式",
    "the text names no sender": "短信未标明发送者",
    "the text names no telephone number": "短信未标明电话号码",
    "no classifier has judged the text": "文本未经分类模型判断",
    "nobody measured what the classifier does to so few innocent texts": (
        "没有测定分类模型在如此低的误判率下的表现"
    ),
    "% likely spam": "% 可能是垃圾短信",
    "too long to look for links and contacts": "文本过长，无法检查链接和联系方式",
    "a link written so that only people read it": "链接经变形，只有人能读懂",
    "links to what is not allowed": "链接指向未获允许的网站",
    "links to what is blocked": "链接指向已封禁的网站",
    "a link made to be taken for": "链接仿冒",
    "a signature made to be taken for": "签名仿冒",
    **{f"asks to come to: {kind}": f"引导联系：{name}" for kind, name in _CONTACTS.items()},
    **{
        f"asks to come to: {kind}, in disguise": f"引导联系：{name}（变形书写）"
        for kind, name in _CONTACTS.items()
    },
}
# How a name is like another, as it stands after the name.
_LIKENESS = {
    "(spelling)": "（拼写相同）",
    "(sound)": "（读音相近）",
    "(shape)": "（字形相近）",
    "(one letter)": "（一字之差）",
    "(inside)": "（名称夹在其中）",
    "(other ending)": "（后缀不同）",
}
_LIKE = re.compile("|".join(map(re.escape, _LIKENESS)))
# The longest first: one may begin as another does.
_KNOWN = re.compile(
    f"([0-9]+ )?({'|'.join(map(re.escape, sorted(CHINESE, key=len, reverse=True)))})(?![a-z])"
)


def evidence_in_chinese(evidence: str) -> str:
    """Return evidence with its constant part in Chinese; names, places and words are kept."""
    known = _KNOWN.match(evidence)
    if known is None:
        return evidence
    number, words = known.groups(default="")
    rest = evidence[known.end() :]
    if words.endswith("made to be taken for"):
        rest = _LIKE.sub(lambda found: _LIKENESS[found[0]], rest)
    return f"{number}{CHINESE[words]}{rest}"
