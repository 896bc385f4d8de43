"""Sentences of subscribers that refuse, and those that ask how to refuse (R31)."""

import re

from gateway.filter.normalise.folding import folded
from gateway.filter.optout_hint import advertised
from gateway.filter.traffic_class import signature_of

# --- Chinese ---------------------------------------------------------------------------
_MESSAGES = r"(?:短信|信息|简讯|讯息|消息|广告|推销|推送|垃圾|通知|推广|营销)"
# A word that refuses; 退掉 and TD only if the sentence shows what is meant.
_CORE = (
    r"(?:退订|退定|退阅|拒收|拒绝接收|不再接收|取消(?:订阅|接收|推送|短信|信息|订制|定制)"
    rf"|停止(?:订阅|接收|推送|发|给我|向我|骚扰)|停发|(?<![a-z0-9])td(?![a-z0-9]|银行)|退[掉了].{{0,4}}{_MESSAGES})"
)
# What may stand between a negation and the word it negates: 我没有说要退订, but not 不好意思,退订.
_BETWEEN = (
    r"[想要用需必会打算准备愿意是有说过再帮他们把随便乱先请求做办理点击主动自己申希望曾给我你]{0,8}"
)
# 不给, 不让, 不能, 不了 complain that one cannot leave; 要不退订 proposes; 为什么还没退订 urges.
_DENIED = (
    r"(?:(?<!要)不(?![给让能肯好行了])|(?<!还)(?<!怎么)没|别|勿|未|莫|误|非|甭|无需|取消|撤销|撤回|恢复)"
    rf"{_BETWEEN}{_CORE}"
)
_CORES = re.compile(_CORE)
_DENIALS = re.compile(_DENIED)
# What is talked about instead: a booking, a parcel, a product, terms, others, a condition.
TALK = re.compile(
    r"(?<!不好)意思|政策|规定|规则|条款|手续费|收费吗|多少钱|要钱|违约|退款|酒店|宾馆|民宿|客房|房间|机票|车票|火车票"
    r"|门票|电影票|船票|订单|预订|预约|座位|包间|包厢|商品|快递|包裹|外卖|货|签收|派送|派件"
    r"|的话|如果|要是|假如|会怎|谁|同事|朋友|客户|老公|老婆|人家|别人|合同|(?<![不没])(?<!没有)成功"
    r"|td(?:手机(?!报)|网络|制式|信号|标准|卡)|scdma|lte"
)
# Already opted out and still getting messages: 我都退订了怎么还发.
_STILL = re.compile(r"退[订定].{0,10}(?:还|又|仍|依然).{0,6}(?:发|收到|推)")
_NOT = r"(?:不要|不用|不许|不准|不需要|别|请勿|勿|莫|甭|拒绝)"
_FILL = r"[再给向我们你跟天总老是一直这样乱随便的都了来]{0,8}"
_OTHER_THINGS = r"(?!货|票|快递|顺丰|件|红包|工资|验证码|邮件|地址|朋友|错|烧|火|愁|呆|脾气|现|生)"
# Refusals that contain the negation themselves.
_LEAVE_ME = re.compile(
    rf"(?:{_NOT}|不想被|不希望被){_FILL}(?:骚扰|打扰)(?!你|您|他|她)"
    rf"|{_NOT}{_FILL}(?:再|给我|向我|继续){_FILL}(?:发|推|传)送?{_OTHER_THINGS}"
    rf"|{_NOT}{_FILL}(?:发|推|传)送?{_OTHER_THINGS}.{{0,6}}{_MESSAGES}"
    rf"|(?:不想|不要|不愿意?|不希望|不需要|拒绝)[再看继续]{{0,3}}(?:接收|收到|接到|看到|收).{{0,8}}{_MESSAGES}"
    r"|(?:把我|将我).{0,6}(?:移除|删除|删掉|拉黑|移出)|删[除掉]我的?(?:号码|手机号|电话)"
)
_ALL = re.compile(
    rf"(?:全部|所有(?!人)|一切).{{0,4}}{_CORE}|{_CORE}.{{0,4}}(?:全部|所有(?!人)|一切)"
)

