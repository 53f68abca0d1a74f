"""What the guard of a run can do on an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from tonnage.flows.ports import Engines


def pauses_builds(engines: Engines, host: str) -> str:
    """Say that builds are paused at the reserve.

    Raises:
        EngineLacksError: They are not, and why.
        EngineUnreachableError: The engine does not answer.
    """
    with engines.open(host) as access:
        why = access.groups(access.facts.engine()).why_not() if access.groups is not None else "nobody can freeze them"
    if why:
        raise EngineLacksError("builds are stopped at the reserve, and not paused before", why=f"{why}.".capitalize())
    return "builds are paused before the reserve until room was made"
