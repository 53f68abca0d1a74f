"""The file that Compose is given for a switch: the whole project, resolved, images by name, nothing left to build.

One resolved file makes Compose 1 and 2 behave alike, keeps a rollback independent of what the user's files say by then,
and cannot start a build.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tonnage.model.deploy.image_names import LABEL_CONFIG, LABEL_INPUTS

if TYPE_CHECKING:
    from tonnage.model.stack import Service, Stack


def config_digest(service: Service) -> str:
    """Return the identity of a service's configuration: another one means that its containers have to be replaced."""
    return hashlib.sha256(service.config_json.encode()).hexdigest()


def project_json(stack: Stack, service: Service, inputs_digest: str, *, image: str = "") -> str:
    """Write the project file for switching one service.

    Args:
        inputs_digest: Identity of what its image was built from; empty when it is pulled or not known.
    """
    services = {}
    for each in stack.services:
        config = json.loads(each.config_json)
        config.pop("build", None)
        config["image"] = each.image
        if each.name == service.name:
            config["image"] = image or each.image
            labels = dict(config.get("labels") or {})
            labels[LABEL_CONFIG] = config_digest(service)
            if inputs_digest:
                labels[LABEL_INPUTS] = inputs_digest
            config["labels"] = labels
        services[each.name] = config
    project = {"name": stack.name, "services": services, **json.loads(stack.shared_json)}
    return json.dumps(_doubled(project), sort_keys=True, separators=(",", ":"))


def _doubled(value: object) -> object:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _doubled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    return value
