"""A warning about fraud names what frauds offer, and is no advert for it."""

import pytest

from gateway.domain.categories import TrafficClass
from gateway.filter.facts import TextFacts

WARNINGS = (
    "【示例银行】谨防诈骗！凡自称我行要求转账、办理贷款、提额的均为诈骗，请勿点击陌生链接。详询95588",
    "【示例银行】近期有不法分子冒充我行发送“积分兑换”“领取红包”短信，请勿点击链接，谨防上当",
    "【示例银行】警惕以低息贷款为名、先收手续费的骗局，我行不会以短信推销贷款",
    "【示例公安】刷单返利、高薪兼职都是诈骗，切勿轻信，有疑问请拨打96110",
    "【示例反诈中心】无抵押贷款、免息分期先交保证金的，一律是诈骗。",
    "Fraud alert: Acme Bank will never ask for your password. Beware of offers of free loans.",
    "【示例公安】谨防诈骗短信以低息贷款为由骗取手续费，如有疑问请拨打96110",
    "【示例银行】防骗提醒：冒充客服称可提额、返现的都是诈骗，请勿转账",
    "【示例警方】谨防上当受骗！不要轻信兼职刷单、投资理财，请勿向陌生人转账",
    "Acme Bank: scammers send texts about prizes and free vouchers. Do not click such links.",
    "【示例银行】请勿轻信网络贷款、办卡提额、积分兑换等广告",
    "【示例贷款】不法分子冒充我司提供低息贷款、先收手续费，都是诈骗，切勿转账",
    "【示例公安】切勿轻信他人推荐的理财、返利，谨防上当",
    "【示例银行】凡自称我司员工可提额、免息的，均为诈骗，请致电400-820-8820核实",
    "【反诈】刷单就是诈骗！先小额返利再骗大额，切勿相信日赚500的兼职广告。",
    "【示例税务】严禁虚开发票，代开发票诈骗多发，请通过电子税务局办理。",
    "【示例税务】您申请代开的增值税发票已开具，请到办税服务厅领取。",
    "【示例社区】不要参与刷单返利、兼职打字，不要向陌生人转账，警惕诈骗",
)
ADVERTS = (
    "【示例商城】会员日全场八折，谨防假冒，认准官方",
    "【示例贷款】低息贷款当天到账，正规平台不是诈骗，详询400-820-8820",
    "【示例兼职】高薪兼职日结五百，绝非诈骗，加微信报名",
    "Flash sale 50% off everything! Beware of fakes, shop now",
    "【示例银行】谨防假冒 全场五折大促 买一送一 速来抢购",
    "谨防诈骗我司正规贷款免息额度20万办卡领红包",
    "谨防诈骗我司正规贷款免息额度20万",
    "Beware of fakes buy now flash sale 50% off coupon voucher shopnow",
    "【商城】谨防假冒 全场五折大促 买一送一 加微信 abc123 速来抢购",
    "【商城】谨防诈骗认准正规平台百家乐首存送红包优惠多多加群抢购",
    "【商城】防骗提醒 本店双十一大促全场三折满300减100",
    "【商城】谨防假冒正品茅台特价促销人民路8号",
    "【贷款】警惕高利贷 我司低息无抵押贷款额度20万秒批",
    "【商城】拒绝骗子商家全场五折抢购立减",
    "【示例】正规平台不法分子绕行特惠0元购加qq 12345",
    "【商城】不要轻信他人 领券立减 大促 买一送一",
    "【贷款】谨防诈骗 低 息 贷 款 额 度 高",
    "【贷款】谨防贷款诈骗，本次贷款免息额度20万",
    "【贷款】谨防诈骗，不要犹豫，低息贷款不要错过",
    "【商城】谨防诈骗，请勿错过本店优惠",
    "【兼职】警惕骗局\n高薪兼职日结五百",
    "【商城】切勿轻信他店，本店红包优惠多多",
    "切勿轻信他家我处返现最高可提额",
    "【金融】切勿轻信谣言我处贷款额度20万返现免抵押",
    "【金融】我们不会收费低息贷款免抵押，谨防诈骗",
    "【金融】绝不会骗您低息贷款额度高，谨防假冒",
    "【金融】谨防诈骗，请勿担心无抵押贷款免息额度高",
    "【金融】警惕高利贷，贷款不要找别人免抵押低息",
    "【兼职】警惕骗局，高薪兼职不要押金刷单返利",
    "【兼职】高薪兼职刷单返利勿轻信他人",
    "【兼职】谨防诈骗，兼职刷单返利不要钱",
    "【商城】防骗提醒：红包返现大奖不要浪费",
    "【商城】谨防假冒大奖红包返现在等您",
    "【兼职】切勿轻信刷单返利高薪兼职，13800138000",
    "【理财】不要轻信高薪兼职，理财返现 加V：abc12345",
)


@pytest.mark.parametrize("text", WARNINGS)
def test_a_warning_about_fraud_is_service(text: str) -> None:
    assert TextFacts((), [text]).shown().traffic is TrafficClass.SERVICE


@pytest.mark.parametrize("text", ADVERTS)
def test_an_advert_that_warns_as_well_is_an_advert(text: str) -> None:
    assert TextFacts((), [text]).shown().traffic is TrafficClass.COMMERCIAL
