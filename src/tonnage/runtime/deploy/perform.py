"""Carries out one action with the engine. Decides nothing: every act that may happen is written in the action."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from tonnage.decide.deploy.versions import record_labels
from tonnage.decide.reclaim.layer_copies import copies
from tonnage.errors import CacheUnknownError, StepFailedError
from tonnage.model.compose_labels import config_hash_of
from tonnage.model.deploy.image_names import LABEL_STACK, image_in, record_of, version_names
from tonnage.model.deploy.plan import (
    Adopt,
    Build,
    CleanCache,
    Keep,
    Prove,
    Pull,
    Push,
    Reclaim,
    RemoveContainer,
    RemoveImage,
    RemoveService,
    Rename,
    Restart,
    SendFiles,
    StartFirst,
    Switch,
    Tag,
    Untag,
)
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.rolling import Connect, Drain, Retire, StartRolling
from tonnage.model.deploy.versions import same_image
from tonnage.model.inventory import Inventory
from tonnage.model.references import find_image, tagged
from tonnage.model.replacement import of_service
from tonnage.runtime.deploy.reclaim_step import reclaim_for_plan
from tonnage.runtime.deploy.wait_healthy import prove
from tonnage.runtime.ledger import ALONE
from tonnage.runtime.reclaim.engine_removal import EngineRemoval, records_behind_images, remove_free_records

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts, Progress
    from tonnage.model.deploy.plan import Plan, Step, Version
    from tonnage.model.deploy.rolling import RollingAction
    from tonnage.model.inventory import Container, Image
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.ledger import Ledger

# A container that was only started to be proven served nobody and keeps nothing: it need not be waited for.
_CANDIDATE_STOP_S = 1.0


def perform(  # noqa: C901, PLR0912, PLR0915 - one branch for each kind of action
    step: Step,
    plan: Plan,
    *,
    facts: EngineFacts,
    acts: EngineActs,
    progress: Progress,
    cancel: Cancel,
    clock: Clock,
    cache_before: frozenset[str] | None,
    ledger: Ledger = ALONE,
) -> None:
    """Do what a step says.

    Args:
        cache_before: The records of the build cache that were there before the run; None where they are not known.
        ledger: Tells what runs of other stacks need.

    Raises:
        TonnageError: It failed; which class says how.
    """
    action = step.action
    match action:
        case SendFiles():
            acts.send_files(plan.directory, action.place, action.paths, progress=progress, cancel=cancel)
        case Pull():
            acts.pull(action.reference, progress=progress, cancel=cancel, platform=action.platform)
        case Build():
            _build(action, facts, acts, progress, cancel)
        case Push():
            acts.push(action.reference, progress=progress, cancel=cancel)
        case Tag():
            acts.tag(action.image, action.reference)
        case Untag():
            acts.untag(action.reference)
        case Rename():
            for old, new in action.names:
                if find_image(facts.images(), old) is not None:
                    acts.tag(old, new)
                    acts.untag(old)
        case Keep():
            _keep(step, action, plan, facts, acts, clock)
        case Adopt():
            acts.make_record(action.reference, {LABEL_STACK: plan.stack})
        case StartFirst():
            acts.start_first(
                plan.stack, plan.directory, step.service, action.project, action.container_name, cancel=cancel
            )
        case Prove():
            prove(
                facts,
                project=plan.stack,
                service=step.service,
                action=action,
                progress=progress,
                cancel=cancel,
                clock=clock,
            )
        case Switch():
            if action.candidate:
                acts.tag(action.image or image_in(action.project, step.service), action.candidate)
            if action.image:
                acts.tag(action.image, action.image_name)
            acts.up(
                plan.stack,
                plan.directory,
                step.service,
                action.project,
                progress=progress,
                cancel=cancel,
                recreate=action.recreate and not _all_run(action.spares, plan.stack, facts),
                config_hash=action.config_hash,
            )
        case StartRolling() | Connect() | Drain() | Retire():
            _roll(step.service, action, plan, facts, acts, progress, cancel, clock)
        case Restart():
            spared = _all_run(action.spares, plan.stack, facts)
            for container in of_service(facts.containers(action.project), step.service):
                if container.alive and not spared:
                    acts.restart_container(container.container_id)
        case RemoveContainer():
            acts.remove_container(action.container, _CANDIDATE_STOP_S)
        case RemoveService():
            for container in facts.containers(action.project):
                mine = container.service == step.service and not container.one_off
                if mine and container.container_id not in action.but:
                    acts.remove_container(container.container_id)
        case RemoveNetworks():
            _remove_networks(action, facts, acts)
        case RemoveImage():
            _remove_image(action, facts, acts, progress)
        case CleanCache():
            if cache_before is None:
                progress.log("nothing is removed: the engine cannot tell its build cache")
                return
            remove_free_records(facts, acts, progress, lambda record: record not in cache_before)
        case Reclaim():
            removal = EngineRemoval(facts, acts, progress, ledger)
            reclaim_for_plan(action, plan, removal, facts=facts, progress=progress, cancel=cancel, clock=clock)
        case _:
            assert_never(action)


def _all_run(containers: Collection[str], project: str, facts: EngineFacts) -> bool:
    """Return whether all these containers still run; not where none is meant."""
    alive = {each.container_id for each in facts.containers(project) if each.alive} if containers else set()
    return bool(containers) and alive.issuperset(containers)


def _remove_networks(action: RemoveNetworks, facts: EngineFacts, acts: EngineActs) -> None:
    for service in action.services:
        for container in of_service(facts.containers(action.project), service):
            if container.alive:
                acts.stop_container(container.container_id)
    for network in action.networks:
        acts.remove_network(network)


def _new(facts: EngineFacts, project: str, service: str, old: Collection[str]) -> list[Container]:
    """Return the containers of a service, but not those of these ids."""
    return [each for each in of_service(facts.containers(project), service) if each.container_id not in old]


def _roll(
    service: str,
    action: RollingAction,
    plan: Plan,
    facts: EngineFacts,
    acts: EngineActs,
    progress: Progress,
    cancel: Cancel,
    clock: Clock,
) -> None:
    match action:
        case StartRolling():
            if action.image:
                acts.tag(action.image, action.image_name)
            acts.start_apart(
                plan.stack,
                plan.directory,
                service,
                action.project,
                count=action.count,
                apart=action.apart,
                kept=action.kept,
                progress=progress,
                cancel=cancel,
            )
        case Connect():
            for container in _new(facts, plan.stack, service, action.old):
                for network in action.networks:
                    acts.connect(container.container_id, network)
        case Drain():
            if clock.wait(cancel, action.seconds):
                raise StepFailedError(f"the old containers of {service} stay: the run was stopped")
        case Retire():
            for each in action.containers:
                acts.remove_container(each, None)


def as_it_runs(step: Step, stack: str, facts: EngineFacts, clock: Clock) -> Version | None:
    """Return the version of a step with the image that runs now; None when it has none, or nothing runs."""
    if step.version is None:
        return None
    mine = of_service(facts.containers(stack), step.service)
    if not mine:
        return None
    image = find_image(facts.images(), mine[0].image_id)
    return replace(
        step.version,
        image_id=mine[0].image_id,
        content_digest=image.content_digest if image else "",
        proven_s=clock.time(),
        config_hash=config_hash_of(mine[0]),
        containers=tuple(each.container_id for each in mine),
    )


def _keep(step: Step, action: Keep, plan: Plan, facts: EngineFacts, acts: EngineActs, clock: Clock) -> None:
    version = as_it_runs(step, plan.stack, facts, clock)
    if version is None:
        return
    earlier = find_image(facts.images(), action.record)
    # What is known of it comes first: a name without it would lose how it is configured.
    acts.make_record(action.record, record_labels(version))
    acts.tag(version.image_id, action.reference)
    acts.name_for_compose(version.image_id, step.service)
    if action.candidate:
        acts.untag(action.candidate)
    images = facts.images()
    record = find_image(images, action.record)
    if earlier is not None and record is not None and record.image_id != earlier.image_id:
        # Written anew, it took the only name of the one before.
        acts.remove_image(earlier.image_id, ())
    _forget_earlier_names(version.image_id, action.reference, images, acts)


def _forget_earlier_names(image_id: str, reference: str, images: Sequence[Image], acts: EngineActs) -> None:
    """Take the names off an image that it had as the same version, before that was proven again."""
    image = find_image(images, image_id)
    repository = reference.rpartition(":")[0]
    now = next((name for _, name in version_names(repository, (reference,))), None)
    if image is None or now is None or not now.config:
        return
    # What was built from other inputs may be the same to containers, and another image to the engine.
    named = [each for found in images if same_image(found, image) for each in found.references]
    for earlier, name in version_names(repository, named):
        if name.config == now.config and name.number < now.number and not name.withdrawn:
            acts.untag(earlier)
            record = find_image(images, record_of(earlier))
            if record is not None:
                acts.remove_image(record.image_id, record.references)


def _build(action: Build, facts: EngineFacts, acts: EngineActs, progress: Progress, cancel: Cancel) -> None:
    acts.build(
        action.spec,
        action.reference,
        dict(action.labels),
        progress=progress,
        cancel=cancel,
        packed=action.packed,
        builder=action.builder,
        pushes=action.pushes,
    )
    if action.same_as:
        _take_over(action, facts, acts, progress)


def _take_over(action: Build, facts: EngineFacts, acts: EngineActs, progress: Progress) -> None:
    """Give the name to the image that was there, where that was built from the same: its containers can stay."""
    images = facts.images()
    made, there = find_image(images, action.reference), find_image(images, action.same_as)
    if made is None or there is None or made.image_id == there.image_id or not same_image(made, there):
        return
    acts.tag(there.image_id, action.reference)
    progress.log("the build made what the image that is there already holds, so that one stays")
    left = find_image(facts.images(), made.image_id)
    if left is not None and not left.references:
        acts.remove_image(made.image_id)


def _remove_records(action: RemoveImage, facts: EngineFacts, acts: EngineActs) -> None:
    for record in action.records:
        if (told := find_image(facts.images(), record)) is not None:
            acts.remove_image(told.image_id, told.references)


def _remove_image(action: RemoveImage, facts: EngineFacts, acts: EngineActs, progress: Progress) -> None:
    _remove_records(action, facts, acts)
    images = facts.images()
    image = find_image(images, action.image)
    if image is None:
        return
    ours = {tagged(reference) for reference in action.references}
    names = [reference for reference in image.references if reference in ours]
    others = [reference for reference in image.references if reference not in names]
    users = [container for container in facts.containers() if container.image_id == image.image_id]
    if others or (users and action.records):
        # Someone named it since the plan was made: it is not ours alone any more.
        for reference in names:
            acts.untag(reference)
        return
    if users:
        raise StepFailedError(
            f"the image {action.image} stays: the container {users[0].name} uses it",
            todo=f"Remove the container if it is not needed:\n  docker rm {users[0].name}",
        )
    behind = records_behind_images(facts) | _copies_of(image, images, facts) if action.with_cache else frozenset()
    for reference in names:
        acts.untag(reference)
    if find_image(facts.images(), image.image_id) is not None:
        acts.remove_image(image.image_id)
    if behind:
        remove_free_records(facts, acts, progress, lambda record: record in behind)


def _copies_of(image: Image, images: Sequence[Image], facts: EngineFacts) -> frozenset[str]:
    """Return the records of the cache that are second copies of layers which only this image has."""
    try:
        inventory = Inventory(engine=facts.engine(), filesystems=(), images=tuple(images), cache=facts.cache())
    except CacheUnknownError:
        return frozenset()
    others = {layer.chain_id for each in images if each.image_id != image.image_id for layer in each.layers}
    mine = {layer.chain_id for layer in image.layers} - others
    return frozenset(record for record, copy in copies(inventory).items() if copy.chain_id in mine)
