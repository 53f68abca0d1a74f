"""The steps of one service in order: image, proof beside the running version, switch-over, proof in its place, tidying.

A built image carries a candidate name until it is proven; the service's own name moves only at the switch. So a run
that stops anywhere before it, for whatever reason, leaves the running version and its name as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.leftovers import came_back_steps, leftover_steps, superseded_steps
from tonnage.decide.deploy.proof import prove_action
from tonnage.decide.deploy.switching import beside_steps, keep_previous_steps, switch_steps, unproven_steps
from tonnage.model.deploy.image_names import LABEL_INPUTS, LABEL_SERVICE, LABEL_STACK
from tonnage.model.deploy.plan import Build, Pull, Push, RemoveImage, Tag

AFTER_BUILDING = frozenset({"remove-image", "clean", "restore-name"})
"""Steps of the build half that have to wait until nothing else is built on the image."""

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step


def deploy_steps(case: ServiceContext) -> list[Step]:
    """Return the steps that deploy one service; none when nothing changed and nothing was left behind."""
    change = case.change
    steps = leftover_steps(case)
    if not change.switch:
        return steps + (_unhealthy_now(case) or unproven_steps(case))
    if change.pull:
        steps.append(_pull(case))
    if change.build:
        steps.append(_build(case, case.candidate))
    elif case.source and not case.names(change.source, case.candidate):
        steps.append(_adopt(case, case.candidate))
    steps += beside_steps(case)
    steps += keep_previous_steps(case)
    steps += switch_steps(case)
    steps += came_back_steps(case)
    steps += superseded_steps(case)
    if change.build and case.policy.cleanup_after:
        steps.append(case.clean_cache("clean", "what the build left and no image uses"))
    return steps


def build_steps(case: ServiceContext) -> list[Step]:
    """Return the steps of the build half for one service: build, push, remove, as the policy says."""
    name = case.own_name
    steps = []
    old = case.inventory.image(name)
    if case.change.build:
        steps.append(_build(case, name))
        if old is not None and case.is_ours(old) and not case.is_used(old) and set(old.references) <= {name}:
            steps.append(case.remove_image("remove-superseded", old, f"the new image took its name {name}"))
    elif case.source:
        steps.append(_adopt(case, name))
    if case.policy.push:
        steps.append(
            case.step(
                "push",
                Push(reference=name),
                cause="asked for with --push",
                changes=f"sends {name} to its registry",
            )
        )
    there = old is not None and case.is_ours(old)
    if case.policy.cleanup_after and (steps or there) and (case.change.build or old is None or not case.is_used(old)):
        steps.append(
            case.step(
                "remove-image",
                RemoveImage(image=name, references=(name,), with_cache=True),
                cause="asked for with --cleanup-after",
                changes=f"removes the image {name} and its build cache",
            )
        )
        # Nothing of the image stays, unlike after a deploy.
        steps.append(case.clean_cache("clean", "asked for with --cleanup-after", learned="clean-all"))
        if old is not None and case.is_used(old):
            steps.append(
                case.step(
                    "restore-name",
                    Tag(image=old.image_id, reference=name),
                    cause="a container runs the image that had this name before the build",
                    changes=f"names it {name} again",
                )
            )
    return steps


def _unhealthy_now(case: ServiceContext) -> list[Step]:
    for container in case.change.running:
        if container.state == "restarting" or container.health == "unhealthy":
            state = "restarting" if container.state == "restarting" else container.health
            return [
                case.step(
                    "prove",
                    prove_action(case.service),
                    cause=f"nothing changed, but {container.name} is {state}",
                    changes="nothing: asks whether it is healthy",
                )
            ]
    return []


def _pull(case: ServiceContext) -> Step:
    return case.step(
        "pull",
        Pull(reference=case.service.image),
        cause=case.change.pull,
        changes=f"adds the image {case.service.image}",
    )


def _build(case: ServiceContext, reference: str) -> Step:
    assert case.service.build is not None  # noqa: S101 - only a service with a build section has a cause to build
    labels = (
        (LABEL_STACK, case.stack.name),
        (LABEL_SERVICE, case.service.name),
        (LABEL_INPUTS, case.change.inputs_digest),
    )
    # A first build fetches and installs everything; later ones find layers. They teach each other nothing.
    temperature = "cold" if case.inventory.image(case.service.image) is None else "warm"
    return case.step(
        "build",
        Build(spec=case.service.build, reference=reference, labels=labels),
        cause=case.change.build,
        changes=f"adds the image {reference}",
        learned=f"build-{temperature}",
        at_line=(case.clean_cache("give-back", "the build was stopped at the line"),),
    )


def _adopt(case: ServiceContext, reference: str) -> Step:
    return case.step(
        "adopt",
        Tag(image=case.change.source, reference=reference),
        cause="an image built from the same inputs is here already",
        changes=f"names it {reference}",
    )
