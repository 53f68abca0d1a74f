"""Where a local engine keeps its data, asked in one short question, without loading what a conversation needs.

It is for the case that nothing has to be done: whatever is not plain is left to the connection proper.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOCKET = "/var/run/docker.sock"
_WITHIN_S = 1.0
_SETTINGS = "/etc/docker/daemon.json"
_USUAL = "/var/lib/docker"


def data_root(environment: Mapping[str, str], host: str = "") -> str:
    """Return the data root of an engine on this machine.

    Args:
        environment: ``DOCKER_HOST`` names the engine where ``host`` does not.
        host: The engine, as typed; empty for the environment's.

    Returns:
        The directory, or that in which an engine that is dead has its data most probably; empty when the engine is on
        another machine, or does not answer in time.
    """
    endpoint = local_endpoint(environment, host) or _of_context(environment, host)
    if not endpoint:
        return ""
    try:
        os.stat(endpoint.removeprefix("unix://"))  # noqa: PTH116 - a string is asked for
        from tonnage.adapters.docker.socket_get import answer  # noqa: PLC0415 - there may be one that answers

        told = answer(endpoint.removeprefix("unix://"), "/info", _WITHIN_S)
    except (FileNotFoundError, ConnectionRefusedError):
        return usual_data_root(environment, host)
    except OSError:
        return ""
    root = told.get("DockerRootDir", "") if isinstance(told, dict) else ""
    return root if isinstance(root, str) and os.path.isdir(root) else ""  # noqa: PTH112 - a string is asked for


def usual_data_root(environment: Mapping[str, str], host: str = "", *, settings: str = _SETTINGS) -> str:
    """Return where an engine of this machine has its data when it does not answer.

    Args:
        environment: ``DOCKER_HOST`` names the engine where ``host`` does not.
        host: The engine, as typed; empty for the environment's.
        settings: The engine's own file.

    Returns:
        The directory of the engine's settings, or the usual one, or ``/`` where that is not there; empty when the
        engine that is meant is, or may be, on another machine.
    """
    if not (local_endpoint(environment, host) or _of_context(environment, host)):
        return ""
    try:
        told = _json_of(Path(settings))
    except (OSError, ValueError):
        told = {}
    named = told.get("data-root", "") if isinstance(told, dict) else ""
    return next((each for each in (named, _USUAL) if isinstance(each, str) and os.path.isdir(each)), "/")  # noqa: PTH112


def local_endpoint(environment: Mapping[str, str], host: str = "") -> str:
    """Return the address of an engine on this machine, where nothing has to be looked up to know it.

    Args:
        host: The engine, as typed; empty for the environment's.

    Returns:
        ``unix:///...``; empty when the engine is elsewhere, is named by a docker context, or oddly written.
    """
    named = host or environment.get("DOCKER_HOST", "")
    if not named and (environment.get("DOCKER_CONTEXT") or _has_context(environment)):
        return ""
    endpoint = named or usual_endpoint(environment)
    return endpoint if endpoint.startswith("unix:///") else ""


def usual_endpoint(environment: Mapping[str, str], socket: str = _SOCKET) -> str:
    """Return the address of an engine that nobody names: the machine's, or this user's own where that is not theirs.

    Args:
        socket: The machine's.

    Source: Docker's documentation of rootless mode.
    """
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    mine = f"{runtime}/docker.sock"
    if runtime.startswith("/") and not os.access(socket, os.W_OK) and os.access(mine, os.W_OK):
        return f"unix://{mine}"
    return f"unix://{socket}"


def _has_context(environment: Mapping[str, str]) -> bool:
    """Whether the docker command's settings name an engine; what cannot be read may do so."""
    directory = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    try:
        settings = _json_of(Path(directory, "config.json"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not isinstance(settings, dict) or settings.get("currentContext", "default") != "default"


def _of_context(environment: Mapping[str, str], host: str) -> str:
    """Return the address that a docker context has for an engine on this machine; empty for everything else.

    Source: docker/cli, cli/context/store: ``contexts/meta/SHA256-OF-THE-NAME/meta.json``.
    """
    if host or environment.get("DOCKER_HOST"):
        return ""
    directory = Path(environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker")
    try:
        name = environment.get("DOCKER_CONTEXT") or _json_of(directory / "config.json")["currentContext"]
        import hashlib  # noqa: PLC0415 - few machines have contexts

        meta = directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        endpoint = usual_endpoint(environment) if name == "default" else _json_of(meta)["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return endpoint if isinstance(endpoint, str) and endpoint.startswith("unix:///") else ""


def _json_of(file: Path) -> Any:  # noqa: ANN401 - whatever somebody has written there
    """Read a file that most machines do not have, so that the reader of JSON is loaded where there is one only."""
    text = file.read_text(encoding="utf-8")
    import json  # noqa: PLC0415

    return json.loads(text)
