"""Newer versions that the requirements allow by themselves and not together: pip fetches their wheels to learn that.

pip looks at the newest version of what is asked for, and at the next one where that needs something that does not fit.
What a wheel needs it reads from the wheel, which it fetches whole, unless the index offers metadata apart (PEP 658) and
pip is 23.2 or newer.

Source: pip 23.0, measured; its resolver, ``resolution/resolvelib``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from tonnage.forecast.python.parsing import version
from tonnage.forecast.python.source_archives import versions_asked_for
from tonnage.model.forecast.python_lock import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.requirements import Requirement

    from tonnage.model.forecast.python_lock import Lock, Wheel

    # The addresses of the files of a project, and whether its index offers metadata beside them.
    Listed = Callable[[str], tuple[list[str], bool]]


def with_a_choice(named: Sequence[Requirement]) -> list[Requirement]:
    """Return the requirements that leave a choice; none where no other one could limit it."""
    free = [each for each in named if not each.url and not any(part.operator == "==" for part in each.specifier)]
    return free if len({each.name for each in named}) > 1 else []


def rejected_versions(lock: Lock, newest: Lock, named: Iterable[Requirement], listed: Listed) -> tuple[Rejected, ...]:
    """Return what was passed over.

    Args:
        lock: What the requirements resolve to together.
        newest: What each of them resolves to by itself.
        listed: What indexes list of a project.
    """
    taken = {wheel.name: wheel for wheel in lock.wheels}
    found = []
    for wheel in newest.wheels:
        fitting = taken.get(wheel.name)
        if fitting is None or not version(fitting.version) < version(wheel.version):
            continue
        urls, apart = listed(wheel.name)
        allowed = versions_asked_for(wheel.name, named, lock.target)
        count = sum(
            1
            for each in _versions(wheel, urls)
            if version(fitting.version) < version(each) <= version(wheel.version) and allowed.contains(each)
        )
        sizes = [each.size_bytes for each in (wheel, fitting) if each.size_bytes is not None]
        found.append(
            Rejected(
                name=wheel.name, version=wheel.version, count=max(1, count), size_bytes=max(sizes, default=None),
                metadata_apart=apart,
            )
        )  # fmt: skip
    return tuple(found)


def _versions(wheel: Wheel, urls: Iterable[str]) -> set[str]:
    """Return the versions of a project that have a wheel; pre-releases only where one is the newest."""
    found = set()
    for url in urls:
        try:
            name, number, _, _ = parse_wheel_filename(url.partition("#")[0].rpartition("/")[2])
        except InvalidWheelFilename:
            continue
        if name == canonicalize_name(wheel.name) and not (number.is_prerelease and str(number) != wheel.version):
            found.add(str(number))
    return found
