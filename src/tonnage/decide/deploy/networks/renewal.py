"""A network that is written otherwise by now: it is made anew, with the containers of all services on it.

A network cannot be changed. Versions of Compose do three things when they find another one than is written: 2.40 stops
whatever is on it and makes it anew, 2.26 leaves it as it is, 1.29 refuses. So it makes way by a step of our own, right
before the first of its services is switched over: until then they are built and pulled, and all of them run. What
fails from there on brings all of them back, on the network that they had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.changes import is_configured
from tonnage.decide.deploy.followers import followers_back
from tonnage.decide.deploy.networks.attachments import networks_it_is_not_on
from tonnage.decide.deploy.networks.differences import defined, differences
from tonnage.decide.deploy.switching import undo_switch
from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.compose_labels import PROJECT
from tonnage.model.deploy.plan import Step, Switch
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.forecast.estimate import RECORDS
from tonnage.model.names_on_engine import name_on_engine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.network import Network
    from tonnage.model.stack import ComposeMapping, Stack


class Renewal(Struct, frozen=True, kw_only=True):
    """Networks of a stack that are made anew.

    Args:
        contexts: All services of the stack by name; those on these networks have their change.
        members: The services on these networks of which something runs, each after those that it depends on.
        step: What makes way for the networks; None where there are none.
        back: What makes the services run again as they ran.
    """

    contexts: Mapping[str, ServiceContext]
    members: tuple[str, ...] = ()
    step: Step | None = None
    back: tuple[Step, ...] = ()


def renewal(
    stack: Stack, inventory: Inventory, contexts: Mapping[str, ServiceContext], asked: Collection[str]
) -> Renewal:
    """Return what has to be done for networks that are written otherwise.

    Args:
        contexts: All services by name, each after those that it depends on.
        asked: The services that are deployed.

    Raises:
        UsageError: Something is on such a network that this deploy does not replace.
    """
    found = {key: (network, why) for key, network, why in _changed(stack, inventory, contexts)}
    networks = {network.name: key for key, (network, _) in found.items()}
    members = {
        name: tuple(key for key in context.service.config.get("networks") or () if key in found)
        for name, context in contexts.items()
        if any(each.alive for each in context.change.running)
    }
    elsewhere = {name: missed for name, context in contexts.items() if (missed := _elsewhere(context))}
    members = {
        name: tuple(dict.fromkeys((*members.get(name, ()), *elsewhere.get(name, ()))))
        for name in contexts
        if members.get(name) or elsewhere.get(name)
    }
    if not members:
        return Renewal(contexts=contexts)
    for name, key in networks.items():
        _check_alone(stack, inventory, name, key, members)
        others = [each for each in members if key in members[each] and each not in asked]
        if others:
            raise UsageError(
                f"the network {key} has changed in the compose file, and {', '.join(others)} "
                f"{'are' if len(others) > 1 else 'is'} on it",
                why="A network cannot be changed: it is recreated, with the containers of all services on it.",
                todo=_together(asked, others),
                place=str(dict(stack.shared_places).get(f"networks.{key}") or ""),
            )
    _check_together(stack, elsewhere, asked)
    members = {name: keys for name, keys in members.items() if name in asked}
    if not members:
        return Renewal(contexts=contexts)
    causes = [
        f"the network {key} has changed in the compose file ({', '.join(why)})" for key, (_, why) in found.items()
    ]
    causes = [f"{'; '.join(causes)}, and a network cannot be changed"] if causes else []
    for key, name in {key: name for each in elsewhere.values() for key, name in each.items()}.items():
        moved = [each for each in members if key in elsewhere.get(each, ())]
        if moved:
            verb = "are" if len(moved) > 1 else "is"
            causes.append(f"{', '.join(moved)} {verb} not on the network {visible_in_line(name)}, which {key} names")
    changed = {name: _with_change(contexts[name], keys, found) for name, keys in members.items()}
    whole = {**contexts, **changed}
    action = RemoveNetworks(project=stack.name, networks=tuple(networks), services=tuple(reversed(list(members))))
    restored = _restored(whole, tuple(members))
    away = _step(action, "the networks of before have to be there again", on_failure=())
    return Renewal(
        contexts=whole,
        members=tuple(members),
        step=_step(action, "; ".join(causes), on_failure=restored),
        back=(replace(away, name=f"{away.name}-again"), *restored),
    )


def split(steps: Sequence[Step], back: tuple[Step, ...]) -> tuple[list[Step], list[Step]]:
    """Return the steps of a service before its switch-over, and those from it on, which ``back`` undoes."""
    first = next((at for at, each in enumerate(steps) if isinstance(each.action, Switch)), len(steps))
    return list(steps[:first]), [replace(each, on_failure=back) for each in steps[first:]]


def _elsewhere(context: ServiceContext) -> dict[str, str]:
    """Return the networks that containers of a service are not on, by their keys, with their names."""
    stack, service, inventory = context.stack, context.service, context.inventory
    version = context.runs.version if context.runs is not None else None
    # One that it gets is a change of the service alone, which keeps it running until the new one is proven.
    had = version.project["services"][version.service].get("networks") or {} if version is not None else None
    return {
        key: name
        for each in context.change.running
        for key, name in networks_it_is_not_on(stack, service, each, inventory)
        if (key in had if had is not None else is_configured(service, each, inventory))
    }


def _check_together(stack: Stack, elsewhere: Mapping[str, Collection[str]], asked: Collection[str]) -> None:
    """Refuse a deploy that takes some services to a network of another name, away from others."""
    for key in dict.fromkeys(key for each in elsewhere.values() for key in each):
        moved = [name for name in elsewhere if key in elsewhere[name]]
        others = [name for name in moved if name not in asked]
        if others and len(others) < len(moved):
            raise UsageError(
                f"the network {key} is another one in the compose file, and {', '.join(others)} "
                f"{'are' if len(others) > 1 else 'is'} on the present one",
                why="Services that are deployed without these would not reach them any more.",
                todo=_together(asked, others),
                place=str(dict(stack.shared_places).get(f"networks.{key}") or ""),
            )


def _together(asked: Collection[str], others: Collection[str]) -> str:
    return f"Deploy them together:\n  tonnage deploy {' '.join(sorted({*asked, *others}))}"


def _changed(
    stack: Stack, inventory: Inventory, contexts: Mapping[str, ServiceContext]
) -> Iterator[tuple[str, Network, tuple[str, ...]]]:
    """Yield the networks of the engine that are not as they are written, by their keys, with what differs."""
    there = {network.name: network for network in inventory.networks}
    for key in stack.shared.get("networks") or {}:
        written, network = (
            defined(stack.shared, key),
            there.get(name_on_engine(stack.name, stack.shared, "networks", key)),
        )
        # One of that name that somebody else made is not ours to remove; Compose says what it thinks of it.
        if network is None or written.get("external") or network.labels.get(PROJECT) != stack.name:
            continue
        earlier = list(_recorded(key, contexts))
        if earlier and all(each == written for each in earlier):
            continue
        why = {name for each in earlier or [{}] for name in differences(written, network, each)}
        if why:
            yield key, network, tuple(sorted(why))


def _recorded(key: str, contexts: Mapping[str, ServiceContext]) -> Iterator[ComposeMapping]:
    """Yield how a network was written when versions were proven that run on it."""
    for context in contexts.values():
        version = context.runs.version if context.runs is not None else None
        if version is not None and key in (version.project["services"][version.service].get("networks") or {}):
            yield defined(version.project, key)


def _check_alone(
    stack: Stack, inventory: Inventory, name: str, key: str, members: Mapping[str, Collection[str]]
) -> None:
    """Refuse where a container is on a network that is none of the services that are replaced."""
    foreign = next((each for each in inventory.containers if _is_foreign(each, stack, name, key, members)), None)
    if foreign is not None:
        shown = visible_in_line(foreign.name)
        raise UsageError(
            f"the network {key} has changed in the compose file, and the container {shown} is on it",
            why="A network cannot be changed: it is recreated, and this deploy does not replace that container.",
            todo=f"Take it off the network, deploy, then bring it back:\n  docker network disconnect {name} {shown}",
            place=str(dict(stack.shared_places).get(f"networks.{key}") or ""),
        )


def _is_foreign(
    container: Container, stack: Stack, name: str, key: str, members: Mapping[str, Collection[str]]
) -> bool:
    if not container.alive or name not in container.networks:
        return False
    own = container.project == stack.name and not container.one_off
    return not own or key not in members.get(container.service, ())


def _with_change(context: ServiceContext, keys: Sequence[str], recreated: Collection[str]) -> ServiceContext:
    change, key = context.change, keys[0]
    what = f"its network {key} is recreated" if key in recreated else f"its network {key} is another one"
    switch = f"{change.switch}, and {what}" if change.switch else what
    return replace(context, change=replace(change, switch=switch, networks=tuple(keys)))


def _restored(contexts: Mapping[str, ServiceContext], members: Sequence[str]) -> tuple[Step, ...]:
    own = [step for name in members for step in undo_switch(contexts[name])]
    after = [step for name in members for step in followers_back(contexts, name) if step.service not in members]
    return (*own, *{step.name: step for step in after}.values())


def _step(action: RemoveNetworks, cause: str, *, on_failure: tuple[Step, ...]) -> Step:
    names, services = ", ".join(action.networks), ", ".join(reversed(action.services))
    return Step(
        name="remove-networks",
        action=action,
        cause=cause,
        changes=f"stops {services}"
        + (f" and removes the network{'s' if len(action.networks) > 1 else ''} {names}" if names else ""),
        kept=RECORDS,
        on_failure=on_failure,
    )
