"""From the running version to the new one: proof beside it, switch-over, proof in its place, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.compose_project import config_digest, project_json
from tonnage.decide.deploy.proof import prove_action
from tonnage.decide.deploy.restore import good_before, recorded_version, restore_image_steps, restore_steps
from tonnage.decide.deploy.start_first import why_not_beside
from tonnage.model.deploy.image_names import LABEL_CONFIG
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

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step


def beside_steps(case: ServiceContext) -> list[Step]:
    """Return the steps that prove the new version beside the running one; none where that is not allowed or needed."""
    if not case.change.running or why_not_beside(case.service):
        return []
    image = case.source or case.service.image
    undo = (
        case.step(
            "undo-beside",
            RemoveContainer(container=case.beside),
            cause="the new version was not proven",
            changes=f"removes the container {case.beside}",
        ),
        *_drop_candidate(case),
    )
    return [
        case.step(
            "start-beside",
            StartFirst(
                project_json=project_json(case.stack, case.service, case.change.inputs_digest, image=image),
                container_name=case.beside,
            ),
            cause=f"{case.change.switch}; it has no state of its own, so both may run at once",
            changes=f"starts the container {case.beside} without host ports",
            on_failure=undo,
        ),
        case.step(
            "prove-beside",
            prove_action(case.service, container_name=case.beside),
            cause="the running version stays until the new one is healthy",
            changes="nothing: asks whether it is healthy",
            on_failure=undo,
        ),
        case.step(
            "remove-beside",
            RemoveContainer(container=case.beside),
            cause="it has proven what it was started for",
            changes=f"removes the container {case.beside}",
        ),
    ]


def keep_previous_steps(case: ServiceContext) -> list[Step]:
    """Return the step that keeps the image of the last good version for rollback, mostly the one that runs."""
    running, before = case.change.running_image, good_before(case)
    image_id = before.image_id if before else running.image_id if running else ""
    if (
        not image_id
        or case.service.build is None
        or not case.policy.keep_previous
        or image_id == case.change.source
        or case.names(image_id, case.previous)
    ):
        return []
    return [
        case.step(
            "keep-previous",
            Tag(image=image_id, reference=case.previous),
            cause="rollback needs the last good version" if before else "rollback needs the version that runs now",
            changes=f"names it {case.previous}",
        )
    ]


def switch_steps(case: ServiceContext) -> list[Step]:
    """Return the switch-over and the proof that follows it, each with the way back."""
    change, service = case.change, case.service
    reason = why_not_beside(service)
    project = project_json(case.stack, service, change.inputs_digest)
    proof = prove_action(service)
    undo = _way_back(case)
    steps = [
        case.step(
            "switch",
            Switch(project_json=project, image=case.source, image_name=service.image if case.source else ""),
            cause=f"{change.switch}; stop-first: {reason}" if change.running and reason else change.switch,
            changes=f"{'replaces' if change.running else 'starts'} the containers of {service.name}",
            on_failure=undo,
        ),
        case.step(
            "prove",
            proof,
            cause="a version is good only when it is healthy in its place",
            changes="nothing: asks whether it is healthy",
            version=_version(case, project),
            on_failure=undo,
        ),
    ]
    if case.source:
        steps.append(
            case.step(
                "drop-name",
                Untag(reference=case.candidate),
                cause=f"it is called {service.image} now",
                changes=f"takes the name {case.candidate} away",
            )
        )
    return steps


def unproven_steps(case: ServiceContext) -> list[Step]:
    """Return the proof of a version that runs in its place but is not known to be good.

    That is so when an earlier run was killed between switch-over and proof, or when the journal is a new one.
    """
    service, running = case.service, case.change.running
    ends = service.settings.one_shot and any(container.state != "exited" for container in running)
    mine = [c for c in running if c.labels.get(LABEL_CONFIG) == config_digest(service)]
    if not mine or (recorded_version(case, mine[0]) is not None and not ends):
        return []
    earlier = good_before(case)
    return [
        case.step(
            "prove",
            prove_action(service),
            cause="it has not ended yet"
            if ends
            else "nothing changed, but the version that runs was never proven here",
            changes="nothing: asks whether it is healthy",
            version=_version(case, project_json(case.stack, service, case.change.inputs_digest)),
            on_failure=restore_steps(case, earlier) if earlier is not None and not service.settings.one_shot else (),
        )
    ]


def _version(case: ServiceContext, project: str) -> Version:
    return Version(
        service=case.service.name,
        image_name=case.service.image,
        project_json=project,
        config_digest=config_digest(case.service),
        inputs_digest=case.change.inputs_digest,
        prove=prove_action(case.service),
    )


def _way_back(case: ServiceContext) -> tuple[Step, ...]:
    change, service = case.change, case.service
    if service.settings.one_shot or not change.running:
        ran = f"; {service.name} runs to its end and is not restarted" if change.running else ", and none ran before it"
        remove = case.step(
            "undo-start",
            RemoveService(project=case.stack.name),
            cause=f"the new version did not become healthy{ran}",
            changes=f"removes the containers of {service.name}; volumes stay",
        )
        return (remove, *_name_back(case), *_previous_back(case), *_drop_candidate(case))
    running = change.running[0]
    version = recorded_version(case, running) or good_before(case)
    restore = restore_image_steps(case, running) if version is None else restore_steps(case, version)
    return (*restore, *_previous_back(case), *_drop_candidate(case))


def _name_back(case: ServiceContext) -> tuple[Step, ...]:
    current = case.inventory.image(case.service.image)
    if not case.source or current is None:
        return ()
    return (
        case.step(
            "name-back",
            Tag(image=current.image_id, reference=case.service.image),
            cause="the name moved before the new version was proven",
            changes=f"names the earlier image {case.service.image} again",
        ),
    )


def _previous_back(case: ServiceContext) -> tuple[Step, ...]:
    if not keep_previous_steps(case):
        return ()
    kept = case.inventory.image(case.previous)
    if kept is None:
        action: Tag | Untag = Untag(reference=case.previous)
        changes = f"takes the name {case.previous} away"
    else:
        action = Tag(image=kept.image_id, reference=case.previous)
        changes = f"names the image that was kept before {case.previous} again"
    cause = "the version that has this name runs on, so there is none to go back to but the one before it"
    return (case.step("keep-as-before", action, cause=cause, changes=changes),)


def _drop_candidate(case: ServiceContext) -> tuple[Step, ...]:
    if not case.change.build:
        return ()
    # The service's own name is taken away again only when no image had it before.
    own = () if case.inventory.image(case.service.image) else (case.own_name,)
    return (
        case.step(
            "drop-candidate",
            RemoveImage(image=case.candidate, references=(case.candidate, *own)),
            cause="the new version was not proven",
            changes=f"removes the image {case.candidate}",
        ),
    )
