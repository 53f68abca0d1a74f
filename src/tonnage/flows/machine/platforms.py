"""Which platform this is, and what the commands can do on it."""

from __future__ import annotations

import platform as system
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError, TonnageError
from tonnage.model.reports.platforms import Platform, limits
from tonnage.views.text.checks import OK, WARNING, Check

if TYPE_CHECKING:
    from tonnage.flows.ports import EnginePorts

_WSL = "microsoft"


def platform_of(ports: EnginePorts, host: str) -> Platform:
    """Find out which platform an engine is on.

    Args:
        host: The engine's address; empty for the usual one.

    Returns:
        The platform; that without an engine where none answers.
    """
    try:
        with ports.engines.facts(host) as facts:
            engine = facts.engine()
            if engine.endpoint.startswith("ssh://"):
                return Platform.REMOTE
            try:
                facts.filesystems()
            except EngineLacksError:
                return Platform.ELSEWHERE
    except TonnageError:
        return Platform.NONE
    if engine.rootless:
        return Platform.ROOTLESS
    # Source: kernels of WSL name it in their release, such as 5.15.153.1-microsoft-standard-WSL2.
    return Platform.WSL if _WSL in system.release().lower() else Platform.LINUX


def platform_check(ports: EnginePorts, host: str) -> Check:
    """Say which platform this is, and what does not work on it.

    Args:
        host: The engine's address; empty for the usual one.

    Returns:
        A check; its ``todo`` names what works with a limit.
    """
    found = platform_of(ports, host)
    missing, limited = limits(found)
    text = f"{found}: all commands work" if not missing else f"{found}: these do not work: {', '.join(missing)}"
    return Check(
        name="platform",
        state=WARNING if missing else OK,
        found=text,
        todo="\n".join(f"{command}: {but}" for command, but in limited),
    )
