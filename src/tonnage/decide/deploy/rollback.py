"""Makes the plan of a rollback: every service goes back to its last good version before the one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import in_order
from tonnage.decide.deploy.followers import follow_steps, following, with_followers_back
from tonnage.decide.deploy.planning import asked_for, contexts_of, finish_plan
from tonnage.decide.deploy.restore import recorded_version, restore_steps, switch_to, there
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Purpose, Tag, Unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Plan, Step, Version
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack


def plan_rollback(
    stack: Stack, inventory: Inventory, policy: Policy, history: History, services: Sequence[str] = ()
) -> Plan:
    """Plan a rollback.

    Args:
        stack: The stack; only its names matter: what is gone back to comes from the history.
        services: Only these; empty for all that have an earlier version.

    Returns:
        The plan. Services without an earlier good version, or whose image is gone, are left alone with the reason.

    Raises:
        UsageError: An unknown service, a dependency cycle, a line that leaves nothing, or a service that was named and
            has nothing to go back to.
    """
    steps: list[Step] = []
    unchanged: list[Unchanged] = []
    contexts = contexts_of(stack, inventory, policy, history)
    back: dict[str, list[Step]] = {}
    # Dependents go back before what they depend on, so that none runs on an older dependency than it was proven with.
    for service in reversed(in_order(stack, asked_for(stack, services))):
        context = contexts[service.name]
        current = _current(context)
        target = _target(context, current)
        if target is None:
            unchanged.append(Unchanged(service=service.name, reason=_why_none(context, current)))
        else:
            back[service.name] = with_followers_back(_steps(context, current, target), contexts, service.name)
    if services and unchanged:
        raise UsageError(
            f"{unchanged[0].service} cannot be rolled back: {unchanged[0].reason}",
            why="Nothing was changed.",
            todo="Roll back every service that has an earlier good version:\n  tonnage rollback",
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


def _current(context: ServiceContext) -> Version | None:
    """The recorded version that runs; None when what runs was never recorded, or nothing runs."""
    return recorded_version(context, context.change.running[0]) if context.change.running else None


def _earlier(context: ServiceContext, current: Version | None) -> tuple[Version, ...]:
    versions = context.history.versions_of(context.service.name)
    if current is None:
        return versions
    # The same version may have been recorded again by a later deploy; what counts is its latest record.
    last = max(i for i, version in enumerate(versions) if _is(version, current))
    return tuple(version for version in versions[:last] if not _is(version, current))


def _is(version: Version, other: Version | None) -> bool:
    return other is not None and (version.image_id, version.config_digest) == (other.image_id, other.config_digest)


def _target(context: ServiceContext, current: Version | None) -> Version | None:
    for version in reversed(_earlier(context, current)):
        found = there(context, version)
        if found is not None and not _is(found, current):
            return found
    return None


def _why_none(context: ServiceContext, current: Version | None) -> str:
    if _earlier(context, current):
        return "the images of its earlier versions are gone"
    return "no earlier good version is known"


def _steps(context: ServiceContext, current: Version | None, target: Version) -> list[Step]:
    service, running = context.service, context.change.running_image
    steps = []
    if running is not None and running.image_id != target.image_id and service.build is not None:
        steps.append(
            context.step(
                "keep-withdrawn",
                Tag(image=running.image_id, reference=context.withdrawn),
                cause="until the next deploy it can still be looked at",
                changes=f"tags it {context.withdrawn}",
            )
        )
    undo = () if current is None else restore_steps(context, current)
    steps += [
        context.step(
            "switch",
            switch_to(target),
            cause="rollback to the good version before the one that runs",
            changes=f"{'replaces' if context.change.running else 'starts'} the containers of {service.name}",
            on_failure=undo,
        ),
        context.step(
            "prove",
            target.prove,
            cause="a version is good only when it is healthy in its place",
            changes="nothing: asks whether it is healthy",
            withdraw=current,
            on_failure=undo,
        ),
    ]
    return steps
