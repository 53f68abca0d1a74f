"""What the PyTorch of a service is, and comes along with: from a forecast, and from what it looked up."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.requirements import InvalidRequirement

from tonnage.decide.reports.torch import found_torch
from tonnage.forecast.python.parsing import requirement
from tonnage.forecast.python.resolver_lines import holding
from tonnage.lint.torch.builds import is_cuda_part, public
from tonnage.model.forecast.estimate import NOTHING, total
from tonnage.model.reports.torch import TORCH_FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.forecast.gather.watched import LookedUp
    from tonnage.model.forecast.estimate import Estimate, ServiceForecast
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest
    from tonnage.model.stack import Service


class ResolvedTorch(Struct, frozen=True, kw_only=True):
    """The PyTorch of one service.

    Args:
        version: With its local part.
        line: The line of the Dockerfile that installs it; 0 where that is not known.
        by_pip: Whether that line installs it with pip, or as pip does.
        brought_by: Nearest first, and at last the name of a file with a line.
        request: What was asked of the resolver; None where it comes from a lock.
        lock: What that became.
        packages: Every package of the service that was resolved, with its version.
    """

    version: str
    line: int
    by_pip: bool
    brought_by: tuple[str, ...]
    cuda: bool
    cuda_bytes: Estimate
    request: ResolveRequest | None
    lock: Lock
    packages: Mapping[str, str]

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what is installed of PyTorch, without their local parts."""
        return {name: public(self.packages[name]) for name in TORCH_FAMILY if name in self.packages}

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line that ask for it; the file is empty where that is not known."""
        name, _, line = (self.brought_by[-1] if self.brought_by else "").rpartition(":")
        return (name, int(line)) if line.isdecimal() else ("", 0)

    @property
    def is_named(self) -> bool:
        """Whether that line names it itself, and nothing between brings it along."""
        return len(self.brought_by) <= 1


def torch_of(service: Service, forecast: ServiceForecast, seen: LookedUp) -> ResolvedTorch | None:
    """Return the PyTorch of a service; None where it installs none, or that is not known."""
    locks: list[tuple[ResolveRequest | None, Lock]] = [*seen.resolved, *((None, each) for each in seen.locked)]
    having = [(request, lock) for request, lock in locks if any(each.name == "torch" for each in lock.wheels)]
    told = found_torch([service], [forecast])
    if not having or not told:
        return None
    request, lock = having[-1]
    step = next((each for each in forecast.steps if each.line == told[0].line), None)
    parts = step.contributors if step is not None else ()
    by = next((each.brought_by for each in parts if each.name.startswith("torch ")), ())
    cuda = [each for each in parts if is_cuda_part(each.name.partition(" ")[0])]
    packages = {wheel.name: wheel.version for _, each in locks for wheel in each.wheels}
    return ResolvedTorch(
        version=packages["torch"],
        line=told[0].line,
        by_pip=told[0].by_pip,
        brought_by=by,
        cuda=any(is_cuda_part(each.name) for each in lock.wheels),
        cuda_bytes=total(each.disk for each in cuda) if cuda else NOTHING,
        request=request,
        lock=lock,
        packages=packages,
    )


def only_for_cuda(lock: Lock) -> frozenset[str]:
    """Return the parts of CUDA that nothing but PyTorch needs."""
    needs: dict[str, list[str]] = {}
    for name, needed in lock.needs:
        if not (name in TORCH_FAMILY and is_cuda_part(needed)):
            needs.setdefault(name, []).append(needed)
    waiting = [name for name in lock.requested if not is_cuda_part(name)]
    kept = set(waiting)
    while waiting:
        for needed in needs.get(waiting.pop(), ()):
            if needed not in kept:
                kept.add(needed)
                waiting.append(needed)
    return frozenset(each.name for each in lock.wheels if is_cuda_part(each.name) and each.name not in kept)


def marker_holds(lock: Lock) -> Callable[[str], bool]:
    """Return what tells whether a marker holds where a lock is for; one that cannot be read holds."""

    def holds(marker: str) -> bool:
        try:
            return bool(holding([requirement(f"torch ; {marker}")], lock.target))
        except InvalidRequirement:
            return True

    return holds


def files_named(seen: LookedUp, name: str) -> list[str]:
    """Return the files that were read, by the last part of their names."""
    return [path for path in seen.texts if posixpath.basename(path) == name]


def constraint_files(seen: LookedUp) -> frozenset[str]:
    """Return the names of files that requirement files name as constraints."""
    found = set()
    for text in seen.texts.values():
        for line in text.splitlines():
            words = line.strip().replace("=", " ", 1).split()
            if len(words) >= 2 and words[0] in {"-c", "--constraint"}:  # noqa: PLR2004 - an option and its value
                found.add(posixpath.basename(words[1]))
    return frozenset(found)