# Who asks how to refuse is told how, and has refused nothing yet. 怎么退订不了 and 怎么还没退订
# complain, and count as refusals; so does what stands beside the question: 怎么退订TD.
_HOW = r"(?:怎么样?|怎样|如何|咋)"
_ABLE = (
    r"(?:才|能|可以?|去|来|想|要|自己|我|给|帮|把|将|这个?|那个?|你们?|的|业务|服务|办理?|申请|进行|操作"
    rf"|{_MESSAGES}){{0,8}}"
)
_CHINESE_HOW = re.compile(
    rf"(?:{_HOW}{_ABLE}|(?:在哪|哪里|哪儿){_ABLE}|(?:回复?|发送?|编辑)(?:什么|啥|哪个){_ABLE})"
    rf"(?:{_CORE}|取消|停止|关闭)(?!不|没|未|无|失败|了|过)"
    rf"|(?:{_CORE}|取消).{{0,6}}?(?:{_HOW}(?:弄|办|操作|做|发|回|搞|申请|设置)|方[式法]|步骤|流程|入口|按钮|链接|在哪"
    r"|(?:回复?|发送?|编辑)(?:什么|啥|哪个))"
)
_COMPLAINT = re.compile(
    r"(?:退|取消)不[掉了成]|(?:没有?|无)用(?![过到的着])|没效|没反应|[给帮替]我取消|(?:别|不要)再?发|(?<![麻劳])烦"
)
# Who asks how to get rid of junk has judged it, and wants out; 垃圾分类 and 防骚扰 are services.
_OF_SERVICES = (
    r"分类|清运|清理|回收|投放|收集|处理|焚烧|电话|费|袋|桶|站"
    r"|拦截|过滤|短信(?:拦截|过滤|屏蔽|举报|治理|投诉)"
)
_ABUSE = re.compile(
    rf"(?<!拦截|屏蔽|过滤|举报|防止|投诉|不是|没有)(?<!防)(?:垃圾|骚扰)(?!{_OF_SERVICES})"
    rf"|(?:破|烂|鬼|狗屁|傻[逼bx]|恶心的?|该死的?|他妈的?|tmd|烦人的?|讨厌的?){_MESSAGES}|(?:恶心|烦|吵)死|受够|没完没了"
)
_ABUSE_ELSEWHERE = re.compile(
    r"\b(?:(?:spam|junk)(?! (?:filter|folder|block|protect|report|alert|mail box))"
    r"|spamm(?:ing|y|ers?)\b|crap|shit|damn|bloody|fuck|bullshit|annoying|harass"
    r"|sick of|fed up|merde|basura|mierda)"
)
# Beside a question the word itself is a refusal.
_STOP_WORD = re.compile(r"(?<!bus )(?<!next )(?<![a-z'-])(?:stop(?:all)?|td|quit)(?![a-z'-])")

# --- English ---------------------------------------------------------------------------
_THINGS = (
    r"(?:texts?|messages?|msgs?|sms|ads?|adverts?|advertis\w+|promos?|promotions?|offers?"
    r"|marketing|spam|notifications?|alerts?|e-?mails?|newsletters?)\b"
)
_BOTHERING = r"(?:text|messag|contact|spamm?|bother|e?mail|call|harass|advertis)ing\b"
# Negated by one of these before it, with only such words between: I never wanted to opt out, but
# not: I never asked for this, stop texting me.
_DENIER = (
    r"(?:(?<!why )(?<!if you )(?:don't|dont|do not|won't|will not|never)|didn't|didnt|did not"
    r"|doesn't|wouldn't|shouldn't|haven't|not|no need|no reason|can't(?= stop)"
    r"|cannot(?= stop)|if i|if we)"
)
_DENIER_FILL = (
    r"(?: (?:you|ever|want|wanted|to|need|me|please|have|asked?|going|gonna|be|try|trying|mean"
    r"|meant|request|requested|like|wish|even|really|actually|yet|i)){0,4}"
)
_STOPPING = (
    rf"(?:(?<!bus )(?<!next )stop|quit|cease) (?!by |at |in |over )(?:{_BOTHERING}"
    rf"|(?:[\w'-]+ ){{0,4}}?{_THINGS}"
    r"|sending(?: me| us)?(?: this| these| it| stuff| things?)*$)"
    r"|unsub(?:scribe)?\b(?! mean)|opt(?:ing)?[ -]?(?:me |us )?out\b|already unsubscribed"
    r"|remove (?:me|us|my (?:number|name|phone))\b|take (?:me|us|my number) off"
    r"|(?:delete|lose) my number|(?:revoke|withdraw) (?:my )?consent"
    r"|cancel (?:my |the |this )?subscription"
)
_ENGLISH = re.compile(rf"(?:\b(?P<denied>{_DENIER}){_DENIER_FILL} )?(?<![\w'-])(?:{_STOPPING})")
_ENGLISH_LEAVE_ME = re.compile(
    r"\b(?:do not|don't|dont|never|stop) (?:ever )?"
    rf"(?:(?:text|message|contact|sms|spam|e?mail|call|bother) (?:me|us|this number)\b"
    rf"|send (?:me |us )?(?:[\w'-]+ ){{0,3}}?{_THINGS})"
    rf"|\bno more (?:[\w'-]+ ){{0,2}}?{_THINGS}|\bleave me alone\b"
    r"|\b(?:do not|don't|dont|no longer) (?:want|wish|need) (?:to )?(?:be )?"
    rf"(?:(?:receive|get|see|any|more|your|these|this|those|of|the|such) ){{0,5}}"
    rf"(?:{_THINGS}|contacted\b|texted\b)"
)

