"""For every rule that can stop a message: a scene in which it does, and one where it does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import time, timedelta

from gateway.domain.consent import Answer
from gateway.domain.filings import PortScope, Signature, Template, TemplateKind
from gateway.domain.policy import ROLLING_DAY, CountDimension, Limit
from gateway.domain.preferences import PreferenceAction, PreferenceKind, packed, preference
from gateway.domain.sender import Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.filter.contacts import ContactKind
from gateway.policy.bundle import Rule
from gateway.policy.check import Check
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.hours import RuleLocale, Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.preferences import Preferences
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    DUBIOUS,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    rule,
    sender,
)
from tests.policy.scorers import PRIZE, WordScorer

MSISDN = int(f"86{SUBSCRIBER}")
HAN, LATIN = "您好，周末再见，谢谢您", "See you on the weekend then"
_CLOSED, _OPEN = ((time(12), time(13)), (time(0), time(0)))
_Hours = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Scene:
    """A world in which one message is sent, `before` it others.

    `latin` is None where what matters cannot be written without Han characters.
    """

    rules: tuple[Rule, ...] = ()
    han: str = HAN
    latin: str | None = LATIN
    source: str = PORT
    to: str = SUBSCRIBER
    senders: tuple[Sender, ...] = (sender(),)
    knows: Callable[[], Knowledge] = Knowledge
    surroundings: RuleLocale = BUNDLE.surroundings
    before: tuple[bytes, ...] = ()
    filter_fails: bool = False

    def world(self) -> World:
        """Return the world as it is when the message comes."""
        bundle = replace(BUNDLE, rules=self.rules, surroundings=self.surroundings)
        world = World(bundle, self.senders, self.knows())
        session = world.session()
        for pdu in self.before:
            assert not world.submit(session, pdu).attention
        if self.filter_fails:
            world.failing_filter()
        return world


@dataclass(frozen=True, slots=True)
class Stops:
    """A rule at work: `against` it stops the message for `reason`, in `decent` it does not."""

    reason: ReasonCode
    against: Scene
    decent: Scene
    check: type[Check] | None = None


def _by(check: Check, reason: ReasonCode, against: Scene, decent: Scene) -> Stops:
    rules = (rule("R", check),)
    return Stops(reason, replace(against, rules=rules), replace(decent, rules=rules), type(check))


def _consent(answer: Answer | None, *, is_current: bool = True) -> Callable[[], Knowledge]:
    def knows() -> Knowledge:
        knowledge = Knowledge()
        knowledge.consent.is_current = is_current
        if answer is not None:
            knowledge.consent.apply(MSISDN, "sp1", answer)
        return knowledge

    return knows


def _filed(*filings: PortScope | Signature | Template) -> Callable[[], Knowledge]:
    def knows() -> Knowledge:
        knowledge = Knowledge(provinces=ProvinceTable([(1380013, "北京")]))
        knowledge.filings.replace("sp1", filings)
        return knowledge

    return knows


def _answered(*, passed: int, unknown: int) -> Callable[[], Knowledge]:
    def knows() -> Knowledge:
        knowledge = Knowledge()
        knowledge.answers.feed({"sp1": (passed, unknown)}, AT)
        return knowledge

    return knows


def _suspended(number: int) -> Callable[[], Knowledge]:
    def knows() -> Knowledge:
        knowledge = Knowledge()
        knowledge.suspended.load([(number, AT + 3600, 0.0)])
        return knowledge

    return knows


def _wishes() -> Knowledge:
    blocked = preference(PreferenceKind.NUMBER, PORT, PreferenceAction.BLOCK)
    return Knowledge(preferences=Preferences([(MSISDN, packed((blocked,)))]))


def _untimely(hours: _Hours, action: Action) -> Scene:
    check = OutsideWindow(WindowSet((Window(*hours),)))
    return Scene((rule("R40", check, action=action),))


_SERVICE_PORT = (sender(ports=(Port(PORT, 4, Purpose.SERVICE),)),)
_SLOW = Scene(senders=(sender(rate=Rate(0.001, 1)),))
_TO_ANOTHER = (advert(to="13900139000"),)
_DAILY = TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),))
_UNSIGNED_HAN = replace(Scene(), latin=None)
_PROVINCIAL, _OF_ALL = Scene(knows=_filed(PortScope("sp1", PORT, "福建"))), Scene()
_SIGNED = Scene(
    han="您好，周末再见，谢谢您【甲银行】", latin=None, knows=_filed(Signature("sp1", "甲银行"))
)
_BOUND = replace(_SIGNED, knows=_filed(Signature("sp1", "甲银行", (PORT,))))
_ON_FILE = Scene(
    han="您好，张先生谢谢再会",
    latin="Dear customer goodbye",
    knows=_filed(
        Template("sp1", "T1", TemplateKind.COMMERCIAL, "您好，{1}谢谢再会"),
        Template("sp1", "T2", TemplateKind.COMMERCIAL, "Dear {1} goodbye"),
    ),
)
_SELLING = Scene(
    han="您好，限时特惠促销，谢谢", latin="Our flash sale: order now", senders=_SERVICE_PORT
)
_WITH_HINT = Scene(han="您好，新品到店，回TD退订", latin="New books are in. Reply STOP to opt out")

_LIKE_SPAM = replace(
    Scene(han="您好，请速来领奖，谢谢您", latin="Visit our casino, the last days"),
    knows=lambda: Knowledge(scorer=WordScorer({"领奖": PRIZE, "casino": PRIZE})),
)
_LIKE_A_BANK = replace(_UNSIGNED_HAN, han="您好，周末再见，谢谢您【假银行】")

RULES: Mapping[str, Stops] = {
    "R01 the sender": Stops(
        Reason.SENDER_STATE, Scene(senders=(sender(state=SenderState.SUSPENDED),)), Scene()
    ),
    "R02 the source": Stops(Reason.SOURCE_NOT_OWNED, Scene(source="95588"), Scene()),
    "R03 the extension": Stops(
        Reason.EXT_TOO_LONG, Scene(source=f"{PORT}12345"), Scene(source=f"{PORT}1234")
    ),
    "the destination": Stops(Reason.DESTINATION_INVALID, Scene(to="me"), Scene()),
    "R44 the sender's rate": Stops(Reason.RATE, replace(_SLOW, before=_TO_ANOTHER), Scene()),
    "R60 a word refused": Stops(
        Reason.CONTENT, Scene(han=f"请找我{SPAM}再见", latin="Call: free money now!"), Scene()
    ),
    "R60 a word to look at": Stops(
        Reason.CONTENT, Scene(han=f"请找我{DUBIOUS}再见", latin=None), Scene()
    ),
    "R60 a failing filter": Stops(Reason.CONTENT_UNCHECKED, Scene(filter_fails=True), Scene()),
    "R43 the number": _by(
        SourceSuspension(),
        Reason.SOURCE_SUSPENDED,
        Scene(knows=_suspended(int(PORT))),
        Scene(knows=_suspended(MSISDN)),
    ),
    "R04 the province": _by(OtherProvince(), OtherProvince.reason, _PROVINCIAL, _OF_ALL),
    "R05 the purpose": _by(
        PortMisuse(), Reason.PORT_MISUSE, _SELLING, replace(_SELLING, han=HAN, latin=LATIN)
    ),
    "R06 the signature's port": _by(
        SignatureSwitch(),
        SignatureSwitch.reason,
        replace(_BOUND, han="您好，周末再见，谢谢您【乙银行】"),
        _BOUND,
    ),
    "R12 the signature": _by(
        UnknownSignature(),
        UnknownSignature.reason,
        replace(_SIGNED, han="您好，周末再见，谢谢您【乙银行】", latin=LATIN),
        _SIGNED,
    ),
    "R12 no signature": _by(
        UnknownSignature(), UnknownSignature.reason, replace(_SIGNED, han=HAN, latin=LATIN), _SIGNED
    ),
    "R12 the template": _by(
        UnknownTemplate(), UnknownTemplate.reason, replace(_ON_FILE, han=HAN, latin=LATIN), _ON_FILE
    ),
    "R20 consent": _by(
        NoConsent(), NoConsent.reason, Scene(), Scene(knows=_consent(Answer.AGREED))
    ),
    "R21 the refusal": _by(
        OptOut(), Reason.OPTED_OUT, Scene(knows=_consent(Answer.REFUSED)), Scene()
    ),
    "R21 refusals unread": _by(
        OptOut(),
        Reason.CONSENT_UNCHECKED,
        Scene(knows=_consent(None, is_current=False)),
        Scene(),
    ),
    "R28 a walk": _by(
        NumberWalk(2, timedelta(minutes=10)),
        NumberWalk.reason,
        Scene(before=(advert(to=str(int(SUBSCRIBER) - 1)),)),
        Scene(),
    ),
    "R28 unknown numbers": _by(
        UnknownNumbers(0.5, timedelta(minutes=10), 1),
        UnknownNumbers.reason,
        Scene(knows=_answered(passed=1, unknown=1)),
        Scene(knows=_answered(passed=3, unknown=1)),
    ),
    "R30 the way out": _by(
        NoOptoutHint(), NoOptoutHint.reason, replace(_WITH_HINT, han=HAN, latin=LATIN), _WITH_HINT
    ),
    "R38 the name": _by(NoSenderName(), NoSenderName.reason, Scene(), _SIGNED),
    "R40 the hour": Stops(
        OutsideWindow.reason,
        _untimely(_CLOSED, Action.REJECT),
        _untimely(_OPEN, Action.REJECT),
        OutsideWindow,
    ),
    "R40 wait for the hour": Stops(
        OutsideWindow.reason,
        _untimely(_CLOSED, Action.DEFER),
        _untimely(_OPEN, Action.DEFER),
        OutsideWindow,
    ),
    "R42 too often": _by(
        _DAILY, TooOften.reason, Scene(before=(advert(),)), Scene(before=_TO_ANOTHER)
    ),
    "R42 no room to count": _by(
        _DAILY,
        Reason.FREQUENCY_UNCOUNTED,
        Scene(before=_TO_ANOTHER, surroundings=replace(BUNDLE.surroundings, capacity=1)),
        Scene(),
    ),
    "R44 the port's rate": _by(TooFast(0.001, 1), Reason.RATE, Scene(before=_TO_ANOTHER), Scene()),
    "R61 the link": _by(
        BadLink(block=("evil.com",)),
        BadLink.reason,
        Scene(han="您好，请看evil.com/x，谢谢您", latin="Please see http://evil.com/x now"),
        Scene(),
    ),
    "R61 the signature": _by(Impostor(("甲银行",)), Impostor.reason, _LIKE_A_BANK, _UNSIGNED_HAN),
    "R61 the contact": _by(
        ContactInText(frozenset({ContactKind.QQ})),
        ContactInText.reason,
        Scene(han="您好，请加QQ1234567，谢谢您", latin="Write to QQ 1234567 today"),
        Scene(),
    ),
    "R61 the classifier": _by(
        Suspicious(0.005),
        Reason.SUSPICIOUS,
        _LIKE_SPAM,
        replace(_LIKE_SPAM, han=HAN, latin=LATIN),
    ),
    "R61 no classifier": _by(
        Suspicious(0.005),
        Reason.CONTENT_UNCHECKED,
        replace(_LIKE_SPAM, knows=Knowledge),
        replace(_LIKE_SPAM, han=HAN, latin=LATIN),
    ),
    "R61 the campaign": _by(
        Campaign(1, timedelta(hours=1)),
        Reason.CAMPAIGN,
        Scene(),
        Scene(knows=_consent(Answer.AGREED)),
    ),
    "R50 the wish": _by(UserPreference(), Reason.USER_PREF, Scene(knows=_wishes), Scene()),
}
