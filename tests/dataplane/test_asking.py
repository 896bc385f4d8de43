"""Requests for consent on their way: handed over, then passed on as they came, or refused (R23)."""

from datetime import time

import pytest

from gateway.dataplane.attention import Answered, Ask, Hold
from gateway.dataplane.batch import Batch
from gateway.domain.consent import Answer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Port, Purpose
from gateway.policy.asking import ASKED, AWAY, UNKNOWN
from gateway.policy.knowledge import Knowledge
from gateway.policy.limits import Clock, Limit, Part
from gateway.policy.rules import Check, NotAgreed, NoWayOut, Refused, TooOften, Untimely
from gateway.policy.windows import Window, WindowSet
from gateway.smpp.commands import CommandId
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    PORT,
    SPAM,
    SUBSCRIBER,
    AT,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    outcomes,
    rule,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    unnumbered,
    up,
)