_WAYS_OUT = (
    r"(?:(?:stop|end|quit|cancel|block|get off|turn off)\b(?! by | at | (?:my|the|an?|our|this)"
    r" (?:order|booking|appointment|reservation|trip|flight|ticket|account|card|policy|payment))"
    r"|unsub\w*|opt(?:ing)?[ -]?(?:me |us )?out\b)"
)
_ENGLISH_HOW = re.compile(
    r"\bhow (?:(?:do|can|could|would|should|may|might|does|must)"
    rf" (?:i|we|one|someone|people) |to )(?:please |just |ever )?{_WAYS_OUT}(?: or {_WAYS_OUT})*"
    r"|\b(?:what|which word|where) (?:do|can|should|must) (?:i|we)"
    rf"(?: (?:reply|text|send|write|say|type|to|back))* {_WAYS_OUT}"
)

# --- French, Spanish, Hindi; without accents, in Latin letters or Devanagari -----------------
_ELSEWHERE = re.compile(
    r"\b(?:veux|souhaite|desire|voudrais|aimerais|merci de) (?:ne )?plus (?:recevoir|de )"
    r"|(?:arretez?|cessez|stoppez) de (?:m'|me |nous )?(?:envoyer|ecrire|contacter|deranger)"
    r"|\bplus de (?:sms|messages?|pubs?|publicites?)\b"
    r"|(?<!pas )(?:me |nous )(?:desabonner|desinscrire)|(?:desabonnez|desinscrivez|retirez)[- ]moi"
    r"|\bno (?:me |nos )?(?:env[ii]en?|manden?|escriban?|molesten?|contacten?)\b"
    r"|\bno (?:quiero|deseo) (?:recibir|mas)\b|\bdejen? de (?:enviar|mandar|escribir|molestar)"
    r"|(?<!no quiero )\b(?:darme|denme|deme|dame) de baja"
    r"|\bno mas (?:mensajes?|textos?|sms|publicidad|anuncios?)\b"
    r"|\bcancel(?:ar|en|e) (?:mi |la )?suscripcion|\bborren? mi numero"
    r"|\b(?:sms|msg|messages?) (?:karna |bhejna )?(?:band|mat|nahi)\b|\bmat bhej"
    r"|\bband kar(?:o|e|en|do)\b"
)
_HINDI = re.compile(
    r"मत भेज|न भेजें|(?:मैसेज|संदेश|एसएमएस|विज्ञापन)[^।]{0,20}(?:बंद|रोक|नहीं चाहिए)"
    r"|\s*(?:स्टॉप|बंद|रोकें|रोको|रोक दो|रोकिए)(?: करें| करो| कर दो| करिए| कीजिए)?\s*\Z"
)
_HOW_ELSEWHERE = re.compile(
    r"\bcomment (?:je |puis[- ]je |peut[- ]on |faire pour |on )?(?:me |se |vous )?"
    r"(?:desabonner|desinscrire|arreter|stopper|resilier|ne plus recevoir)"
    r"|\bcomo (?:puedo |hago para |se |me )?(?:cancel\w+|darme de baja|doy de baja|dejar de recibir"
    r"|parar|paro|detener)|\b(?:kaise (?:band|rok)|(?:band|rok\w*) kaise)"
)
_HINDI_HOW = re.compile(r"कैसे (?:बंद|रोक)|(?:बंद|रोक)[^।]{0,6}कैसे")

_SENTENCE = re.compile(r"[,.!?;:、。~\n\r]+")
_PIECE = re.compile(r"\w+")
_LATIN = re.compile(r"[a-z][a-z'-]*")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SHORT = 40  # characters; a reply is hardly longer when it copies 回复TD退订


def is_quote(text: str) -> bool:
    """Tell whether `text` quotes an advertisement together with its opt-out hint."""
    if len(text) <= _SHORT and signature_of(text) is None:
        return False
    return advertised(text) is not None


