"""Makes the plan of a deploy or of a build: which steps, in which order, each with its cause.

The policy is one service at a time, dependencies first. The steps of one service are in
:mod:`tonnage.decide.deploy.service_steps`; this module chooses services, adds expectations and says when a plan is
refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tonnage.decide.deploy.changes import change_of, config_digest, in_order, stands_below, with_builds_below
from tonnage.decide.deploy.expectations import reserve_bytes, why_not_fit, with_expectations
from tonnage.decide.deploy.followers import follow_steps, following, with_followers_back
from tonnage.decide.deploy.needed import check_needed
from tonnage.decide.deploy.networks.attachments import notes_of_volumes
from tonnage.decide.deploy.networks.renewal import renewal, split
from tonnage.decide.deploy.orphans import check_ports, orphan_notes, orphan_steps
from tonnage.decide.deploy.ownership import adopt_steps
from tonnage.decide.deploy.pulls import check_image_comes, notes_of_pulls
from tonnage.decide.deploy.reclaim_steps import with_reclaim_steps
from tonnage.decide.deploy.rolling import check_rolling
from tonnage.decide.deploy.service_context import ServiceContext
from tonnage.decide.deploy.service_steps import build_steps, deploy_steps, pull_step, settled_steps
from tonnage.decide.deploy.together import Part, in_turn, undoing_all
from tonnage.decide.deploy.verdict import with_need
from tonnage.decide.deploy.versions import known_versions, next_number
from tonnage.decide.deploy.withdrawn import refuse_withdrawn
from tonnage.decide.share.steps import with_shared_images
from tonnage.errors import UsageError
from tonnage.model.deploy.image_names import own_names
from tonnage.model.deploy.plan import PLAN_FORMAT, Plan, Prove, Purpose, SendFiles, Step, Switch, Unchanged
from tonnage.model.deploy.policy import Together
from tonnage.model.deploy.rolling import Retire
from tonnage.model.forecast.estimate import exactly
from tonnage.model.unknowns import few_inodes, unknowns
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.decide.deploy.changes import Change
    from tonnage.decide.deploy.networks.renewal import Renewal
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service, Stack


def services_to_get(
    purpose: Purpose, stack: Stack, inventory: Inventory, services: Sequence[str] = ()
) -> tuple[tuple[Service, Change], ...]:
    """Return the services whose images a plan will build or pull, in that order, each with what changes.

    Raises:
        UsageError: An unknown service or a dependency cycle.
    """
    if purpose is Purpose.ROLLBACK:
        return ()
    found = [(each, change_of(stack, each, inventory)) for each in worked_on(purpose, stack, inventory, services)]
    pulls = purpose is Purpose.DEPLOY
    return tuple((service, change) for service, change in found if change.build or (pulls and change.pull))


def plan_deploy(
    stack: Stack,
    inventory: Inventory,
    policy: Policy,
    history: History,
    services: Sequence[str] = (),
    builds: Mapping[str, ExpectedBuild] | None = None,
) -> Plan:
    """Plan a deploy.

    Args:
        services: Only these, and those of their dependencies that do not run; empty for all.
        builds: What builds were forecast to do, by service; None where nothing was forecast.

    Returns:
        The plan; it has no steps when nothing changed, and a refusal when it cannot fit.

    Raises:
        UsageError: An unknown service, a dependency cycle, a taken port, or a line that leaves nothing.
    """
    parts = [Part(steps=[*adopt_steps(stack, inventory, adopt=policy.adopt), *_sending(stack, inventory)])]
    unchanged: list[Unchanged] = []
    asked = {service.name for service in worked_on(Purpose.DEPLOY, stack, inventory, services)}
    anew = renewal(stack, inventory, contexts_of(stack, inventory, policy, history), asked)
    contexts = anew.contexts
    replaced: dict[str, tuple[Step, ...]] = {}
    held: list[Step] = []
    together, number = policy.rollback is Together.STACK, next_number(stack, inventory, history)
    for name, context in contexts.items():
        context = replace(context, number=number)  # noqa: PLW2901 - numbers are given in the order of the plan
        why, change = following(context, replaced), context.change
        if name in asked:
            check_image_comes(context)
        if name in asked and change.switch:
            refuse_withdrawn(context)
            check_rolling(stack, context.service)
            own, settled, back = _switched(context, anew, parts)
        elif why is not None:
            back, settled = next((replaced[owner] for owner in why.owners if why.recreate), ()), []
            own = follow_steps(context, why, back if policy.keep_versions else ())
        elif name in asked:
            own, back, settled = deploy_steps(context), (), []
            # What runs nowhere is there for others, which are built on its image.
            if change.build:
                own += build_steps(replace(context, policy=replace(policy, push=False, cleanup_after=False)))[0]
            elif change.pull:
                own.append(pull_step(context))
            else:
                unchanged.append(Unchanged(service=name, reason=_state(change)))
        else:
            continue
        if together:
            own = undoing_all(own, back, [undo for each, undo in replaced.items() if undo is not back])
            held += settled
        if (name in asked and change.switch) or why is not None:
            replaced[name] = back
        parts.append(Part(steps=own, settled=() if together else settled, back=back))
        number = max((number, *(step.version.number + 1 for step in (*own, *settled) if step.version is not None)))
    steps = [*in_turn(parts), *held]
    started = asked - {each.service for each in unchanged}
    turns = [step.service for step in steps if isinstance(step.action, Switch)]
    check_ports(stack, inventory, started, turns, remove_orphans=policy.remove_orphans)
    orphans = orphan_steps(stack, inventory, started) if policy.remove_orphans else ([], [])
    left = () if policy.remove_orphans else tuple(orphan_notes(stack, inventory))
    steps = [*orphans[0], *steps, *orphans[1]]
    built = {name for name in asked if contexts[name].change.build}
    notes = check_needed(stack, inventory, started, built)
    plan = finish_plan(Purpose.DEPLOY, stack, inventory, policy, history, services, steps, unchanged, builds)
    meant = [context for name, context in contexts.items() if name in asked]
    notes = (*notes, *left, *notes_of_pulls(meant), *_not_kept(meant), *notes_of_volumes(stack, asked, inventory))
    return replace(plan, notes=(*plan.notes, *notes))


def plan_build(
    stack: Stack,
    inventory: Inventory,
    policy: Policy,
    history: History,
    services: Sequence[str] = (),
    builds: Mapping[str, ExpectedBuild] | None = None,
) -> Plan:
    """Plan the build half for CI: build, push when the policy says so, remove when the policy says so, next.

    Raises:
        UsageError: An unknown service, a dependency cycle, or a line that leaves nothing.
    """
    steps: list[Step] = []
    unchanged: list[Unchanged] = []
    held: list[Step] = []
    for service in worked_on(Purpose.BUILD, stack, inventory, services):
        if service.build is None:
            unchanged.append(Unchanged(service=service.name, reason="it is only an image"))
            continue
        own, cleanup = build_steps(context_of(stack, service, inventory, policy, history))
        steps += own
        (held if stands_below(stack, service) else steps).extend(cleanup)
        if not own and not cleanup:
            unchanged.append(Unchanged(service=service.name, reason="its image is built from what is here now"))
    return finish_plan(Purpose.BUILD, stack, inventory, policy, history, services, [*steps, *held], unchanged, builds)


def fingerprint(stack: Stack, inventory: Inventory, policy: Policy) -> str:
    """Return the identity of everything that a plan is made from, free bytes left out.

    Returns:
        A hash; it is the same again only when a plan made again would have the same steps.
    """
    parts: list[object] = [
        PLAN_FORMAT,
        stack.name,
        stack.place,
        [each.path for each in inventory.to_send],
        inventory.engine.engine_id,
        msgspec.to_builtins(policy),
        {section: stack.shared.get(section) for section in ("networks", "volumes")},
    ]
    for service in sorted(stack.services, key=lambda each: each.name):
        inputs = inventory.inputs_of(service.name)
        names = [service.image]
        names += sorted({n for i in inventory.images for n in own_names(stack.name, service.name, i.references)})
        if inputs and inputs.base_reference:
            names.append(inputs.base_reference)
        offer = inventory.offer(service.image)
        images = [image.image_id if (image := inventory.image(name)) else "" for name in names]
        containers = sorted(
            (c.container_id, c.image_id, c.state) for c in inventory.service_containers(stack.name, service.name)
        )
        parts.append(
            [
                service.name,
                config_digest(service),
                repr(service.settings),
                inputs and inputs.digest,
                images,
                containers,
                offer and offer.digests,
            ]
        )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def finish_plan(
    purpose: Purpose,
    stack: Stack,
    inventory: Inventory,
    policy: Policy,
    history: History,
    services: Sequence[str],
    steps: Sequence[Step],
    unchanged: Sequence[Unchanged],
    builds: Mapping[str, ExpectedBuild] | None = None,
) -> Plan:
    """Return the plan of these steps: expectations filled in, refused when it cannot fit.

    Where the inventory says what others need, steps that reclaim are put in.

    Raises:
        UsageError: A line that leaves nothing.
    """
    disk, others = inventory.filesystems[0], inventory.others
    line, have, mount = reserve_bytes(disk, policy.keep_free_bytes), disk.available_bytes, disk.mount
    steps = with_shared_images(steps, builds, inventory, stack=stack.name, tidies=policy.cleanup_after)
    expected = with_expectations(steps, available_bytes=have, history=history, builds=builds)
    plan = Plan(
        stack=stack.name,
        directory=stack.directory,
        purpose=purpose,
        engine_id=inventory.engine.engine_id,
        endpoint=inventory.engine.endpoint,
        fingerprint=fingerprint(stack, inventory, policy),
        filesystem=mount,
        available_bytes=have,
        reserve_bytes=line,
        steps=expected,
        unchanged=tuple(unchanged),
        refusal=why_not_fit(expected, available_bytes=have, reserve_bytes=line, filesystem=mount, others=others),
        notes=(*stack.notes, *unknowns(inventory), *few_inodes(inventory.filesystems)),
        services=tuple(services),
        policy=policy,
    )
    return with_need(plan) if inventory.needs is None else with_reclaim_steps(plan, stack, inventory)


def _switched(
    context: ServiceContext, anew: Renewal, parts: list[Part]
) -> tuple[list[Step], list[Step], tuple[Step, ...]]:
    """Return the steps of a service whose containers are replaced, what settles it, and what takes it back.

    What comes before the switch-over of one whose network is made anew goes in front of what makes way for that.
    """
    steps, settled, name = deploy_steps(context), settled_steps(context), context.service.name
    if anew.step is None or name not in anew.members:
        own = with_followers_back(steps, anew.contexts, name)
        return own, settled, _way_back(own)
    front, own = split(steps, anew.back)
    at = next((at for at, part in enumerate(parts) if anew.step in part.steps), len(parts))
    done = parts[at].steps[:-1] if at < len(parts) else ()
    parts[at : at + 1] = [Part(steps=[*done, *front, anew.step])]
    return own, settled, anew.back


def _way_back(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return what undoes a switch-over that was proven already, for those who cannot live with it."""
    return next((step.on_failure for step in reversed(steps) if isinstance(step.action, Prove | Retire)), ())


