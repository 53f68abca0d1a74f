"""What an engine was told about registries: which mirrors stand in for Docker's index, which are spoken to plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.docker.error_translation import speaking_to

if TYPE_CHECKING:
    from tonnage.adapters.docker.connect import DockerConnection


class RegistrySettings(Struct, frozen=True, kw_only=True):
    """The engine's registry settings.

    Args:
        mirrors: Addresses that stand in for Docker's own index, with their scheme.
        insecure: Hosts, hosts with a port, and networks that may be spoken to without TLS.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()


def registry_settings(connection: DockerConnection) -> RegistrySettings:
    """Ask an engine.

    Args:
        connection: The engine.

    Returns:
        Its settings.

    Raises:
        EngineUnreachableError: The engine does not answer.

    Source: ``RegistryConfig`` of ``GET /info``, Docker Engine API 1.41.
    """
    with speaking_to(connection.endpoint, "ask the engine about itself"):
        told = connection.read("/info").get("RegistryConfig") or {}
    hosts = [name for name, index in (told.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    networks = told.get("InsecureRegistryCIDRs") or []
    return RegistrySettings(
        mirrors=tuple(str(mirror).rstrip("/") for mirror in told.get("Mirrors") or ()),
        insecure=tuple(map(str, (*hosts, *networks))),
    )
