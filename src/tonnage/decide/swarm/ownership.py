"""Whether a stack in a Swarm may be taken for ours. Pure.

A deploy removes services that are not in its file, and one that fails goes back to the version before. Both would
destroy what somebody else has given to Swarm under the same name, of which no version is known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.stack import Stack
    from tonnage.model.swarm import StackVersion

_SHOWN = 5


def refuse_stack_of_others(
    stack: Stack, running: Collection[str], versions: Sequence[StackVersion], *, adopt: bool
) -> None:
    """Refuse a stack of this name that runs in the Swarm and is another one.

    It is this one where a version of it came from this repository. Where that is not known of either, it is told by
    the names of services: those of another stack are others.

    Args:
        running: Names of its services in the Swarm.
        versions: What deploys of ours have kept of it, newest first, also of those that came to no end.
        adopt: Take over what another place has deployed.

    Raises:
        UsageError: It is another's.
    """
    if not running:
        return
    if not versions:
        raise UsageError(
            f"the Swarm runs a stack {stack.name} that tonnage did not deploy",
            why=f"{_services(running)} A deploy would remove those that are not in this file, and could not bring"
            " the others back. Nothing was changed.",
            todo="Give this stack a name of its own, with name: in its file or with -p NAME;"
            " or, where it is the same stack and may stop for a moment, remove it first:\n"
            f"  docker stack rm {stack.name}",
        )
    if adopt or any(stack.origin and each.origin == stack.origin for each in versions):
        return
    elsewhere = bool(stack.origin and versions[0].origin)
    if elsewhere or not {each.name for each in stack.services} & set(running):
        why = "It was deployed from another repository." if elsewhere else "None of its services is in this file."
        raise UsageError(
            f"the stack {stack.name} in the Swarm is another one",
            why=f"{why} {_services(running)} Nothing was changed.",
            todo="Give this stack a name of its own, with name: in its file or with\n"
            f"  tonnage deploy -p {stack.name}-2\n"
            "or, where it is the same stack in another place, take it over:\n  tonnage deploy --adopt",
        )


def _services(running: Collection[str]) -> str:
    names = sorted(running)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Its services: {', '.join(names[:_SHOWN])}{more}."
