"""The steps of one service in order: image, start-first proof, switch-over, proof in its place, tidying.

A built image carries a candidate name until it is proven; the service's own name moves only at the switch. So a run
that stops anywhere before it, for whatever reason, leaves the running version and its name as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import stands_below
from tonnage.decide.deploy.health import prove_action
from tonnage.decide.deploy.leftovers import leftover_steps, superseded_steps, surplus_steps
from tonnage.decide.deploy.rolling import rolling_steps, rolls
from tonnage.decide.deploy.switching import good_steps, keep_steps, start_first_steps, switch_steps, unproven_steps
from tonnage.decide.reports.known_engines import pushes_packed, version_of
from tonnage.model.deploy.image_names import LABEL_INPUTS, LABEL_SERVICE, LABEL_STACK
from tonnage.model.deploy.plan import Build, Pull, Push, RemoveImage, Tag
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service, Stack


def deploy_steps(context: ServiceContext) -> list[Step]:
    """Return the steps that deploy one service, up to its proof; none when nothing changed and nothing is left."""
    change = context.change
    steps = leftover_steps(context)
    if not change.switch:
        return steps + (_unhealthy_now(context) or unproven_steps(context) or surplus_steps(context))
    if change.pull:
        steps += [*keep_steps(context), pull_step(context)]
    if change.build:
        steps.append(_build(context, context.candidate))
    elif context.source and not context.names(change.source, context.candidate):
        steps.append(_adopt(context, context.candidate))
    rolling = rolls(context)
    steps += [] if rolling else start_first_steps(context)
    steps += [] if change.pull else keep_steps(context)
    return steps + (rolling_steps(context) if rolling else switch_steps(context))


def settled_steps(context: ServiceContext) -> list[Step]:
    """Return what follows the switch-over of a service once its new version is proven."""
    if not context.change.switch:
        return []
    steps = good_steps(context) + superseded_steps(context)
    if context.change.build and context.cleans_cache:
        steps.append(context.clean_cache("clean", "build leftovers that no image uses"))
    return steps


def build_steps(context: ServiceContext) -> tuple[list[Step], list[Step]]:
    """Return the steps of the build half for one service: build and push, and those that clean up as the policy says.

    Cleaning up has to wait until nothing else is built on the image.
    """
    name = context.own_name
    steps: list[Step] = []
    cleanup: list[Step] = []
    old = context.inventory.image(name)
    if context.change.build:
        steps.append(
            _build(
                context,
                name,
                packed=is_pushed_packed(context.stack, context.service, context.inventory, context.policy),
            )
        )
        if _pushes(steps):
            cleanup = [context.clean_cache("clean", "asked for with --cleanup-after", learned="clean-all")]
            return steps, cleanup if context.policy.cleanup_after else []
        if old is not None and context.is_ours(old) and not context.is_used(old) and set(old.references) <= {name}:
            steps.append(context.remove_image("remove-superseded", old, f"the new image took its name {name}"))
    elif context.source:
        steps.append(_adopt(context, name))
    if context.policy.push:
        steps.append(
            context.step(
                "push",
                Push(reference=name),
                cause="asked for with --push",
                changes=f"sends {name} to its registry",
            )
        )
    there = old is not None and context.is_ours(old)
    if (
        context.policy.cleanup_after
        and (steps or there)
        and (context.change.build or old is None or not context.is_used(old))
    ):
        cleanup.append(
            context.step(
                "remove-image",
                RemoveImage(image=name, references=(name,), with_cache=True),
                cause="asked for with --cleanup-after",
                changes=f"removes the image {name} and its build cache",
            )
        )
        # Nothing of the image stays, unlike after a deploy.
        cleanup.append(context.clean_cache("clean", "asked for with --cleanup-after", learned="clean-all"))
        if old is not None and context.is_used(old):
            cleanup.append(
                context.step(
                    "restore-name",
                    Tag(image=old.image_id, reference=name),
                    cause="a container runs the image that had this name before the build",
                    changes=f"tags it {name} again",
                )
            )
    return steps, cleanup


_NOT_SERVING = frozenset({"restarting", "paused"})


def _unhealthy_now(context: ServiceContext) -> list[Step]:
    for container in context.change.running:
        if container.state in _NOT_SERVING or container.health == "unhealthy":
            state = container.state if container.state in _NOT_SERVING else container.health
            return [
                context.step(
                    "prove",
                    prove_action(context.service),
                    cause=f"nothing changed, but {container.name} is {state}",
                    changes="health check (changes nothing)",
                )
            ]
    return []


def pull_step(context: ServiceContext) -> Step:
    """Return the step that pulls the image of a service."""
    return context.step(
        "pull",
        Pull(reference=context.service.image, platform=str(context.service.config.get("platform") or "")),
        cause=context.change.pull,
        changes=f"pulls {context.service.image}",
    )


def is_pushed_packed(stack: Stack, service: Service, inventory: Inventory, policy: Policy) -> bool:
    """Return whether the build half pushes an image without the engine having unpacked it: nothing else needs it.

    A builder beside the engine pushes it itself, and the engine never has it.
    """
    engine = inventory.engine
    if engine.builder is not None:
        return policy.push and not stands_below(stack, service)
    kind = EngineKind.CONTAINERD if engine.image_store == CONTAINERD else EngineKind.BUILDKIT
    return policy.push and pushes_packed(kind, version_of(engine.version)) and not stands_below(stack, service)


def _build(context: ServiceContext, reference: str, *, packed: bool = False) -> Step:
    assert context.service.build is not None  # noqa: S101 - only a service with a build section has a cause to build
    labels = (
        (LABEL_STACK, context.stack.name),
        (LABEL_SERVICE, context.service.name),
        (LABEL_INPUTS, context.change.inputs_digest),
    )
    # A first build fetches and installs everything; later ones find layers. They teach each other nothing.
    temperature = "cold" if context.inventory.image(context.service.image) is None else "warm"
    builder = context.inventory.engine.builder
    name = builder.name if builder is not None else ""
    pushes = packed and builder is not None
    unsaid = context.inventory.image(context.service.image)
    if unsaid is not None and LABEL_INPUTS in unsaid.labels:
        unsaid = None
    built = f"builds and pushes {reference}" if pushes else f"builds {reference}"
    built += f", or finds that {context.own_name} is the same" if unsaid is not None else ""
    return context.step(
        "build",
        Build(
            spec=context.service.build,
            reference=reference,
            labels=labels,
            packed=packed and not pushes,
            builder=name,
            pushes=pushes,
            same_as=unsaid.image_id if unsaid is not None and reference == context.candidate else "",
        ),
        cause=context.change.build,
        changes=f"{built}, with the builder {name}" if name else built,
        learned=f"build-{temperature}{'-packed' * packed}{f'-by-{name}' if name else ''}",
        at_reserve=(context.clean_cache("give-back", "the build was stopped: free space fell below the reserve"),),
    )


def _pushes(steps: Sequence[Step]) -> bool:
    return any(isinstance(step.action, Build) and step.action.pushes for step in steps)


def _adopt(context: ServiceContext, reference: str) -> Step:
    return context.step(
        "adopt",
        Tag(image=context.change.source, reference=reference),
        cause="an image built from the same inputs is here already",
        changes=f"tags it {reference}",
    )
