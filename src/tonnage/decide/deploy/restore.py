"""The way back to what ran: the same steps whether a new version failed or a rollback did.

What ran when the run began is what it goes back to, whatever the journal says; and by the id of its image, because its
name may be another's by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import as_of_now, compose_project, written_project
from tonnage.decide.deploy.health import prove_action
from tonnage.decide.deploy.networks.fitting import on_present_networks
from tonnage.model.compose_labels import config_hash_of
from tonnage.model.deploy.image_names import version_name
from tonnage.model.deploy.plan import Keep, Restart, Switch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.image_names import VersionName
    from tonnage.model.deploy.plan import Prove, Step, Version
    from tonnage.model.inventory import Container


def last_good(context: ServiceContext) -> Version | None:
    """Return the last good version whose image is there."""
    return next((found for known in reversed(context.good) if (found := known.usable) is not None), None)


def way_back(context: ServiceContext) -> tuple[Step, ...]:
    """Return the steps that make what runs now run again; not what was never proven and is not healthy either.

    What fails before it has replaced anything leaves the containers as they are.
    """
    running = context.change.running[0]
    if context.runs is not None and context.runs.usable is not None:
        steps = sparing(restore_steps(context, context.runs.usable), context.change.running)
        return (*steps, *_written_down(context, context.runs.number, context.runs.usable))
    well = all(each.state == "running" and each.health in _WELL for each in context.change.running)
    good = last_good(context) if context.never_proven and not well else None
    if good is not None:
        return restore_steps(context, good, why=_UNPROVEN)
    return sparing(_restore_image_steps(context, running), context.change.running)


def keep_step(context: ServiceContext, version: Version, cause: str, name: VersionName, *, candidate: str = "") -> Step:
    """Return the step that names what runs as a good version, and takes the name of a candidate from it."""
    stack, service = context.stack.name, context.service.name
    reference = name.reference(stack, service)
    return context.step(
        "good",
        Keep(reference=reference, record=replace(name, is_record=True).reference(stack, service), candidate=candidate),
        cause=f"{cause}: kept for rollback",
        changes=f"tags it {reference}",
        version=replace(version, number=name.number),
    )


def _written_down(context: ServiceContext, number: int, version: Version) -> list[Step]:
    """Return the step that writes down by which containers a version runs from now on.

    From these alone nobody could tell what it is: Compose 2 counts the container that they join, and Compose 1 the
    files of now, which say something else.
    """
    name = version_name(number, version.config_digest)
    # What an early journal alone knows has no number.
    return [keep_step(context, version, "it is healthy again, in new containers", name)] if number else []


def sparing(steps: Iterable[Step], containers: Iterable[Container]) -> tuple[Step, ...]:
    """Return steps of which none makes containers anew, or restarts them, while all of these still run."""
    spares = tuple(each.container_id for each in containers)
    return tuple(
        replace(step, action=replace(step.action, spares=spares))
        if isinstance(step.action, Restart) or (isinstance(step.action, Switch) and step.action.recreate)
        else step
        for step in steps
    )


def switch_to(context: ServiceContext, version: Version) -> Switch:
    """Return the switch to a recorded version."""
    anew = context.has_to_be_forced or any(
        each.config_digest not in {"", version.config_digest} and config_hash_of(each) == version.config_hash
        for each in context.change.running
    )
    ran = context.runs.version if context.runs is not None else None
    others = [*([ran.project] if ran is not None else []), written_project(context.stack)]
    on = {name for each in context.change.running for name in each.networks}
    project = on_present_networks(version.project, version.service, context.inventory, others, on)
    if context.service.build is not None and version.inputs_digest:
        # Its name is the stack's own, given by Compose to what is built.
        return Switch(
            project=project,
            image=version.image_id,
            image_name=version.image_name,
            recreate=anew,
            config_hash=version.config_hash,
        )
    services = project["services"]
    pinned = services[version.service] | {"image": _own_name_or_id(context, version.image_id, version.image_name)}
    project = project | {"services": services | {version.service: pinned}}
    return Switch(project=project, recreate=anew, config_hash=version.config_hash)


_RAN = "the version that ran before has to run again"
_UNPROVEN = "the last good version has to run: the one that ran before was never proven, and is not healthy"
_WELL = frozenset({"healthy", "none"})


def restore_steps(context: ServiceContext, version: Version, *, why: str = _RAN) -> tuple[Step, ...]:
    """Return the steps that make a version run again whose image is there."""
    _, held = as_of_now(context.stack, context.service, version)
    return _steps(context, switch_to(context, version), version.prove, f"{why}, with {held}" if held else why)


def switch_to_image(context: ServiceContext, image_id: str) -> Switch:
    """Return the switch to an image of which nobody recorded how it was configured: as is written now."""
    service = context.service
    if service.build is not None:
        project = compose_project(context.stack, service)
        anew = context.has_to_be_forced
        return Switch(project=project, image=image_id, image_name=service.image, recreate=anew)
    name = _own_name_or_id(context, image_id, service.image)
    return Switch(project=compose_project(context.stack, service, image=name), recreate=context.has_to_be_forced)


def _own_name_or_id(context: ServiceContext, image_id: str, name: str) -> str:
    """Return the name of an image where nothing of this plan may move it, else its id."""
    return name if not context.change.pull and context.names(image_id, name) else image_id


def _restore_image_steps(context: ServiceContext, running: Container) -> tuple[Step, ...]:
    """Return the steps that make an image run again of which nobody recorded how it was configured."""
    image = context.inventory.image_of(running)
    cause = "the image that ran before has to run again, with the present configuration: its own is not known"
    action = switch_to_image(context, image.image_id if image else running.image_id)
    if image is None and context.service.build is None:
        # Its own name, not the new one: that may be another release of the same thing.
        name = running.image_reference or context.service.image
        action = Switch(project=compose_project(context.stack, context.service, image=name))
        cause = f"the image that ran before is gone from this engine, so what {name} names now has to run"
    return _steps(context, action, prove_action(context.service), cause)


def _steps(context: ServiceContext, action: Switch, proof: Prove, cause: str) -> tuple[Step, ...]:
    return (
        context.step("restore", action, cause=cause, changes=f"replaces the containers of {context.service.name}"),
        context.step(
            "prove-restored",
            proof,
            cause="it has to be healthy again",
            changes="health check (changes nothing)",
        ),
    )
