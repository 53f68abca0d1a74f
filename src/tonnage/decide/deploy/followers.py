"""Services that have to follow when the containers of another one are replaced.

Who shares a namespace or mounts the volumes of a container is made anew after it; ``restart: true`` of ``depends_on``
restarts. Both are proven, and both hold for those that follow these in turn. They come back as they run: nobody asked
for another version of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.joined import VOLUMES, told, what_is_gone
from tonnage.decide.deploy.restore import sparing, way_back
from tonnage.model.deploy.plan import Keep, Prove, Restart, Switch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Dependency


_CAUSES: dict[type, str] = {
    Prove: "it has to be healthy with what it follows",
    Keep: "its version runs in new containers",
}


class Following(Struct, frozen=True, kw_only=True):
    """Why a service has to follow, and how.

    Args:
        recreate: Its containers are made anew; else they are restarted.
        owners: The services of this plan that it follows; none where it only makes up for what happened before.
    """

    cause: str
    recreate: bool
    owners: tuple[str, ...] = ()


def following(context: ServiceContext, replaced: Collection[str]) -> Following | None:
    """Return why a service has to follow others; None when it need not, or nothing of it runs.

    Args:
        replaced: The services whose containers the plan replaces or restarts before.
    """
    alive = [container for container in context.change.running if container.alive]
    if not alive:
        return None
    dependencies = context.service.depends_on
    owners = [each for each in dependencies if each.service in replaced and (each.shares or each.restart)]
    sharing = [each for each in owners if each.shares]
    if owners:
        first = (sharing or owners)[0]
        shares = f"shares the {told(first.shares)} of {first.service}"
        how = shares if first.shares else f"depends on {first.service} with restart: true"
        return Following(
            cause=f"it {how}, whose containers are replaced",
            recreate=bool(sharing),
            owners=tuple(each.service for each in owners),
        )
    gone = _gone(context, alive)
    if gone:
        return Following(cause=gone, recreate=True)
    missed = next((each for each in dependencies if each.restart and _missed(context, each, alive)), None)
    if missed is None:
        return None
    return Following(
        cause=f"it depends on {missed.service} with restart: true, which was replaced after it started", recreate=False
    )


def follow_steps(context: ServiceContext, why: Following, back: Sequence[Step] = ()) -> list[Step]:
    """Return the steps by which a service follows, as it runs.

    Args:
        back: What undoes a failure.
    """
    steps = _as_it_runs(context) if why.recreate else _restart(context)
    names = {"restore": "switch", "prove-restored": "prove"} if why.recreate else {}
    return [
        replace(
            step,
            name=_renamed(step.name, names),
            cause=_CAUSES.get(type(step.action), why.cause),
            on_failure=tuple(back),
        )
        for step in steps
    ]


def with_followers_back(steps: Iterable[Step], contexts: Mapping[str, ServiceContext], service: str) -> list[Step]:
    """Return the steps of a service, whose ways back also bring those back that follow it.

    Args:
        contexts: All services by name, each after those that it depends on.
    """
    back: tuple[Step, ...] | None = None
    found = []
    for step in steps:
        if any(isinstance(each.action, Switch) for each in step.on_failure):
            back = followers_back(contexts, service) if back is None else back
            step = replace(step, on_failure=(*step.on_failure, *back))  # noqa: PLW2901
        found.append(step)
    return found


def followers_back(contexts: Mapping[str, ServiceContext], service: str) -> tuple[Step, ...]:
    """Return the steps that bring those back who follow a service, once that one is back."""
    replaced, steps = {service}, []
    for name, context in contexts.items():
        # Few services follow others, and this is asked for each service that is replaced.
        if not any(each.shares or each.restart for each in context.service.depends_on):
            continue
        why = following(context, replaced) if name != service else None
        if why is None or not why.owners:
            continue
        replaced.add(name)
        cause = f"{why.owners[0]} is replaced once more on the way back"
        # Nobody followed yet where that service itself was not replaced.
        whole = [*contexts[service].change.running, *context.change.running]
        own = sparing(_as_it_runs(context) if why.recreate else _restart(context), whole)
        steps += [replace(step, cause=cause) if isinstance(step.action, Switch | Restart) else step for step in own]
    return tuple(steps)


def _as_it_runs(context: ServiceContext) -> list[Step]:
    """Return the steps that make the containers of a service anew as they are, and prove them."""
    return [
        replace(step, action=replace(step.action, recreate=True)) if isinstance(step.action, Switch) else step
        for step in way_back(context)
    ]


def _restart(context: ServiceContext) -> list[Step]:
    proof = next(step for step in _as_it_runs(context) if isinstance(step.action, Prove))
    name = context.service.name
    restart = context.step(
        "restart",
        Restart(project=context.stack.name),
        cause="",
        changes=f"restarts the containers of {name}",
    )
    return [restart, replace(proof, name=f"{name}.prove-restarted")]


def _renamed(name: str, names: Mapping[str, str]) -> str:
    service, _, own = name.rpartition(".")
    return f"{service}.{names.get(own, own)}"


def _gone(context: ServiceContext, alive: Sequence[Container]) -> str:
    """Return what the containers of a service shared and have no more; empty when nothing is missing."""
    there = context.inventory.containers

    def find(name: str) -> Container | None:
        return next((each for each in there if each.is_called(name)), None)

    for container in alive:
        gone = what_is_gone(container, find)
        if gone:
            return gone
    for dependency in context.service.depends_on:
        if VOLUMES not in dependency.shares:
            continue
        owners = context.inventory.service_containers(context.stack.name, dependency.service)
        for container in alive:
            names = [name for kind, name in container.joined if kind == VOLUMES]
            if owners and names and not any(owner.is_called(name) for owner in owners for name in names):
                return f"it mounts the volumes of a container of {dependency.service} that is gone"
    return ""


def _missed(context: ServiceContext, dependency: Dependency, alive: Sequence[Container]) -> bool:
    """Whether all containers that run of what a service depends on were made after its own had started."""
    owners = context.inventory.service_containers(context.stack.name, dependency.service)
    made = [owner.created_s for owner in owners if owner.alive]
    return bool(made) and any(0 < container.started_s < min(made) for container in alive)
