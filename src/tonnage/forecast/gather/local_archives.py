"""Archives that an install takes as files of the build: wheels of the context, and what ``pip wheel`` made before.

A directory in which something else may lie as well is left to the build: what it offers is not known.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.forecast.requirements.lines import normal_name
from tonnage.model.forecast.requirements import RequirementKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.forecast.gather.visible_files import BuiltProject, Made, StageFiles
    from tonnage.model.forecast.python_lock import LocalWheel, ResolveRequest
    from tonnage.model.forecast.requirements import Requirement

_MOST_WHEELS, _MOST_PATTERNS = 500, 100


class LocalArchives(Struct, kw_only=True):
    """What an install finds as files.

    Args:
        lines: In place of paths, requirements.
        rest: Requirements that are no such paths.
        offered: Wheels of the context that are named, or that lie in a directory that is.
        made: What was made before and is used here.
        built: Projects that were built before and are meant, with the extras that are asked for.
        places: Directories that are named and known.
    """

    lines: list[str]
    rest: list[Requirement]
    offered: list[LocalWheel]
    made: list[Made]
    built: list[tuple[BuiltProject, tuple[str, ...]]]
    places: list[str]

    @property
    def names(self) -> frozenset[str]:
        """What is fetched from no index."""
        pins = (normal_name(pin.partition("==")[0]) for each in self.made for pin in each.pins)
        return frozenset((*pins, *(each.wheel.name for each in self.offered)))

    @property
    def projects(self) -> int:
        """How many projects were built before and are installed from there."""
        return len({each.name or each.text for each, _ in self.built})

    def into(self, request: ResolveRequest) -> ResolveRequest:
        """Return a request that knows of these."""
        if not (self.lines or self.places or self.built):
            return request
        pins = tuple(dict.fromkeys(pin for each in self.made for pin in each.pins if "==" in pin))
        request = replace(
            request,
            requirements=(*request.requirements, *self.lines),
            constraints=(*request.constraints, *pins),
            find_links=tuple(each for each in request.find_links if each not in self.places),
            offered=tuple(dict.fromkeys(self.offered)),
        )
        if not self.made or request.find_links:
            return request
        # The versions are those that were chosen before, so it is told by the same indexes what they are.
        asked = self.made[0].asked
        alone = request.no_index
        return replace(
            request,
            no_index=asked.no_index if alone else request.no_index,
            index_url=asked.index_url if alone else request.index_url,
            extra_index_urls=tuple(dict.fromkeys((*request.extra_index_urls, *asked.extra_index_urls))),
            require_hashes=False,
        )


def local_archives(wanted: Sequence[Requirement], find_links: Sequence[str], files: StageFiles) -> LocalArchives:
    """Find what is named by its path."""
    found = LocalArchives(lines=[], rest=[], offered=[], made=[], built=[], places=[])
    here = files.wheels() if find_links or any(_is_archive(each) for each in wanted) else {}
    for each in wanted:
        if not (_is_archive(each) and _named(each, files, found, here)):
            found.rest.append(each)
    for place in find_links:
        directory = posixpath.normpath(place.removeprefix("file://"))
        made = files.made_in(directory) if directory.startswith("/") else None
        inside = [path for path in here if posixpath.dirname(path) == directory]
        if made is None and (not inside or files.may_have(f"{directory}/x")):
            continue
        read = [here[path]() for path in inside[:_MOST_WHEELS]]
        found.offered += [each for each in read if each is not None]
        found.made += [made] if made is not None else []
        found.places.append(place)
        for project in made.projects if made is not None else ():
            meant = [each for each in found.rest if each.name == project.name and not each.location]
            found.built += [(project, each.extras) for each in meant]
            found.rest = [each for each in found.rest if each not in meant]
    return found


def with_projects(wanted: Sequence[Requirement], files: StageFiles) -> tuple[Requirement, ...]:
    """Return requirements in which directories of projects stand for a pattern that means them."""
    found: list[Requirement] = []
    patterns = [each for each in wanted if _is_archive(each) and any(sign in each.location for sign in "*?[")]
    projects = sorted(files.projects()) if patterns else []
    wheels = files.wheels() if patterns else {}
    for each in wanted:
        above = posixpath.dirname(each.location)
        if each not in patterns[:_MOST_PATTERNS]:
            found.append(each)
            continue
        # The shell's pattern goes no level deeper.
        near = [path for path in projects if posixpath.dirname(path) == above]
        meant = [path for path in near if fnmatchcase(path, each.location)]
        found += [replace(each, text=path, location=path) for path in meant]
        archives = any(posixpath.dirname(path) == above and fnmatchcase(path, each.location) for path in wheels)
        found += [each] if archives or not meant else []
    return tuple(found)


def _is_archive(each: Requirement) -> bool:
    """Whether a requirement is the path of an archive, or a pattern of such paths."""
    path = each.location
    return (
        each.kind is RequirementKind.PATH
        and path.startswith("/")
        and not each.editable
        and (path.endswith((".whl", ".tar.gz", ".zip")) or any(sign in path for sign in "*?["))
    )


def _named(
    each: Requirement, files: StageFiles, found: LocalArchives, here: dict[str, Callable[[], LocalWheel | None]]
) -> bool:
    """Add what a path or pattern means; return whether that is known."""
    directory, name = posixpath.split(each.location)
    made = files.made_in(directory)
    if made is not None:
        meant = made.meant_by(name)
        found.lines += meant.pins
        found.built += [(project, each.extras) for project in meant.projects]
        found.made.append(meant)
        return bool(meant.pins or meant.projects)
    paths = [path for path in here if posixpath.dirname(path) == directory and fnmatchcase(path, each.location)]
    read = [here[path]() for path in paths[:_MOST_WHEELS]]
    wheels = [wheel for wheel in read if wheel is not None]
    if not wheels or len(wheels) < len(read):
        return False
    extras = f"[{','.join(each.extras)}]" if each.extras else ""
    marker = f" ; {each.marker}" if each.marker else ""
    found.lines += [f"{wheel.wheel.name}{extras} @ {wheel.wheel.url}{marker}" for wheel in wheels]
    found.offered += wheels
    return True
