"""Rule sets to judge by, and messages to be judged."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, time

from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Sender
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from tests.policy.conftest import BUNDLE, rule, sender

HOUR_S = 3600.0
MIDNIGHT = datetime.fromisoformat("2013-09-10T00:00:00+08:00").timestamp()
DAYTIME = rule("R40", OutsideWindow(WindowSet((Window(time(8), time(21)),))), action=Action.DEFER)
PORT_RATE = rule("R44", TooFast(per_s=0.001, burst=1), action=Action.THROTTLE)
REFUSALS = replace(BUNDLE, rules=(rule("R21", OptOut()),))
ON_TRIAL = replace(BUNDLE, rules=(rule("R21", OptOut(), mode=Enforcement.SHADOW),))


def rules(
    bundle: Bundle = BUNDLE,
    senders: Iterable[Sender] | None = None,
    knowledge: Knowledge | None = None,
    before: RuleSet | None = None,
) -> RuleSet:
    listed = senders if senders is not None else [sender()]
    return RuleSet(bundle, listed, knowledge or Knowledge(), before)


def message(
    compiled: RuleSet,
    source: bytes = b"10690001",
    destination: bytes = b"13800138000",
    units: int = 1,
) -> Submission:
    return Submission(compiled.accounts["sp1"], source, destination, units)


def refusing(*numbers: int) -> Knowledge:
    known = Knowledge()
    known.consent.load("sp1", Answer.REFUSED, numbers)
    return known


def judged(
    compiled: RuleSet, *texts: str, source: bytes = b"10690001", at: float = 0.0
) -> Submission:
    """Judge a message as the data plane does."""
    one = message(compiled, source)
    if compiled.judge_address(one, at):
        compiled.judge_text(one, compiled.scan.judge_texts(texts), at)
    return one
