"""Makes the plan of a rollback: services go back to the last good version before the one that runs, or to a named one.

The image is found by its id, and what is known of its configuration comes with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import as_of_now, in_order
from tonnage.decide.deploy.followers import follow_steps, following, with_followers_back
from tonnage.decide.deploy.ownership import adopt_steps
from tonnage.decide.deploy.planning import asked_for, contexts_of, finish_plan
from tonnage.decide.deploy.restore import keep_step, switch_to, switch_to_image, way_back
from tonnage.decide.deploy.rolling import roll_to, rolls_to
from tonnage.decide.deploy.switching import in_its_place, new_version
from tonnage.decide.deploy.versions import next_number, running_version
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.deploy.image_names import read_version_name, version_name
from tonnage.model.deploy.plan import Keep, Purpose, RemoveImage, Rename, Tag, Unchanged, Untag
from tonnage.model.forecast.estimate import RECORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Plan, Step, Switch, Version
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.deploy.versions import KnownVersion
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack


class _Held(Unchanged, frozen=True, kw_only=True):
    """A service that has an earlier version which cannot be had back."""


_VERSION = regex(r"v?(?P<number>[0-9]{1,9})")
_SEE = "See which versions there are:\n  tonnage rollback --list"


def plan_rollback(
    stack: Stack, inventory: Inventory, policy: Policy, history: History, services: Sequence[str] = (), to: str = ""
) -> Plan:
    """Plan a rollback.

    Args:
        stack: The stack; how a version is configured comes from what is known of it, else from here.
        services: Only these; empty for all that have an earlier version and do not run to their end.
        to: The version that is gone back to, such as ``v3``; empty for the last good one before the one that runs.

    Returns:
        The plan. Services without an earlier good version, or whose image is gone, are left alone with the reason.

    Raises:
        UsageError: An unknown service or version, a dependency cycle, a line that leaves nothing, or a service or
            version that was named and cannot be gone back to. Or no service can go back, and one of them has a version
            whose secrets or configs held something else.
    """
    steps: list[Step] = adopt_steps(stack, inventory, adopt=policy.adopt)
    unchanged: list[Unchanged] = []
    contexts = contexts_of(stack, inventory, policy, history)
    back: dict[str, list[Step]] = {}
    number = next_number(stack, inventory, history)
    # Dependents go back before what they depend on, so that none runs on an older dependency than it was proven with.
    wanted = [contexts[service.name] for service in reversed(in_order(stack, asked_for(stack, services)))]
    for each in _with_version(wanted, to) if to else wanted:
        context, name = replace(each, number=number), each.service.name
        left = None if services or to else _left_ended(context)
        found = left if left is not None else _own_steps(context, history, to)
        if isinstance(found, Unchanged):
            unchanged.append(found)
            continue
        number = 1 + max(step.version.number for step in found if step.version is not None)
        back[name] = with_followers_back(found, contexts, name)
    impossible = next((each for each in unchanged if each.service not in history.gone_back), None)
    # Who asks for a rollback and gets none for such a reason must not take it for done.
    held = None if back or services else next((each for each in unchanged if isinstance(each, _Held)), None)
    impossible = held or (impossible if services else None)
    if impossible is not None and not to:
        older = _older(contexts[impossible.service]) if isinstance(impossible, _Held) else ""
        other = (
            ""
            if held is not None
            else "Roll back every service that has an earlier good version:\n  tonnage rollback\n"
        )
        raise UsageError(
            f"{impossible.service} cannot be rolled back: {impossible.reason}",
            why="Nothing was changed.",
            todo=f"{older}{other}{_SEE}",
        )
    # Who lives in the containers of another one follows it: it goes back when these are there.
    late = {name for name in back if any(each.shares for each in stack.service(name).depends_on)}
    steps += [step for name, own in back.items() if name not in late for step in own]
    replaced = set(back) - late
    for name, context in contexts.items():
        why = following(context, replaced)
        follows = why is not None and bool(why.owners)
        if name in late:
            steps += back[name]
        elif why is not None and follows:
            steps += follow_steps(context, why)
        if name in late or follows:
            replaced.add(name)
    followed = {step.service for step in steps}
    unchanged = [each for each in unchanged if each.service not in followed]
    return finish_plan(Purpose.ROLLBACK, stack, inventory, policy, history, services, steps, unchanged)


def _with_version(contexts: Sequence[ServiceContext], to: str) -> list[ServiceContext]:
    """Return the service that has the version; its number is unique in the stack."""
    found = _VERSION.fullmatch(to.strip())
    number = int(found["number"]) if found else 0
    mine = [context for context in contexts if any(known.number == number > 0 for known in context.versions)]
    if not mine:
        whose = contexts[0].service.name if len(contexts) == 1 else contexts[0].stack.name
        raise UsageError(f"there is no version {to!r} of {whose}", todo=_SEE)
    return mine[:1]


def _named(context: ServiceContext, to: str) -> KnownVersion:
    number = int(to.strip().removeprefix("v"))
    known = next(each for each in context.versions if each.number == number)
    if known.image is None:
        raise UsageError(
            f"{context.service.name} cannot go back to {known.name}: its image is gone",
            why="Nothing was changed.",
            todo=_SEE,
        )
    return known


def _current(context: ServiceContext) -> KnownVersion | None:
    """Return the good version that is gone back from: the one that runs; where its containers have ended, theirs."""
    if context.change.running or context.was_being_replaced:
        return context.runs
    ended = context.inventory.service_containers(context.stack.name, context.service.name)
    return running_version(context.versions, ended[0], context.inventory) if ended else None


def _earlier(context: ServiceContext) -> tuple[KnownVersion, ...]:
    current = _current(context)
    if current is None:
        return context.good
    return context.good[: context.good.index(current)]


def _target(context: ServiceContext) -> KnownVersion | None:
    """Return the last version before the one that runs which the engine has, and which is another one."""
    running = context.change.running_image
    for known in reversed(_earlier(context)):
        # Of the same image without what it was configured with there is nothing to go back to.
        if known.image is not None and (known.version is not None or known.image != running):
            return known
    # What has ended and has nothing before it is better than nothing.
    ended = None if context.change.running else _current(context)
    return ended if ended is not None and ended.image is not None else None


def _left_ended(context: ServiceContext) -> Unchanged | None:
    """Return why a service that runs to its end is left alone: what it did is done, whatever runs."""
    if not context.service.settings.one_shot or _target(context) is None:
        return None
    name = context.service.name
    return Unchanged(
        service=name,
        reason=f"it runs to its end, and its earlier version would run once more: tonnage rollback {name} does that",
    )


def _own_steps(context: ServiceContext, history: History, to: str) -> list[Step] | Unchanged:
    """Return the steps of one service, or why it is left alone."""
    name = context.service.name
    if not to and (reached := _reached(context)) is not None:
        return _finish_steps(context, reached)
    if not to and name in history.gone_back and context.runs is not None:
        return Unchanged(service=name, reason=f"it went back to {context.runs.name} in the run before")
    target = _named(context, to) if to else _target(context)
    if target is None:
        return Unchanged(service=name, reason=_why_none(context))
    if context.runs == target:
        return Unchanged(service=name, reason=f"it runs {target.name} already")
    version, held = as_of_now(context.stack, context.service, target.usable) if target.usable else (None, "")
    if held and context.change.running_image == target.image and _is_configured(context, version):
        why = f"{target.name} differs only by the contents of its secrets and configs, which are not stored"
        return _Held(service=name, reason=f"{why}: put that back, and deploy")
    return _steps(context, target, version, held)


def _older(context: ServiceContext) -> str:
    """Return how to go back further than to the last version, with what secrets hold now; empty where that is none."""
    for known in reversed(_earlier(context)):
        version = as_of_now(context.stack, context.service, known.usable)[0] if known.usable else None
        same = known.image == context.change.running_image and _is_configured(context, version)
        if version is not None and known.number and not same:
            return (
                f"Go back further, with what its secrets and configs hold now:\n  tonnage rollback --to {known.name}\n"
            )
    return ""


def _is_configured(context: ServiceContext, version: Version | None) -> bool:
    return version is not None and all(each.config_digest == version.config_digest for each in context.change.running)


def _reached(context: ServiceContext) -> KnownVersion | None:
    """Return the version that runs where a rollback reached it and was killed before it said so; None elsewhere.

    What it rolled away from is withdrawn before the containers are replaced, and is newer than what runs: than the
    name that this had before, which goes only when it has another one.
    """
    runs = context.runs
    if runs is None:
        return None
    stack, service = context.stack.name, context.service.name
    names = (read_version_name(stack, service, each) for each in (*runs.references, *runs.records))
    first = min((name.number for name in names if name is not None), default=runs.number)
    return runs if any(known.withdrawn and known.number > first for known in context.versions) else None


def _finish_steps(context: ServiceContext, reached: KnownVersion) -> list[Step]:
    """Return the steps that are left of a rollback which was killed after its switch-over."""
    version = reached.usable or replace(new_version(context), image_id=reached.image.image_id if reached.image else "")
    switch = switch_to(context, version) if reached.usable else switch_to_image(context, version.image_id)
    named = context.step(
        "switch",
        switch,
        cause="a rollback ended while its containers were replaced",
        changes=f"replaces the containers of {context.service.name}",
    )
    return [
        *([named] if context.was_being_replaced or len(context.change.running) > version.prove.replicas else []),
        context.step(
            "prove",
            version.prove,
            cause="a rollback ended before it had proven it again",
            changes="health check (changes nothing)",
        ),
        *_good_again(context, reached, version, context.number),
    ]


def _good_again(
    context: ServiceContext, target: KnownVersion, version: Version, number: int, withdrawn: Sequence[KnownVersion] = ()
) -> list[Step]:
    name = version_name(number, version.config_digest)
    gone = tuple(known.version for known in withdrawn if known.version is not None)
    steps = [replace(keep_step(context, version, "it is healthy again", name), withdraw=gone)]
    if target.references:
        steps.append(
            context.step(
                f"forget-{target.name}",
                RemoveImage(image=version.image_id, references=target.references, records=target.records),
                cause=f"it is v{name.number} now",
                changes=f"untags {', '.join(target.references)}",
                kept=RECORDS,
            )
        )
    return steps


def _why_none(context: ServiceContext) -> str:
    if any(known.image is None for known in _earlier(context)):
        return "the images of its earlier versions are gone"
    return "no earlier good version is known"


def _steps(context: ServiceContext, target: KnownVersion, version: Version | None, held: str) -> list[Step]:
    service, current = context.service, _current(context)
    running = context.change.running
    version = version or replace(new_version(context), image_id=target.image.image_id if target.image else "")
    switch = switch_to(context, version) if target.usable else switch_to_image(context, version.image_id)
    configured = "" if target.usable else ", with the present configuration: its own is not known"
    if held:
        configured = f", with {held}: their earlier contents are not stored"
    mark = _mark(context)
    withdrawn = [
        known for known in context.good if known != target and (known.number > target.number or known == current)
    ]
    # First, so that whatever becomes of this run the next one knows which way it went.
    withdraw = _withdraw(context, withdrawn)
    names = (*_unmark(context, mark), *_give_back(context, withdraw))
    back = way_back(context) if running else ()
    # Its names are given back before it is written down by which containers it runs.
    undo = tuple(sorted((*back, *names), key=lambda step: isinstance(step.action, Keep)))
    cause = f"rollback to {target.name}{configured}"
    good = _good_again(context, target, version, context.number + len(mark), withdrawn)
    if rolls_to(context, switch.project["services"][service.name]):
        names = (*_name_back(context, switch), *names)
        rolling = f"{cause}; rolling, as x-tonnage.switch says"
        over = roll_to(context, switch, version.prove, cause=rolling, names=names, back=undo)
        return [*mark, *withdraw, *over, *good]
    return [
        *mark,
        *withdraw,
        context.step(
            "switch",
            switch,
            cause=cause,
            changes=f"{'replaces' if running else 'starts'} the containers of {service.name}",
            on_failure=undo,
        ),
        in_its_place(context, version.prove, undo),
        *good,
    ]


def _name_back(context: ServiceContext, switch: Switch) -> list[Step]:
    """Return the step that gives the name which a rolling switch moves back to the image that has it now."""
    current = context.inventory.image(switch.image_name) if switch.image else None
    if current is None:
        return []
    return [
        context.step(
            "name-back",
            Tag(image=current.image_id, reference=switch.image_name),
            cause="the name moved before the earlier version was proven",
            changes=f"tags the image that runs {switch.image_name} again",
        )
    ]


def _mark(context: ServiceContext) -> list[Step]:
    """Return the step that names what runs as rolled away from, where it has no name of ours: its own may move."""
    image, running = context.change.running_image, context.change.running
    marked = any(known.withdrawn and known.references and known.image == image for known in context.versions)
    if image is None or marked or (context.runs is not None and context.runs.references):
        return []
    name = version_name(context.number, running[0].config_digest)
    reference = replace(name, withdrawn=True).reference(context.stack.name, context.service.name)
    return [
        context.step(
            "withdraw-what-runs",
            Tag(image=image.image_id, reference=reference),
            cause="until the next deploy it can still be looked at",
            changes=f"tags it {reference}",
        )
    ]


def _unmark(context: ServiceContext, mark: Sequence[Step]) -> list[Step]:
    return [
        context.step(
            "undo-withdraw",
            Untag(reference=step.action.reference),
            cause="it was not rolled back",
            changes=f"untags {step.action.reference}",
        )
        for step in mark
        if isinstance(step.action, Tag)
    ]


def _withdraw(context: ServiceContext, gone: Sequence[KnownVersion]) -> list[Step]:
    """Return the step that says of versions that they were rolled away from, where they have names."""
    stack, service = context.stack.name, context.service.name
    pairs = tuple(
        (reference, replace(name, withdrawn=True).reference(stack, service))
        for known in gone
        for reference in (*known.references, *known.records)
        if (name := read_version_name(stack, service, reference)) is not None
    )
    if not pairs:
        return []
    return [
        context.step(
            "withdraw",
            Rename(names=pairs),
            cause="the next deploy must not bring it back silently",
            changes=f"tags {', '.join(known.name for known in gone)} withdrawn",
        )
    ]


def _give_back(context: ServiceContext, withdraw: Sequence[Step]) -> list[Step]:
    return [
        context.step(
            "undo-withdrawn",
            Rename(names=tuple((new, old) for old, new in step.action.names)),
            cause="they were not rolled back",
            changes="gives good versions their names again",
        )
        for step in withdraw
        if isinstance(step.action, Rename)
    ]
