"""The way back to a version that was good: the same steps whether a new version failed or a rollback did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import compose_project
from tonnage.decide.deploy.health import prove_action
from tonnage.model.deploy.image_names import LABEL_CONFIG
from tonnage.model.deploy.plan import Switch

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Prove, Step, Version
    from tonnage.model.inventory import Container


def recorded_version(context: ServiceContext, container: Container) -> Version | None:
    """Return the good version that a container runs, or None when it was not recorded."""
    for version in reversed(context.history.versions_of(context.service.name)):
        same_image = version.image_id == container.image_id
        if same_image and version.config_digest == container.labels.get(LABEL_CONFIG):
            return version
    return None


def good_before(context: ServiceContext) -> Version | None:
    """Return the last good version, when what runs was deployed after it but never proven.

    That is so when a run was killed between switch-over and proof. What was started by other means is not meant by it:
    whoever did that wanted it so.

    Returns:
        The version, whose image is there; None when what runs is known to be good, or nothing good is known.
    """
    running = context.change.running
    if not running or LABEL_CONFIG not in running[0].labels or recorded_version(context, running[0]) is not None:
        return None
    versions = reversed(context.history.versions_of(context.service.name))
    return next((found for version in versions if (found := there(context, version)) is not None), None)


def there(context: ServiceContext, version: Version) -> Version | None:
    """Return a version with an image that the engine has: its own, or one with the same content; None for none."""
    image = context.inventory.with_content(version.image_id, version.content_digest)
    return replace(version, image_id=image.image_id) if image is not None else None


def switch_to(version: Version) -> Switch:
    """Return the switch to a recorded version."""
    if not version.inputs_digest:
        return Switch(project=version.project)
    return Switch(project=version.project, image=version.image_id, image_name=version.image_name)


def restore_steps(context: ServiceContext, version: Version) -> tuple[Step, ...]:
    """Return the steps that make a recorded version run again."""
    version = there(context, version) or version
    return _steps(context, switch_to(version), version.prove, "the version that ran before has to run again")


def restore_image_steps(context: ServiceContext, running: Container) -> tuple[Step, ...]:
    """Return the steps that make an image run again of which nobody recorded how it was configured."""
    if context.service.build is None:
        # Its own name, not the new one: that may be another release of the same thing.
        project = compose_project(
            context.stack, context.service, "", image=running.image_reference or context.service.image
        )
        action = Switch(project=project)
    else:
        project = compose_project(context.stack, context.service, "")
        image = context.inventory.image_of(running)
        action = Switch(
            project=project,
            image=image.image_id if image else running.image_id,
            image_name=context.service.image,
        )
    cause = "the image that ran before has to run again, with the present configuration: its own is not known"
    return _steps(context, action, prove_action(context.service), cause)


def _steps(context: ServiceContext, action: Switch, proof: Prove, cause: str) -> tuple[Step, ...]:
    return (
        context.step("restore", action, cause=cause, changes=f"replaces the containers of {context.service.name}"),
        context.step(
            "prove-restored",
            proof,
            cause="it has to be healthy again",
            changes="nothing: asks whether it is healthy",
        ),
    )