def refuses(plain: str) -> bool:
    """Tell whether a sentence of `plain`, simplified, says that its writer wants no more.

    In doubt a sentence counts as a refusal (O31: no obstacles in any form), unless it negates the
    word, talks about it, or talks about a booking or a parcel.
    """
    clauses = sentences(plain)
    return any(map(_is_refusal, clauses)) or (
        any(map(_is_question, clauses)) and any(map(_complains, clauses))
    )


def refuses_everything(plain: str) -> bool:
    """Tell whether `plain` refuses all messages: 全部退订."""
    return any(_ALL.search(sentence) for sentence in sentences(plain))


def asks_how(plain: str) -> bool:
    """Tell whether `plain`, which does not refuse, asks how one refuses."""
    return any(map(_is_question, sentences(plain)))


def sentences(plain: str) -> list[str]:
    """Return the sentences and clauses of `plain`, with one kind of apostrophe."""
    return _SENTENCE.split(plain.replace("’", "'"))


def _is_question(sentence: str) -> bool:
    if not _HAN.search(sentence):
        if _HINDI_HOW.search(sentence) or _HOW_ELSEWHERE.search(folded(sentence)):
            return True
        return _ENGLISH_HOW.search(" ".join(_LATIN.findall(sentence))) is not None
    closed_up = "".join(_PIECE.findall(sentence))
    return _CHINESE_HOW.search(closed_up) is not None and not TALK.search(closed_up)


def _is_refusal(sentence: str) -> bool:
    """Tell whether `sentence` refuses beside any question how to."""
    if not _HAN.search(sentence):
        return _is_refusal_elsewhere(sentence)
    pieces = _PIECE.findall(sentence)
    closed_up = "".join(pieces)
    if _is_question(sentence):
        return _refuses_beside_question(pieces, closed_up)
    if len(pieces) > 1 and not TALK.search(closed_up):
        # 不要 退订: the space is a comma. In 我 不 想 退 订 it is a disguise, and no piece
        # holds a word.
        with_core = [piece for piece in pieces if _CORES.search(piece)]
        if with_core:
            return any(_is_chinese_refusal(piece) for piece in with_core)
    return _is_chinese_refusal(closed_up)


def _complains(sentence: str) -> bool:
    """Tell whether `sentence`, beside a question how to, shows that its writer has had enough."""
    rest = _beside(sentence)
    if TALK.search(rest):
        return False
    closed_up, latin = "".join(_PIECE.findall(sentence)), folded(sentence)
    return any((_COMPLAINT.search(rest), _ABUSE.search(closed_up), _ABUSE_ELSEWHERE.search(latin)))


def _beside(sentence: str) -> str:
    return _CHINESE_HOW.sub("\n", "".join(_PIECE.findall(sentence)))


def _is_refusal_elsewhere(sentence: str) -> bool:
    latin = _HOW_ELSEWHERE.sub("\n", folded(sentence))
    return bool(
        _HINDI.search(_HINDI_HOW.sub("\n", sentence))
        or _ELSEWHERE.search(latin)
        or _is_english_refusal(_without_how(sentence))
        or (_STOP_WORD.search(_without_how(latin)) and _is_question(sentence))
    )


def _without_how(sentence: str) -> str:
    return _ENGLISH_HOW.sub("\n", " ".join(_LATIN.findall(sentence)))


def _refuses_beside_question(pieces: list[str], closed_up: str) -> bool:
    # 怎么取消 退订: the question is whole before the space.
    if len(pieces) > 1 and any(map(_is_question, pieces)) and any(map(_is_refusal, pieces)):
        return True
    rest = _beside(closed_up)
    if any(words.search(rest) for words in (_STOP_WORD, _LEAVE_ME, _STILL)):
        return True
    # The question may itself take a refusal back: 怎么取消退订.
    return len(_CORES.findall(rest)) > len(_DENIALS.findall(closed_up))


def _is_chinese_refusal(clause: str) -> bool:
    if _STILL.search(clause):
        return True
    if TALK.search(clause):
        return False
    if _LEAVE_ME.search(clause):
        return True
    # Every word of refusal must be negated; otherwise one stands on its own.
    return len(_CORES.findall(clause)) > len(_DENIALS.findall(clause))


def _is_english_refusal(sentence: str) -> bool:
    if _ENGLISH_LEAVE_ME.search(sentence):
        return True
    return any(found["denied"] is None for found in _ENGLISH.finditer(sentence))
