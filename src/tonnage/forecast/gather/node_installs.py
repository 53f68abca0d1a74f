"""What a command installs for Node.js: from the lock that the build sees, by sizes of registries or usual ones."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import CannotResolveError
from tonnage.forecast.costs.node_installs import chosen, installed
from tonnage.forecast.costs.usual_sizes import named_tools
from tonnage.forecast.gather.context import shown_command
from tonnage.forecast.node.locks import read_lock
from tonnage.model.forecast.estimate import assumed
from tonnage.model.forecast.node_packages import NODE_LOCKS, NodeTarget
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes
from tonnage.model.marks import unmarked

if TYPE_CHECKING:
    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.node_packages import NodeInstall

_MACHINES = {"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "ia32", "ppc64le": "ppc64", "s390x": "s390x"}


def node_target(platform: str, *, musl: bool | None) -> NodeTarget:
    """Return what packages are chosen for on a platform."""
    machine = [*unmarked(platform).split("/"), ""][1]
    return NodeTarget(machine=_MACHINES.get(machine, machine), musl=musl)


def node_deed(
    effect: NodeInstall,
    files: StageFiles,
    lookups: Lookups,
    said: Diagnostics,
    target: NodeTarget,
    *,
    assume_bytes: int,
) -> SizedEffect:
    """Return what an install does."""
    name = f"{effect.place}: {shown_command(effect.command)}"
    named = SizedEffect()
    if effect.packages:
        named = named_tools(effect.manager, effect.packages, effect.command, effect.cache, assume_bytes)
    if effect.globally:
        return named if effect.packages else _assumed(effect, "what it installs is not named: assumed", assume_bytes)
    project = files.text(posixpath.join(effect.directory, "package.json")) or ""
    for lock_name in NODE_LOCKS[effect.manager]:
        text = files.text(posixpath.join(effect.directory, lock_name))
        if text is None:
            continue
        try:
            lock = read_lock(lock_name, text, project)
        except CannotResolveError as error:
            said.failures.append(f"{name}: {error.what}. {error.why}")
            return _assumed(effect, "its lock cannot be read: assumed", assume_bytes)
        said.notes += [f"{name}: {note}" for note in lock.notes]
        packages = chosen(lock.packages, effect, target)
        sizes, why = lookups.node_sizes(packages)
        if why:
            few = len(packages) - len(sizes)
            said.notes.append(
                f"{name}: of {few} of {len(packages)} packages no size is told, usual ones are taken: {why}"
            )
        deed = installed(effect, packages, sizes, assume_bytes=assume_bytes, doubtful=lock.doubtful)
        return replace(deed, writes=(*deed.writes, *named.writes))
    if effect.packages and not project:
        return named
    return _assumed(effect, f"the build sees no {NODE_LOCKS[effect.manager][-1]}: assumed", assume_bytes)


def _assumed(effect: NodeInstall, source: str, assume_bytes: int) -> SizedEffect:
    bound = assumed(assume_bytes)
    place = posixpath.join(effect.directory, "node_modules")
    return SizedEffect(writes=(WrittenBytes.of_size(effect.command[:80], place, bound, source, download=bound),))
