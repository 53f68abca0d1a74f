"""Who brought a package: from it through what needs it to the line that asks for it. Pure."""

from __future__ import annotations

import posixpath
from collections import deque
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.model.forecast.python_lock import Lock
    from tonnage.model.forecast.requirements import Requirement


def chains(lock: Lock, lines: Iterable[Requirement], otherwise: str = "") -> dict[str, tuple[str, ...]]:
    """Return by name what brought each package: nearest first, the place of the line last.

    Args:
        lines: What was asked for, with its places.
        otherwise: The file that asks for what is in none of these lines; empty where it is not known.
    """
    places: dict[str, str] = {}
    for line in lines:
        if line.name:
            where = posixpath.basename(line.place.file)
            place = where if line.place.line is None else f"{where}:{line.place.line}"
            places.setdefault(canonicalize_name(line.name), place)
    needs: dict[str, list[str]] = {}
    for name, needed in lock.needs:
        needs.setdefault(name, []).append(needed)
    found: dict[str, tuple[str, ...]] = {name: (place,) for name, place in places.items()}
    waiting = deque(found)
    while waiting:
        name = waiting.popleft()
        for needed in needs.get(name, ()):
            if needed not in found:
                found[needed] = (name, *found[name])
                waiting.append(needed)
    rest: Mapping[str, tuple[str, ...]] = {each.name: (otherwise,) for each in lock.wheels} if otherwise else {}
    return {**rest, **found}
