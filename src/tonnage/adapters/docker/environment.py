"""The environment that the docker and compose programs get: the user's own, but aimed at exactly one engine.

What would change a run behind its back is taken out: another context, another builder, another Compose file, orphans
to be removed. Proxies, credentials, locale and the like stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.connect import DockerConnection

_DIVERTING = frozenset(
    {"DOCKER_CONTEXT", "DOCKER_BUILDKIT", "BUILDKIT_PROGRESS", "BUILDX_BUILDER", "BUILDX_METADATA_FILE"}
)
_COMPOSE_KEPT = frozenset({"COMPOSE_HTTP_TIMEOUT", "COMPOSE_TLS_VERSION", "COMPOSE_PARALLEL_LIMIT"})


def aimed_at(connection: DockerConnection, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a program that shall act on this engine.

    Args:
        connection: The engine.
        environment: The user's environment.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _DIVERTING and (not name.startswith("COMPOSE_") or name in _COMPOSE_KEPT)
    }
    kept["DOCKER_HOST"] = connection.door
    if connection.endpoint.startswith("tcp://"):
        certificate = connection.client.api.cert
        if isinstance(certificate, tuple):
            # The certificates of a docker context lie in a directory of the form that this variable names.
            kept |= {"DOCKER_CERT_PATH": str(Path(certificate[0]).parent), "DOCKER_TLS_VERIFY": "1"}
    return kept
