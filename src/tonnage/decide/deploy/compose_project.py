"""What Compose is given for a switch: the whole project, resolved, images by name, nothing left to build.

One resolved project makes Compose 1 and 2 behave alike, keeps a rollback independent of what the user's files say by
then, and cannot start a build.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tonnage.model.deploy.image_names import LABEL_CONFIG, LABEL_INPUTS

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping, Service, Stack


def config_digest(service: Service) -> str:
    """Return the identity of a service's configuration: another one means that its containers have to be replaced."""
    canonical = json.dumps(service.config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def compose_project(stack: Stack, service: Service, inputs_digest: str, *, image: str = "") -> ComposeMapping:
    """Return the project for switching one service.

    Args:
        inputs_digest: Identity of what its image was built from; empty when it is pulled or not known.
    """
    services = {
        each.name: {key: value for key, value in each.config.items() if key != "build"} | {"image": each.image}
        for each in stack.services
    }
    labels = {**(service.config.get("labels") or {}), LABEL_CONFIG: config_digest(service)}
    if inputs_digest:
        labels[LABEL_INPUTS] = inputs_digest
    services[service.name] |= {"image": image or service.image, "labels": labels}
    return {"name": stack.name, "services": services, **stack.shared}
