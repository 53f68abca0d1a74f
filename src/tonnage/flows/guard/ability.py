"""What the guard of a run can do on an engine, and what holds bytes that no reclaim gives back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError, TonnageError
from tonnage.model.unknowns import few_inodes
from tonnage.units import format_bytes
from tonnage.views.text.checks import OK, WARNING, Check

if TYPE_CHECKING:
    from tonnage.flows.ports import Engines, ReclaimPorts

_WORTH_TELLING_BYTES = 100_000_000
_MOST_HOLDERS = 5


def pauses_builds(engines: Engines, host: str) -> str:
    """Say that builds are paused at the reserve.

    Raises:
        EngineLacksError: They are not, and why.
        EngineUnreachableError: The engine does not answer.
    """
    with engines.open(host) as access:
        why = access.groups(access.facts.engine()).why_not() if access.groups is not None else "they cannot be frozen"
    if why:
        raise EngineLacksError("builds are stopped at the reserve, and not paused before", why=f"{why}.".capitalize())
    return "builds are paused before the reserve until space is freed"


def inode_checks(ports: ReclaimPorts, host: str) -> list[Check]:
    """Tell of the inodes of the engine's disk, where they are counted and the engine answers."""
    try:
        with ports.engines.facts(host) as facts:
            counted = [each for each in facts.filesystems() if each.inodes]
    except TonnageError:
        return []
    if not counted:
        return []
    short = few_inodes(counted)
    if not short:
        found = "; ".join(f"{each.mount}: {each.available_inodes} available of {each.inodes}" for each in counted)
        return [Check(name="inodes", state=OK, found=found)]
    mount = next(each.mount for each in counted if each.available_inodes < each.reserve_inodes)
    todo = f"Find where the files are:\n  du --inodes -x --max-depth=3 {shlex.quote(mount)} | sort -n | tail"
    return [Check(name="inodes", state=WARNING, found="; ".join(short), todo=todo)]


def held_checks(ports: ReclaimPorts, host: str) -> list[Check]:
    """Name the programs of this machine that hold large removed files open on the disk of the engine."""
    root = ports.engines.data_root(host)
    held = [each for each in ports.machine.held_open(root) if each[1] >= _WORTH_TELLING_BYTES] if root else []
    found = [f"{name} holds {format_bytes(size)} of removed files open" for name, size in held[:_MOST_HOLDERS]]
    if not found:
        return []
    todo = "They are freed when it ends, or reopens its files, as many programs do on SIGHUP."
    return [Check(name="held", state=WARNING, found="; ".join(found), todo=todo)]
