"""The labels of `smsward explain` in the language that is asked for.

Words of the policy language and of the wire (shadow, ESME_ROK) are the same in both: they are
what stands in the files and in the SP's log.
"""

from gateway.policy.rules import Title

# As files and records write an action, and as a verdict does.
_ACTIONS = {
    "forward": "放行",
    "defer": "延后",
    "quarantine": "隔离",
    "throttle": "限速",
    "reject": "拒绝",
    "exempt": "豁免",
}
_CHINESE = {
    **{word: f"{chinese} {word}" for word, chinese in _ACTIONS.items()},
    **{word.upper(): f"{chinese} {word.upper()}" for word, chinese in _ACTIONS.items()},
    "advert": "推销 advert",
    "fraud": "诈骗 fraud",
    "illegal": "违法 illegal",
    "general": "一般 general",
    "serious": "严重 serious",
    "major": "重大 major",
    "verdict": "结论",
    "reason": "原因",
    "article": "依据",
    "the SP hears": "服务商收到的应答",
    "class": "短信类别",
    "about": "内容类别",
    "readings": "解读方式",
    "reading": "解读",
    "read": "读法",
    "view": "视图",
    "as sent": "按发送原样",
    "as sent, with marks": "按发送原样，符号形字符视为符号",
    "as displayed": "按屏幕显示顺序",
    "as displayed, with marks": "按屏幕显示顺序，符号形字符视为符号",
    "raw": "原文 raw",
    "folded": "归一 folded",
    "letters": "仅字母与数字 letters",
    "sound": "读音 sound",
    "category": "类别",
    "severity": "危害程度",
    "policy": "策略",
    "text": "文本",
    "classifier": "分类模型",
    "what the SMSC answers": "以短信中心的应答为准",
    "nothing that is enforced, see below": "未命中生效的规则，见下表",
    "nothing found": "未命中任何规则",
    "no finding": "没有命中",
    "rule": "规则",
    "title": "名称",
    "finding": "命中",
    "action": "处置",
    "evidence": "证据",
    "decides": "是否决定结论",
    "beside the findings": "补充说明",
    "from": "来自",
    "to": "发往",
    "intent": "意图",
    "meaning": "含义",
    "scope": "范围",
    "the service": "业务",
    "items": "序号",
    "source": "依据",
    "here": "在此",
    "orders and the carrier's own codes: add --config": "订购词与服务代码：须加 --config",
    "yes": "是",
    "no": "否",
    "shadow": "影子模式",
    "until": "至",
    "ACCEPT": "允许 ACCEPT",
    "REFUSE": "拒绝 REFUSE",
    "verification": "验证码 verification",
    "service": "服务通知 service",
    "commercial": "商业性 commercial",
    "public_interest": "公益性 public_interest",
}


def said_in(title: Title, lang: str) -> str:
    """Return what is written in both languages in `lang`, zh or en."""
    return title.zh if lang == "zh" else title.en


def worded(words: str, lang: str) -> str:
    """Return `words` in `lang`, zh or en; those that are the same in both as they are."""
    return _CHINESE.get(words, words) if lang == "zh" else words
