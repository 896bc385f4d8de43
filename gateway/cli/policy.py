"""`smsward policy`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from gateway.cli.explain import explain_submit
from gateway.domain.policy import Enforcement
from gateway.terminal.options import (
    ALL_RECORDS,
    FLAG,
    LAST_DAY,
    LAST_WEEK,
    NO_REASON,
    USUAL_PLACES,
    AdviceOptions,
    AsJson,
    ConfigDirectory,
    Directories,
    HitOptions,
    ReloadOptions,
    ReplayOptions,
)

policy = App(
    name="policy",
    help="Check and compare policies, see which were in force (策略), and go back.",
    sort_key=4,
)


# Who works at a policy looks for it here.
policy.command(explain_submit, name="explain")


@policy.command
def check(
    directory: Annotated[Path | None, Parameter(name="DIR")] = None,
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Read one bundle, run its self-test, and print every fault as file:line:col.

    Without DIR it is the directory that `run` would take. The exit code is 2 when there is a
    fault.

    Example: smsward policy check policies.new
    """
    from gateway.cli.policy_bundles import check_policies
    from gateway.terminal.deployment import policies_of

    return check_policies(policies_of(directory, "DIR"), as_json=as_json)


@policy.command
def diff(
    old: Annotated[Path, Parameter(name="OLD")],
    new: Annotated[Path, Parameter(name="NEW")],
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Say what the bundle in one directory says otherwise than that in another.

    Lists and words that came and went, and settings that changed. Words are cut short on the
    screen and whole with --json. The exit code is 0, differences or not.

    Example: smsward policy diff policies policies.new
    """
    from gateway.cli.policy_bundles import diff_policies

    return diff_policies(old, new, as_json=as_json)


@policy.command
def rules(
    directory: Annotated[Path | None, Parameter(name="DIR")] = None,
    /,
    *,
    profile: Annotated[
        str | None, Parameter(help="As if bundle.yaml named this folder of profiles/.")
    ] = None,
    lang: Annotated[Literal["zh", "en"], Parameter(help="The language of the titles.")] = "en",
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool,
        FLAG,
        Parameter("--markdown", help="Print a page: all rules, and what each profile changes."),
    ] = False,
) -> int:
    """List every rule of a bundle: what asks for it, what it does, what the sender hears.

    Without DIR it is the directory that `run` would take.

    Example: smsward policy rules --lang zh
    """
    from gateway.cli.policy_bundles import list_rules, print_markdown
    from gateway.terminal.deployment import policies_of

    found = policies_of(directory, "DIR")
    if as_markdown:
        return print_markdown(found)
    return list_rules(found, profile, lang, as_json=as_json)


Policies = Annotated[
    Path | None, Parameter(name="--policies", help="The directory of bundle.yaml.")
]
OfSender = Annotated[
    str, Parameter(name="--sender", show_default=False, help="For this SP alone, by system_id.")
]
RuleId = Annotated[str, Parameter(name="RULE")]


@policy.command
def posture(
    name: Annotated[str | None, Parameter(name="NAME")] = None,
    /,
    *,
    policies: Policies = None,
    as_json: AsJson = False,
) -> int:
    """Choose how much of what looks like spam is stopped: watch, balanced or strict.

    watch records only; balanced holds what is spam at one false alarm in a thousand innocent
    texts; strict at one in a hundred. It is written to local.d/bundle.yaml. Without NAME: print
    which there are, and which is in force.

    Example: smsward policy posture strict
    """
    from gateway.cli.policy_bundles import choose_posture
    from gateway.terminal.deployment import own_policies_of, policies_of

    found = own_policies_of(policies) if name else policies_of(policies)
    return choose_posture(found, name, as_json=as_json)


@policy.command
def enforce(
    rule: RuleId,
    /,
    *,
    sender: OfSender = "",
    policies: Policies = None,
    as_json: AsJson = False,
) -> int:
    """Let a rule stop messages. It is written to local.d/rules/modes.yaml.

    `smsward policy replay` tells first, from records, what it would stop.

    Example: smsward policy enforce R61-link

    Example: smsward policy enforce R61-link --sender sp1
    """
    return _choose_mode(rule, Enforcement.ENFORCE, sender, policies, as_json=as_json)


@policy.command
def shadow(
    rule: RuleId,
    /,
    *,
    sender: OfSender = "",
    policies: Policies = None,
    as_json: AsJson = False,
) -> int:
    """Let a rule record only what it would stop. It is written to local.d/rules/modes.yaml.

    Example: smsward policy shadow R61-model
    """
    return _choose_mode(rule, Enforcement.SHADOW, sender, policies, as_json=as_json)


@policy.command
def off(
    rule: RuleId,
    /,
    *,
    sender: OfSender = "",
    policies: Policies = None,
    as_json: AsJson = False,
) -> int:
    """Ask a rule no more. It is written to local.d/rules/modes.yaml.

    Example: smsward policy off R61-contact --sender sp1
    """
    return _choose_mode(rule, Enforcement.OFF, sender, policies, as_json=as_json)


def _choose_mode(
    rule: str, mode: Enforcement, sender: str, policies: Path | None, *, as_json: bool
) -> int:
    from gateway.cli.policy_bundles import choose_mode
    from gateway.terminal.deployment import own_policies_of

    return choose_mode(own_policies_of(policies), rule, mode, sender, as_json=as_json)


@policy.command
def schema(
    *,
    file: Annotated[
        Literal["bundle", "rules", "replies", "keywords", "content", "selftest", "detectors"],
        Parameter(help="Which kind of file."),
    ] = "rules",
    partial: Annotated[
        bool, FLAG, Parameter(help="For files of profiles and local.d, which add.")
    ] = False,
) -> int:
    """Print the JSON Schema of a kind of file, which editors check and complete YAML by.

    The shipped files name theirs in their first line, as yaml-language-server reads it.

    Example: smsward policy schema --file rules
    """
    from gateway.cli.policy_bundles import print_schema
    from gateway.settings.bundles.bundle import BundlePart

    return print_schema(BundlePart(file), partial=partial)


@policy.command
def replay(
    directory: Annotated[Path | None, Parameter(name="DIR")] = None,
    /,
    *,
    replayed: ReplayOptions = ALL_RECORDS,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Judge recorded traffic again, and say which verdicts the bundle in DIR would change.

    By rule, by action and by SP, with a few places in the records, and how many records could
    not be judged again. Answers, preferences and filings count as they stand in the store now;
    rates are not asked, frequencies count by the times of the records. With --old two bundles
    judge the same records, so that only what they say makes a difference. Without DIR it is
    the directory that `run` would take. The exit code is 0, changes or not.

    Example: smsward policy replay policies.new --since 2013-11-04 --old policies
    """
    from gateway.cli.policy_replay import replay_policies
    from gateway.terminal.deployment import config_of, policies_of

    directories = (config_of(config), policies_of(directory, "DIR"))
    return replay_policies(*directories, replayed, as_json=as_json)


@policy.command
def hits(
    *, asked: HitOptions = LAST_DAY, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Count in the records what each rule and list found, would have stopped, and stopped.

    By SP and port, with ids of some messages; numbers are masked. With --rule: its SPs, ports and
    messages, which `smsward records show DIR --message-id ID` tells all of.

    Example: smsward policy hits --since 7d

    Example: smsward policy hits --rule R61-link --sender shop --json
    """
    from gateway.cli.policy_hits import show_hits
    from gateway.terminal.deployment import load_settings

    return show_hits(load_settings(config), asked, as_json=as_json)


@policy.command
def advise(
    *,
    asked: AdviceOptions = LAST_WEEK,
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Propose from records which rules in shadow mode to enforce, and print the commands for it.

    For each rule it tells what the rule found, what it would have stopped, by SP, and how far rules
    in force and people agree. It changes nothing.

    Example: smsward policy advise --since 7d

    Example: smsward policy advise --json
    """
    from gateway.cli import policy_advice
    from gateway.terminal.deployment import load_settings, policies_of

    settings = load_settings(directories.config)
    found = policies_of(directories.policies)
    return policy_advice.advise(settings, found, asked, as_json=as_json)


@policy.command
async def history(
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show which policies were in force from when on, and who put them there.

    Example: smsward policy history --limit 10
    """
    from gateway.cli.policy_versions import show_history
    from gateway.terminal.deployment import load_settings

    return await show_history(load_settings(config), limit, as_json=as_json)


@policy.command
async def rollback(
    number: Annotated[int, Parameter(name="N")],
    /,
    *,
    wish: ReloadOptions = NO_REASON,
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Put the files of version N of the history back, and have the gateway load them.

    A directory with changes that were never in force is left alone, unless --force is given.
    The exit code is 1 when the gateway refuses, or does not answer in time; the files are
    back then all the same.

    Example: smsward policy rollback 12 --note "K-LOAN held honest banks"
    """
    from gateway.cli.policy_versions import roll_back
    from gateway.terminal.deployment import load_settings, own_policies_of, warn_of_one_person

    policies = own_policies_of(directories.policies)
    settings = load_settings(directories.config)
    code = await roll_back(settings, policies, number, wish, as_json=as_json)
    warn_of_one_person(directories.config, "switch_rule_off")
    return code


@policy.command
async def reload(
    *, wish: ReloadOptions = NO_REASON, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Have the running gateway load its policies and senders, and say what became of it.

    With --force a keyword list may lose more than half of its words, the bundle more than
    half of its rules, and a rule may be enforced no more, which is refused otherwise: a
    half-written export looks just like that. The exit code is 1 when the gateway refuses, or
    does not answer in time.

    Example: smsward policy reload --force --note "gambling list split in two"
    """
    from gateway.cli.policy_versions import reload_policies
    from gateway.terminal.deployment import load_settings

    return await reload_policies(load_settings(config), wish, as_json=as_json)