def _not_kept(contexts: Iterable[ServiceContext]) -> Iterator[str]:
    """Say of which services what runs cannot be gone back to: images in containerd go with their last name."""
    for context in contexts:
        change = context.change
        if change.switch and change.running and change.running_image is None:
            yield f"{context.service.name}: its image was deleted from this engine: no rollback to it is possible"


def _sending(stack: Stack, inventory: Inventory) -> list[Step]:
    """Return the step that brings mounted files to the engine's machine; none when they are there."""
    if not inventory.to_send:
        return []
    size_bytes, count = sum(each.size_bytes for each in inventory.to_send), len(inventory.to_send)
    return [
        Step(
            name="send-files",
            action=SendFiles(place=stack.place, paths=tuple(each.path for each in inventory.to_send)),
            cause="containers mount them, and the engine's machine lacks them or has others",
            changes=f"brings {count} file{'s' if count != 1 else ''} ({format_bytes(size_bytes)}) to {stack.place}",
            kept=exactly(size_bytes),
        )
    ]


def context_of(
    stack: Stack, service: Service, inventory: Inventory, policy: Policy, history: History, *, number: int = 1
) -> ServiceContext:
    """Return a service with everything that its steps are made from.

    Args:
        number: The next number of a version of the stack.
    """
    return ServiceContext(
        stack=stack,
        service=service,
        change=change_of(stack, service, inventory),
        inventory=inventory,
        policy=policy,
        versions=known_versions(stack, service, inventory, history),
        number=number,
    )


