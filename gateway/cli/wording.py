"""The labels of `smsward explain` in the language that is asked for.

Words of the policy language and of the wire (shadow, ESME_ROK) are the same in both: they are
what stands in the files and in the SP's log.
"""

_CHINESE = {
    "verdict": "结论",
    "reason": "原因",
    "article": "依据",
    "the SP hears": "服务商收到的应答",
    "class": "短信类别",
    "about": "内容类别",
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
    "yes": "是",
    "no": "否",
    "shadow": "试运行",
    "until": "至",
    "FORWARD": "放行 FORWARD",
    "DEFER": "延后 DEFER",
    "QUARANTINE": "隔离 QUARANTINE",
    "THROTTLE": "限流 THROTTLE",
    "REJECT": "拒绝 REJECT",
    "ACCEPT": "允许 ACCEPT",
    "REFUSE": "拒绝 REFUSE",
    "verification": "验证码 verification",
    "service": "服务通知 service",
    "commercial": "商业性 commercial",
    "public_interest": "公益性 public_interest",
}


def worded(words: str, lang: str) -> str:
    """Return `words` in `lang`, zh or en; those that are the same in both as they are."""
    return _CHINESE.get(words, words) if lang == "zh" else words
