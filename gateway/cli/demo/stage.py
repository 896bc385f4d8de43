"""Where the demo plays: a whole deployment in a temporary directory, on loopback."""

import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.directories import policies_directory
from gateway.settings.schema import Address
from gateway.terminal.deployment import Deployment, load_deployment
from simulators.traffic import PERSONAS, SPAM_PHRASES, OwnedPort, Persona

LOOPBACK = "127.0.0.1"
PASSWORD = "demo"  # noqa: S105 - the demo's own, on loopback, and shown to everyone
# The SP that the audience may be.
GUEST = Persona("guest", "观众", (OwnedPort("10690001", 4, "marketing"),))

_GATEWAY = """\
# The gateway of one demo.
version: 1
node: {{carrier: demo, province: demo}}
listeners:
  - {{name: plain, address: "{esme_side}"}}
smscs:
  - {{name: simulator, address: "{smsc_side}"}}
timers: {{drain_s: 5}}
store: {{url: "sqlite:///{directory}/var/smsward.db"}}
records: {{directory: "{directory}/var/cdr"}}
metrics: {{address: "{metrics}"}}
"""
_SENDERS = """\
# The SPs of one demo. A change is taken over at once.
version: 1
allow_plain_passwords: true
senders:
"""
_SENDER = """\
  - system_id: {system_id}
    password: "plain:{password}"
    name: {name}
    ports:
{ports}
    rate: {{per_s: {per_s}, burst: {burst}}}
    window: 100
"""
_PORT = '      - {{number: "{number}", extension_digits: {digits}, purpose: {purpose}}}'

# What the spammer of the demo says belongs to the demo, not to the shipped policy.
_KEYWORDS = """\
# What the spammer of this demo offers: {fate}. The action is reject, quarantine or shadow
# (recorded, forwarded all the same). Change it and save: it holds at once.{beside}
version: 1
id: {id}
category: demo
action: {action}
words: [{words}]
"""

_BESIDE = " fraud.yaml beside\n# this file holds one of the words as well, and goes on refusing it."
_RATES = {"spammer": (40, 80)}
_USUAL_RATE = (1000, 2000)


@dataclass(frozen=True, slots=True)
class Stage:
    """One demo's files and addresses."""

    directory: Path
    esme_side: Address
    metrics: Address

    @property
    def config(self) -> Path:
        """Return the directory of gateway.yaml and senders.yaml."""
        return self.directory / "config"

    @property
    def policies(self) -> Path:
        """Return the directory of the policy bundle, a copy that may be edited."""
        return self.directory / "policies"

    @property
    def keywords(self) -> Path:
        """Return the file with the words that the spammer is refused for."""
        return self.policies / "keywords" / "demo-reject.yaml"

    @property
    def log(self) -> Path:
        """Return the file that the gateway logs to."""
        return self.directory / "var" / "gateway.log"

    def load(self) -> Deployment:
        """Read the files back, as a gateway would."""
        return load_deployment(self.config, self.policies)


def build_stage(port: int, smsc_port: int) -> Stage:
    """Write all files into a new temporary directory; raise OSError where that fails.

    SPs bind at `port`, or at a free one when it is taken.
    """
    directory = Path(tempfile.mkdtemp(prefix="smsward-demo-"))
    stage = Stage(
        directory,
        Address(LOOPBACK, usable_port(port)),
        Address(LOOPBACK, usable_port(0)),
    )
    stage.config.mkdir()
    stage.log.parent.mkdir(mode=0o700)
    # Without the self-test, which knows nothing of the demo's own words and of what is tried.
    without_selftest = shutil.ignore_patterns("selftest.yaml")
    shutil.copytree(policies_directory(), stage.policies, ignore=without_selftest)
    _write_keywords(stage)
    gateway = _GATEWAY.format(
        esme_side=stage.esme_side,
        smsc_side=Address(LOOPBACK, smsc_port),
        metrics=stage.metrics,
        directory=directory,
    )
    (stage.config / "gateway.yaml").write_text(gateway, encoding="utf-8")
    senders = _SENDERS + "".join(map(_sender, (*PERSONAS.values(), GUEST)))
    (stage.config / "senders.yaml").write_text(senders, encoding="utf-8")
    return stage


def usable_port(wanted: int) -> int:
    """Return `wanted` if it is free, else another free port."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, wanted))
        except OSError:
            candidate.bind((LOOPBACK, 0))
        return int(candidate.getsockname()[1])


def _write_keywords(stage: Stage) -> None:
    """Add two lists to the bundle: of the spammer's offers every other one is held."""
    stage.keywords.parent.mkdir(exist_ok=True)
    for action, fate, beside, offers in (
        ("reject", "refused at once", _BESIDE, SPAM_PHRASES[::2]),
        ("quarantine", "held for a person", "", SPAM_PHRASES[1::2]),
    ):
        list_id, words = f"DEMO-{action.upper()}", ", ".join(offers)
        text = _KEYWORDS.format(fate=fate, beside=beside, id=list_id, action=action, words=words)
        stage.keywords.with_name(f"demo-{action}.yaml").write_text(text, encoding="utf-8")


def _sender(persona: Persona) -> str:
    per_s, burst = _RATES.get(persona.system_id, _USUAL_RATE)
    ports = (
        _PORT.format(number=port.number, digits=port.extension_digits, purpose=port.purpose)
        for port in persona.ports
    )
    return _SENDER.format(
        system_id=persona.system_id,
        password=PASSWORD,
        name=persona.name,
        ports="\n".join(ports),
        per_s=per_s,
        burst=burst,
    )
