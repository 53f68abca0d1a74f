"""Whether a stack in a Swarm may be taken for ours. Pure.

A deploy removes services that are not in its file, and one that fails goes back to the version before. Both would
destroy what somebody else has given to Swarm under the same name, of which no version is known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.swarm import StackVersion

_SHOWN = 5


def refuse_stack_of_others(stack: str, running: Collection[str], versions: Sequence[StackVersion]) -> None:
    """Refuse a stack that runs in the Swarm and that no deploy of ours has brought there.

    Args:
        running: Names of its services in the Swarm.
        versions: What deploys of ours have kept of it, also of those that came to no end.

    Raises:
        UsageError: It is another's.
    """
    if not running or versions:
        return
    names = sorted(running)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    raise UsageError(
        f"the Swarm runs a stack {stack} that tonnage did not deploy",
        why=f"Its services: {shown}. A deploy would remove those that are not in this file, and could not bring"
        " the others back. Nothing was changed.",
        todo="Give this stack a name of its own, with name: in its file or with -p NAME;"
        f" or, where it is the same stack and may stop for a moment, remove it first:\n  docker stack rm {stack}",
    )
