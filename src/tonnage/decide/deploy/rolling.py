"""The switch of a service behind a proxy: new containers off its networks, proven, connected, and then the old ones go.

The labels of a container cannot be changed. So Compose makes the new ones with all that they are to have, and they are
started off the networks on which a proxy would reach them. Until the old ones go, undoing is removing the new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import compose_project
from tonnage.decide.deploy.health import prove_action
from tonnage.decide.deploy.switching import fixed_identity, in_its_place, names_back, undo_switch
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import RemoveService, Switch
from tonnage.model.deploy.rolling import Attachment, Connect, Drain, Retire, StartRolling
from tonnage.model.forecast.estimate import NOTHING, RECORDS
from tonnage.model.stack import SwitchOrder
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Prove, Step
    from tonnage.model.stack import ComposeMapping, Service, Stack

# Labels that name the network on which a proxy reaches the container.
_SAYING = ("traefik.docker.network", "traefik.swarm.network", "caddy_ingress_network")


def rolls(context: ServiceContext) -> bool:
    """Return whether a switch of this service is rolling: where nothing runs, it is just started."""
    rolling = context.service.settings.switch is SwitchOrder.ROLLING and bool(context.change.running)
    return rolling and not context.change.networks


def check_rolling(stack: Stack, service: Service) -> None:
    """Refuse a rolling switch that cannot be.

    Raises:
        UsageError: The service cannot run twice, or could not be proven off the networks of its proxy.
    """
    if service.settings.switch is not SwitchOrder.ROLLING:
        return
    why = _why_not(stack, service)
    if why:
        raise UsageError(
            f"{service.name} cannot be switched rolling: {why}",
            todo="Write x-tonnage.switch: start-first, or take away what is in the way.",
            place=str(service.place or ""),
        )


def rolling_steps(context: ServiceContext) -> list[Step]:
    """Return the switch-over of a service whose old containers serve until the new ones are proven and known."""
    service = context.service
    named = service.image if context.source else ""
    return roll_to(
        context,
        Switch(project=compose_project(context.stack, service), image=context.source, image_name=named),
        prove_action(service),
        cause=f"{context.change.switch}; rolling, as x-tonnage.switch says",
        names=names_back(context),
        back=undo_switch(context),
    )


def rolls_to(context: ServiceContext, config: ComposeMapping) -> bool:
    """Return whether a switch to containers that were configured so, on the networks of now, is rolling."""
    same = {*(config.get("networks") or {})} == {*(context.service.config.get("networks") or {})}
    once = config.get("ports") or config.get("container_name") or fixed_identity(config)
    return rolls(context) and same and not once and not _why_not(context.stack, context.service)


def roll_to(
    context: ServiceContext,
    to: Switch,
    wanted: Prove,
    *,
    cause: str,
    names: tuple[Step, ...],
    back: tuple[Step, ...],
) -> list[Step]:
    """Return the steps that bring a service to a configuration while what runs serves.

    Args:
        names: What gives images and names back as they were, as long as what runs was not touched.
        back: What makes it run again afterwards.
    """
    stack, service = context.stack, context.service
    old = tuple(each.container_id for each in context.inventory.service_containers(stack.name, service.name))
    found = _attachments(stack, service)
    apart = [found[key] for key in _apart(stack, service)]
    kept = [each for each in found.values() if each not in apart]
    networks = ", ".join(each.network for each in apart)
    proof = replace(wanted, but=old)
    undo = (
        context.step(
            "undo-rolling",
            RemoveService(project=stack.name, but=old),
            cause="the new version was not proven, and the old one serves",
            changes=f"removes the new containers of {service.name}",
        ),
        *names,
    )
    drain_s = service.settings.drain_s
    return [
        context.step(
            "start-rolling",
            StartRolling(
                project=to.project,
                image=to.image,
                image_name=to.image_name,
                count=wanted.replicas,
                apart=tuple(each.network for each in apart),
                kept=tuple(kept),
            ),
            cause=cause,
            changes=f"starts {wanted.replicas} more of {service.name}, not on {networks} yet",
            on_failure=undo,
        ),
        context.step(
            "prove-rolling",
            proof,
            cause="the running version stays until the new one is healthy",
            changes="health check (changes nothing)",
            on_failure=undo,
        ),
        context.step(
            "connect",
            Connect(networks=tuple(apart), old=old),
            cause="it is healthy, so proxies may send traffic to it",
            changes=f"connects the new containers of {service.name} with {networks}",
            kept=RECORDS,
            on_failure=undo,
        ),
        in_its_place(context, proof, undo),
        context.step(
            "drain",
            Drain(seconds=drain_s),
            cause="proxies have to know the new version before the old one goes",
            changes=f"nothing: waits for {format_seconds(drain_s)}",
            kept=NOTHING,
            on_failure=undo,
        ),
        context.step(
            "retire",
            Retire(containers=old),
            cause="the new version serves",
            changes=f"stops and removes the old containers of {service.name}",
            on_failure=back,
        ),
    ]


def _why_not(stack: Stack, service: Service) -> str:
    """Return why a service cannot be switched rolling; empty where it can."""
    return _why_not_twice(service) or _why_not_apart(stack, service)


def _why_not_twice(service: Service) -> str:
    config = service.config
    if service.ports:
        return "it publishes ports of the host, which two containers cannot hold"
    if service.container_name:
        return f"it has the fixed name {service.container_name}"
    if service.settings.one_shot:
        return "it runs once to its end"
    if service.network_mode:
        return f"it has network_mode {service.network_mode}"
    for key in ("links", "external_links"):
        if config.get(key):
            return f"it has {key}"
    identity = fixed_identity(config)
    return f"it has a {identity}" if identity.startswith("fixed") else identity


def _why_not_apart(stack: Stack, service: Service) -> str:
    networks = service.config.get("networks") or {}
    unknown = sorted(set(service.settings.proxy_networks) - set(networks))
    if unknown:
        return f"x-tonnage.proxy-networks names {unknown[0]!r}, which is none of its networks"
    apart = _apart(stack, service)
    if not apart:
        return (
            "it has to reach what it depends on before a proxy reaches it, and they share all of its networks: put it "
            "on a network of its own with the proxy, and name that under x-tonnage.proxy-networks"
        )
    if service.settings.probe is not None and len(apart) == len(networks):
        return "x-tonnage.probe cannot ask it while it is on no network: a healthcheck, which runs inside of it, can"
    return ""


def _apart(stack: Stack, service: Service) -> tuple[str, ...]:
    """Return the networks, by their keys, on which a proxy reaches a service.

    Those that the settings name, else a label, else those where nothing is that it depends on.
    """
    networks, labels = service.config.get("networks") or {}, service.config.get("labels") or {}
    if service.settings.proxy_networks:
        return tuple(key for key in networks if key in service.settings.proxy_networks)
    said = {str(labels[label]) for label in _SAYING if label in labels}
    found = _attachments(stack, service)
    named = tuple(key for key in networks if said & {key, found[key].network})
    if named:
        return named
    below = {each.service for each in service.depends_on}
    needed = {key for each in stack.services if each.name in below for key in each.config.get("networks") or {}}
    return tuple(key for key in networks if key not in needed)


def _attachments(stack: Stack, service: Service) -> dict[str, Attachment]:
    """Return how the containers of a service are on its networks, as Compose has them."""
    known = stack.shared.get("networks") or {}
    return {
        key: Attachment(
            network=str((known.get(key) or {}).get("name") or f"{stack.name}_{key}"),
            aliases=(service.name, *((how or {}).get("aliases") or ())),
            options=tuple(sorted(((how or {}).get("driver_opts") or {}).items())),
        )
        for key, how in (service.config.get("networks") or {}).items()
    }
