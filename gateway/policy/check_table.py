"""The function for each check, and the counter for each check that counts: one line each."""

# ruff: noqa: C901, PLR0911 - two tables

from gateway.filter import display_order
from gateway.filter.scan import Learnt
from gateway.policy.bundle import RuleLocale
from gateway.policy.checks import (
    answers,
    consent,
    content,
    filings,
    preferences,
    suspensions,
    texts,
    times,
)
from gateway.policy.checks.counter import Counter
from gateway.policy.checks.counts import Often
from gateway.policy.checks.port_rate import PortRate
from gateway.policy.checks.walks import Walks
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import (
    BadLink,
    Campaign,
    Check,
    ContactGiven,
    Impostor,
    Nameless,
    NotAgreed,
    NoWayOut,
    NumberWalk,
    OtherProvince,
    PurposeMissed,
    Refused,
    SignatureNotFiled,
    SignatureSwitched,
    Suspended,
    Suspicious,
    TemplateNotFiled,
    TooFast,
    TooOften,
    UnknownNumbers,
    Untimely,
    Unwanted,
)


def counter_of(check: Check, knowledge: Knowledge, surroundings: RuleLocale) -> Counter | None:
    """Return the counter for `check`; None if it does not count."""
    match check:
        case TooOften():
            return Often(check, surroundings)
        case TooFast():
            return PortRate(check)
        case NumberWalk():
            return Walks(check)
        case Campaign():
            # Signs of texts are arrays: numpy takes longer to import than all of this.
            from gateway.policy.checks.campaigns import CampaignCheck  # noqa: PLC0415

            return CampaignCheck(check, knowledge)
        case _:
            return None


def question_of(check: Check, knowledge: Knowledge, surroundings: RuleLocale) -> tuple[Ask, Sieve]:
    """Return the function that asks `check`, and its sieve.

    Raises ValueError for a check that counts or exempts.
    """
    match check:
        case Suspended():
            asked = suspensions.suspended(check, knowledge)
            return asked, suspensions.perhaps_suspended(knowledge)
        case Refused():
            return consent.refused(check, knowledge), consent.perhaps_refused(knowledge)
        case NotAgreed():
            return consent.not_agreed(check, knowledge), consent.perhaps_not_agreed(knowledge)
        case Unwanted():
            asked = preferences.unwanted(check, knowledge, surroundings)
            return asked, preferences.perhaps_unwanted(knowledge)
        case Untimely():
            hours = times.Hours(check, surroundings)
            return hours.ask, hours.sieve
        case UnknownNumbers():
            unknowns = answers.Unknowns(check, knowledge)
            return unknowns.ask, unknowns.sieve
        case _:
            return _ask_of(check, knowledge), everyone


def _ask_of(check: Check, knowledge: Knowledge) -> Ask:
    match check:
        case PurposeMissed():
            return texts.purpose_missed(check)
        case NoWayOut():
            return texts.no_way_out(check)
        case Nameless():
            return texts.nameless(check)
        case OtherProvince():
            return filings.other_province(check, knowledge)
        case SignatureNotFiled():
            return filings.signature_not_filed(check, knowledge)
        case SignatureSwitched():
            return filings.signature_switched(check, knowledge)
        case TemplateNotFiled():
            return filings.template_not_filed(check)
        case BadLink():
            return content.bad_link(check)
        case Impostor():
            return content.impostor(check, knowledge)
        case ContactGiven():
            return content.contact_given(check)
        case Suspicious():
            return content.suspicious(check, knowledge)
        case _:
            raise ValueError("neither what counts nor what exempts asks in this way")


def learnt_for(checks: frozenset[type[Check]], knowledge: Knowledge) -> Learnt:
    """Return what must be found in each new text for rules with these `checks`."""
    scorer = knowledge.scorer if Suspicious in checks else None
    keeps_views = not checks.isdisjoint((BadLink, ContactGiven))
    if scorer is None and Campaign not in checks:
        return Learnt(keeps_views=keeps_views)
    # Importing compiled code takes longer than all of this.
    from gateway.filter.batch_views import views_of  # noqa: PLC0415
    from gateway.filter.fingerprints import fingerprints_of  # noqa: PLC0415

    display_order.prepare()
    prints = fingerprints_of if Campaign in checks else None
    return Learnt(scorer, prints, keeps_views, views_of)