def contexts_of(stack: Stack, inventory: Inventory, policy: Policy, history: History) -> dict[str, ServiceContext]:
    """Return all services by name, each after those that it depends on."""
    services = in_order(stack, [each.name for each in stack.services])
    return {each.name: context_of(stack, each, inventory, policy, history) for each in services}


def asked_for(stack: Stack, services: Sequence[str]) -> set[str]:
    """Return the names of the services asked for: all active ones when none is named.

    Raises:
        UsageError: One of them is not an active service.
    """
    known = [service.name for service in stack.services]
    for name in services:
        if name not in known:
            raise UsageError(
                f"the stack {stack.name} has no active service {name!r}", todo=f"Its services: {', '.join(known)}."
            )
    return set(services or known)


def worked_on(purpose: Purpose, stack: Stack, inventory: Inventory, services: Sequence[str]) -> tuple[Service, ...]:
    """Return the services that a plan looks at, each after those that it depends on.

    Raises:
        UsageError: An unknown service or a dependency cycle.
    """
    wanted = with_builds_below(stack, inventory, asked_for(stack, services))
    if purpose is Purpose.DEPLOY:
        wanted = _with_dependencies(stack, inventory, wanted)
    return in_order(stack, wanted)


def _with_dependencies(stack: Stack, inventory: Inventory, wanted: set[str]) -> set[str]:
    chosen = set(wanted)
    waiting = list(wanted)
    while waiting:
        for dependency in stack.service(waiting.pop()).depends_on:
            service = next((each for each in stack.services if each.name == dependency.service), None)
            if service is None or service.name in chosen:
                continue
            if not change_of(stack, service, inventory).running:
                chosen.add(service.name)
                waiting.append(service.name)
    return chosen


def _state(change: Change) -> str:
    count = len(change.running)
    if not count:
        return "it has no replicas, and no container runs"
    if change.uncompared:
        return "it runs its image; how it was configured is not known, so that is not compared"
    if all(container.state == "exited" for container in change.running):
        return "up to date; it ended with exit code 0"
    return f"up to date; {count} container{'s' if count != 1 else ''} running"
