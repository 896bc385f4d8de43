"""The work of `smsward check`: all faults, or what the files come to."""

from collections.abc import Iterable
from pathlib import Path

from gateway.cli.deployment import Deployment, load_deployment
from gateway.cli.failure import ExitCode
from gateway.cli.screen import print_fields, print_json, say, warn
from gateway.domain.policy import Bundle
from gateway.domain.sender import Sender
from gateway.settings.check import check
from gateway.settings.fault import Fault


def check_deployment(config: Path, policies: Path, *, as_json: bool) -> int:
    """Print the faults of a deployment, else a summary; return the exit code."""
    faults = check(config, policies)
    if faults:
        report_faults(faults, as_json=as_json)
        return ExitCode.MISUSED
    deployment = load_deployment(config, policies)
    summary = summary_of(deployment)
    warnings = tuple(warnings_of(deployment.senders.values(), deployment.bundle))
    if as_json:
        print_json({"ok": True, "faults": [], **summary, "warnings": warnings})
        return ExitCode.FINE
    read = {"configuration": str(config), "policies": str(policies)}
    print_fields((name, str(value)) for name, value in (read | summary).items())
    for warning in warnings:
        warn(warning)
    return ExitCode.FINE


def summary_of(deployment: Deployment) -> dict[str, object]:
    """Return what the files come to, by name."""
    settings, bundle = deployment.settings, deployment.bundle
    return {
        "listeners": ", ".join(str(listener.address) for listener in settings.listeners),
        "smscs": ", ".join(str(smsc.address) for smsc in settings.smscs),
        "senders": len(deployment.senders),
        "ports": sum(len(sender.ports) for sender in deployment.senders.values()),
        **bundle_summary_of(bundle),
    }


def bundle_summary_of(bundle: Bundle) -> dict[str, object]:
    """Return what the policies alone come to, by name."""
    return {
        "bundle": bundle.name,
        "lists": len(bundle.keyword_lists),
        "words": sum(len(words.words) for words in bundle.keyword_lists),
        "cases": len(bundle.selftest),
        "digest": bundle.digest,
    }


def warnings_of(senders: Iterable[Sender], bundle: Bundle) -> Iterable[str]:
    """Yield what is allowed and yet should not be overlooked."""
    if bundle.is_open:
        yield f"OPEN POLICY: the bundle {bundle.name} can stop nothing, every message is forwarded"
    plain = sum(sender.password.startswith("plain:") for sender in senders)
    if plain:
        yield (
            f"PLAIN PASSWORDS: {plain} senders have theirs written out;"
            " smsward sender hash-password makes a hash"
        )


def report_faults(faults: tuple[Fault, ...], *, as_json: bool) -> None:
    """Print faults, one a line, or as JSON."""
    if as_json:
        listed = [
            {
                "path": str(fault.path),
                "line": fault.line,
                "column": fault.column,
                "problem": fault.problem,
            }
            for fault in faults
        ]
        print_json({"ok": False, "faults": listed})
        return
    for fault in faults:
        say(str(fault))
