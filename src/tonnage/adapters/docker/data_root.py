"""Where a local engine keeps its data, asked in one short question, without loading what a conversation needs.

It is for the case that nothing has to be done: whatever is not plain is left to the connection proper.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.docker.short_question import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT = "unix:///var/run/docker.sock"
_WITHIN_S = 1.0


def data_root(environment: Mapping[str, str], host: str = "") -> str:
    """Return the data root of an engine on this machine.

    Args:
        environment: ``DOCKER_HOST`` names the engine where ``host`` does not.
        host: The engine, as typed; empty for the environment's.

    Returns:
        The directory; empty when the engine is on another machine, is named by a docker context, or does not answer.
    """
    endpoint = local_endpoint(environment, host)
    if not endpoint:
        return ""
    try:
        told = answer(endpoint.removeprefix("unix://"), "/info", _WITHIN_S)
    except OSError:
        return ""
    root = told.get("DockerRootDir", "") if isinstance(told, dict) else ""
    return root if isinstance(root, str) and os.path.isdir(root) else ""  # noqa: PTH112 - a string is asked for


def local_endpoint(environment: Mapping[str, str], host: str = "") -> str:
    """Return the address of an engine on this machine, where nothing has to be looked up to know it.

    Args:
        environment: ``DOCKER_HOST`` names the engine where ``host`` does not.
        host: The engine, as typed; empty for the environment's.

    Returns:
        ``unix:///...``; empty when the engine is elsewhere, is named by a docker context, or oddly written.
    """
    named = host or environment.get("DOCKER_HOST", "")
    if not named and (environment.get("DOCKER_CONTEXT") or _has_context(environment)):
        return ""
    endpoint = named or _DEFAULT
    return endpoint if endpoint.startswith("unix:///") else ""


def _has_context(environment: Mapping[str, str]) -> bool:
    """Whether the docker command's settings name an engine; what cannot be read may do so."""
    directory = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    try:
        settings = json.loads(Path(directory, "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not isinstance(settings, dict) or settings.get("currentContext", "default") != "default"
