"""Whether containers have the networks and volumes that are written: pure.

Versions of Compose leave the names of both out of what they compare, so the containers themselves are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.names_on_engine import name_on_engine, volumes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tonnage.model.inventory import Container, Inventory, Volume
    from tonnage.model.stack import ComposeMapping, Service, Stack


def networks_it_is_not_on(
    stack: Stack, service: Service, container: Container, inventory: Inventory
) -> tuple[tuple[str, str], ...]:
    """Return the networks that a container is not on, by their keys, with their names.

    Of one that is on none nobody can tell: it may have the network of another one.
    """
    if not container.alive or not container.networks:
        return ()
    by_id = {each.network_id: each.name for each in inventory.networks}
    named = {key: name_on_engine(stack.name, stack.shared, "networks", key) for key in _keys(service)}
    return tuple((key, name) for key, name in named.items() if by_id.get(name, name) not in container.networks)


def volume_it_lacks(stack: Stack, service: Service, container: Container) -> str:
    """Return the name of a volume that a container has to mount and does not; empty where there is none."""
    if container.volumes is None:
        return ""
    names = (name_on_engine(stack.name, stack.shared, "volumes", key) for key in volumes_of(service.config))
    return next((name for name in names if name not in container.volumes), "")


def notes_of_volumes(stack: Stack, services: Collection[str], inventory: Inventory) -> Iterator[str]:
    """Say of which volumes an engine keeps what was written before: it cannot change one."""
    there = {each.name: each for each in inventory.volumes}
    used = [key for each in stack.services if each.name in services for key in volumes_of(each.config)]
    for key in dict.fromkeys(used):
        written = (stack.shared.get("volumes") or {}).get(key) or {}
        volume = there.get(name_on_engine(stack.name, stack.shared, "volumes", key))
        differing = () if volume is None or written.get("external") else _differing(written, volume)
        if volume is not None and differing:
            name = visible_in_line(volume.name)
            yield (
                f"the volume {visible_in_line(key)} has changed in the compose file ({', '.join(differing)}), and stays"
                f" as it is: only a new one gets that, without its data. To give it up: docker volume rm {name}"
            )


def _differing(written: ComposeMapping, volume: Volume) -> tuple[str, ...]:
    options = {str(key): _text(value) for key, value in (written.get("driver_opts") or {}).items()}
    changed = [key for key in sorted({*options, *volume.options}) if options.get(key) != volume.options.get(key)]
    driver = str(written.get("driver") or "local")
    return (
        *(["driver"] if volume.driver and driver != volume.driver else []),
        *(f"driver_opts.{visible_in_line(key)}" for key in changed),
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _keys(service: Service) -> tuple[str, ...]:
    return tuple(service.config.get("networks") or ())
