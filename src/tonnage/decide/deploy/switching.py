"""From the running version to the new one: start-first proof, switch-over, proof in its place, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import compose_project, config_digest
from tonnage.decide.deploy.health import prove_action
from tonnage.decide.deploy.leftovers import superseded_steps
from tonnage.decide.deploy.restore import keep_step, last_good, restore_steps, way_back
from tonnage.decide.deploy.routing import routed_by, unrouted
from tonnage.model.deploy.image_names import version_name
from tonnage.model.deploy.plan import (
    RemoveContainer,
    RemoveImage,
    RemoveService,
    StartFirst,
    Switch,
    Tag,
    Untag,
    Version,
)
from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Prove, Step
    from tonnage.model.stack import ComposeMapping, Service


def start_first_steps(context: ServiceContext) -> list[Step]:
    """Return the steps that prove the new version while the running one still serves; none where it stops first."""
    if not context.change.running or context.change.networks or why_stop_first(context.service):
        return []
    image = context.source or context.service.image
    patterns = context.policy.proxy_labels
    project = compose_project(context.stack, context.service, image=image)
    left_off = routed_by(context.service.config, patterns)
    undo = (
        context.step(
            "undo-start-first",
            RemoveContainer(container=context.candidate_container),
            cause="the new version was not proven",
            changes=f"removes the container {context.candidate_container}",
        ),
        *(_undo_candidate(context) if context.source else ()),
    )
    return [
        context.step(
            "start-first",
            StartFirst(
                project=unrouted(project, context.service.name, patterns),
                container_name=context.candidate_container,
            ),
            cause=f"{context.change.switch}; it has no state of its own, so both may run at once",
            changes=f"starts the container {context.candidate_container} without host ports"
            + (f", and without {', '.join(left_off)}, so that no proxy sends traffic to it" if left_off else ""),
            on_failure=undo,
        ),
        context.step(
            "prove-candidate",
            prove_action(context.service, container_name=context.candidate_container),
            cause="the running version stays until the new one is healthy",
            changes="health check (changes nothing)",
            on_failure=undo,
        ),
        context.step(
            "stop-candidate",
            RemoveContainer(container=context.candidate_container),
            cause="its check passed; no longer needed",
            changes=f"removes the container {context.candidate_container}",
        ),
    ]


def keep_steps(context: ServiceContext) -> list[Step]:
    """Return the step that names what runs before its name moves, so that it can be gone back to by its image."""
    image, reference = context.change.running_image, context.kept_reference
    if image is None or not reference:
        return []
    never = reference == context.unproven
    return [
        context.step(
            "keep",
            Tag(image=image.image_id, reference=reference),
            cause="kept for undo; it never passed a health check" if never else "kept for rollback",
            changes=f"tags what runs {reference}",
        )
    ]


def switch_steps(context: ServiceContext) -> list[Step]:
    """Return the switch-over and the proof that follows it, each with the way back."""
    change, service = context.change, context.service
    reason = why_stop_first(service)
    project = compose_project(context.stack, service)
    proof = prove_action(service)
    undo = undo_switch(context)
    return [
        context.step(
            "switch",
            Switch(
                project=project,
                image=context.source,
                image_name=service.image if context.source else "",
                candidate="" if context.source else context.candidate,
                recreate=service.joins or context.has_to_be_forced,
            ),
            cause=f"{change.switch}; stop-first: {reason}" if change.running and reason else change.switch,
            changes=f"{'replaces' if change.running else 'starts'} the containers of {service.name}",
            on_failure=undo,
        ),
        in_its_place(context, proof, undo),
    ]


def in_its_place(context: ServiceContext, proof: Prove, undo: tuple[Step, ...]) -> Step:
    """Return the proof of a version where it serves from now on."""
    return context.step(
        "prove",
        proof,
        cause="confirm health after the switch",
        changes="health check (changes nothing)",
        on_failure=undo,
    )


def good_steps(context: ServiceContext) -> list[Step]:
    """Return the step that writes down what was proven, for whoever deploys to this engine."""
    version = new_version(context)
    name = version_name(version.number, version.config_digest)
    return [keep_step(context, version, "it is healthy", name, candidate=context.candidate)]


def unproven_steps(context: ServiceContext) -> list[Step]:
    """Return the proof of a version that runs in its place but is not known to be good.

    That is so when an earlier run was killed between switch-over and proof.
    """
    service, running = context.service, context.change.running
    ends = service.settings.one_shot and any(container.state != "exited" for container in running)
    if not (context.never_proven or (context.runs is not None and ends)):
        return []
    earlier = last_good(context) if context.runs is None else None
    return [
        context.step(
            "prove",
            prove_action(service),
            cause="it has not ended yet" if ends else "nothing changed, but the version that runs was never proven",
            changes="health check (changes nothing)",
            on_failure=restore_steps(context, earlier, why=_LAST_GOOD)
            if earlier is not None and not service.settings.one_shot
            else (),
        ),
        *good_steps(context),
        *superseded_steps(context),
    ]


_LAST_GOOD = "the last good version has to run: the one that runs was never proven, and is not healthy"


_CUT_SHORT = "the last good version has to run: it did until an earlier run was killed while it was replaced"


def new_version(context: ServiceContext) -> Version:
    """Return the version that is good once it is proven."""
    return Version(
        service=context.service.name,
        image_name=context.service.image,
        project=compose_project(context.stack, context.service),
        config_digest=config_digest(context.service),
        inputs_digest=context.change.inputs_digest,
        prove=prove_action(context.service),
        number=context.new_number,
        origin=context.stack.origin,
    )


def undo_switch(context: ServiceContext) -> tuple[Step, ...]:
    """Return the steps that take a switch-over back."""
    change, service = context.change, context.service
    cut_short = not change.running and context.was_being_replaced
    earlier = last_good(context) if cut_short and not service.settings.one_shot else None
    if earlier is not None:
        return (*restore_steps(context, earlier, why=_CUT_SHORT), *_undo_keep(context), *_undo_candidate(context))
    if service.settings.one_shot or not change.running:
        ran = f"; {service.name} runs to its end and is not restarted" if change.running else ", and none ran before it"
        remove = context.step(
            "undo-start",
            RemoveService(project=context.stack.name),
            cause=f"the new version did not become healthy{ran}",
            changes=f"removes the containers of {service.name}; volumes stay",
        )
        return (remove, *names_back(context))
    return (*way_back(context), *_undo_keep(context), *_undo_candidate(context))


def names_back(context: ServiceContext) -> tuple[Step, ...]:
    """Return the steps that give images and names back as they were, for who took no container away."""
    return (*_name_back(context), *_undo_keep(context), *_undo_candidate(context))


def _name_back(context: ServiceContext) -> tuple[Step, ...]:
    current = context.inventory.image(context.service.image)
    if not context.source or current is None:
        return ()
    return (
        context.step(
            "name-back",
            Tag(image=current.image_id, reference=context.service.image),
            cause="the name moved before the new version was proven",
            changes=f"tags the earlier image {context.service.image} again",
        ),
    )


def _undo_keep(context: ServiceContext) -> tuple[Step, ...]:
    if context.kept_reference != context.unproven or context.change.running_image is None:
        return ()
    return (
        context.step(
            "undo-keep",
            Untag(reference=context.unproven),
            cause="what has this name runs on",
            changes=f"untags {context.unproven}",
        ),
    )


def _undo_candidate(context: ServiceContext) -> tuple[Step, ...]:
    if not context.change.build:
        return (
            context.step(
                "undo-candidate",
                Untag(reference=context.candidate),
                cause="what has this name was not proven",
                changes=f"untags {context.candidate}",
            ),
        )
    # The service's own name is taken away again only when no image had it before.
    own = () if context.inventory.image(context.service.image) else (context.own_name,)
    return (
        context.step(
            "undo-build",
            RemoveImage(image=context.candidate, references=(context.candidate, *own)),
            cause="the new version was not proven",
            changes=f"removes the image {context.candidate}",
        ),
    )


# Mounts of these kinds are private to each container or cannot be written.
_PRIVATE_MOUNTS = frozenset({"tmpfs", "image"})


def why_stop_first(service: Service) -> str:
    """Return why the running containers have to be stopped first; empty when both versions may run at once."""
    if service.settings.switch is SwitchOrder.STOP_FIRST:
        return "x-tonnage.switch: stop-first"
    if service.settings.one_shot:
        return "it runs once to its end"
    if service.settings.switch in {SwitchOrder.START_FIRST, SwitchOrder.ROLLING}:
        return ""
    for mount in service.mounts:
        if not mount.read_only and mount.kind not in _PRIVATE_MOUNTS and (mount.source or mount.kind != "volume"):
            return f"writable {mount.kind} {mount.source} at {mount.target}"
    if service.devices:
        return f"device {service.devices[0]}"
    if service.hostname:
        return f"fixed hostname {service.hostname}"
    if service.network_mode and service.network_mode not in {"bridge", "none", "default"}:
        return f"network_mode {service.network_mode}"
    return fixed_identity(service.config)


def fixed_identity(config: ComposeMapping) -> str:
    """Return what of a service can be there only once; empty where nothing is."""
    if config.get("volumes_from"):
        return "volumes_from shares another container's volumes"
    for key in ("pid", "ipc", "uts", "cgroup"):
        if str(config.get(key, "")).startswith(("service:", "container:")):
            return f"{key} {config[key]}"
    if config.get("mac_address"):
        return "fixed mac_address"
    networks = config.get("networks")
    if isinstance(networks, dict):
        for name, network in networks.items():
            if isinstance(network, dict):
                for key in ("ipv4_address", "ipv6_address", "mac_address", "link_local_ips"):
                    if network.get(key):
                        return f"fixed {key} on network {name}"
    return ""
