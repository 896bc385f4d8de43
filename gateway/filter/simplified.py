"""Traditional characters as simplified ones, where the words this gateway knows have any."""

# Traditional and simplified side by side. Not a dictionary: only what opt-out words, hints
# and commercial cues are written with, which keeps one look at a text short.
_PAIRS = (
    "訂订閱阅絕绝認认確确復复覆复複复幫帮請请發发擾扰騷骚業业務务煩烦給给別别們们這这個个"
    "無无動动廣广貨货單单機机門门為为麼么讓让沒没誤误誰谁錢钱費费總总傳传簡简訊讯繼继續续"
    "謝谢嗎吗關关電电話话優优銷销價价減减領领紅红贈赠體体驗验貸贷詳详詢询開开盤盘註注冊册"
    "碼码賬账帳账額额預预約约購购劵券獎奖員员點点擊击鏈链動动態态辦办隱隐編编輯辑條条雲云"
    "種种說说還还現现處处陸陆録录錄录號号權权專专歡欢迎迎熱热線线餘余屬属達达遞递內内網网"
    "應应該该類类顧顾客客買买賣卖雙双場场滿满搶抢時时間间樓楼證证積积換换貼贴補补壓压"
)
_TO_SIMPLIFIED = str.maketrans(_PAIRS[::2], _PAIRS[1::2])
_TO_TRADITIONAL = {
    ord(simple): traditional
    for traditional, simple in reversed(tuple(zip(_PAIRS[::2], _PAIRS[1::2], strict=True)))
}


def simplified(plain: str) -> str:
    """Return `plain` with the traditional characters of the table simplified."""
    return plain if plain.isascii() else plain.translate(_TO_SIMPLIFIED)


def traditional(word: str) -> str:
    """Return the usual traditional spelling of a simplified `word` of ours."""
    return word.translate(_TO_TRADITIONAL)
