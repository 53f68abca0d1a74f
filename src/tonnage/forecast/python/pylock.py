"""Lock files in the standard's form (PEP 751): text in, :class:`Lock` out, with one wheel for each package.

Source: packaging 26.3, ``packaging.pylock``; PEP 425, 600 and 656 for the tags of a target.
"""

from __future__ import annotations

import sysconfig
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urljoin, urlsplit

from packaging import pylock, tags
from packaging.utils import canonicalize_name

from tonnage.addresses import redacted
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.parsing import requirement, wheel_name, within_name
from tonnage.forecast.python.toml_text import read_toml
from tonnage.model.forecast.python_lock import Lock, LockOrigin, Other, Sdist, Wheel
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.markers import Environment

    from tonnage.model.forecast.python_lock import Target

# What is resolved, and what finds the resolver, asks it from many threads at once. Until it is asked for the first time
# its tables are empty, and half filled while that goes on (Python 3.11), so this is done while nobody else is here.
sysconfig.get_config_vars()

_FILES = frozenset({"wheels", "sdist", "archive", "vcs", "directory"})
_OLDEST_GLIBC_MINOR = 5
# No C library is as new; a tag for each older one is made.
_NEWEST_GLIBC_MINOR = 99
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MUSL_MINORS = range(2, -1, -1)


# One command asks several times: for the forecast, and for what would make it smaller.
@lru_cache(maxsize=4)
def read_pylock(
    text: str,
    target: Target,
    *,
    place: str,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] | None = None,
    local: bool = False,
) -> Lock:
    """Read a lock file for one target.

    Args:
        local: Whether it may name files of this machine: one of ours does, those of a project mean files of the build.
        groups: The dependency groups that are installed; None for the default ones.

    Raises:
        CannotResolveError: It is no lock file, or has nothing for this target.
    """
    try:
        told = read_toml(text, place)
        _check_names(told)
        nowhere = tuple(_holding(_without_files(told), target))
        lock = pylock.Pylock.from_dict(told)
        selected = list(
            lock.select(
                environment=cast("Environment", markers_of(target)),
                tags=tags_of(target),
                extras=list(extras),
                dependency_groups=None if groups is None else list(groups),
            )
        )
        found = [_chosen(package, chosen, place, local=local) for package, chosen in selected]
    except pylock.PylockSelectError as error:
        raise CannotResolveError(
            f"{place} has nothing that can be installed on {in_words(target)}", "no wheels", why=redacted(str(error))
        ) from error
    except (ValueError, RecursionError, pylock.PylockValidationError) as error:
        why = redacted(str(error))
        raise CannotResolveError(f"{place} is not a valid lock file", "invalid", why=why) from error
    return Lock(
        target=target,
        wheels=tuple(one for one in found if isinstance(one, Wheel)),
        sdists=tuple(one for one in found if isinstance(one, Sdist)),
        others=(*(one for one in found if isinstance(one, Other)), *nowhere),
        origin=LockOrigin.FILE,
    )


def _without_files(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the packages out of a lock for which it has no file, and return them: uv writes some for other platforms."""
    packages = told.get("packages")
    listed = packages if isinstance(packages, list) else []
    found = [each for each in listed if isinstance(each, dict) and not _FILES & each.keys() and "name" in each]
    if found:
        told["packages"] = [each for each in listed if each not in found]
    return found


def _holding(packages: Iterable[dict[str, Any]], target: Target) -> Iterator[Other]:
    """Yield what has no file and is installed all the same."""
    for each in packages:
        wanted = requirement(f"{each['name']} ; {each['marker']}" if each.get("marker") else str(each["name"]))
        if wanted.marker is None or wanted.marker.evaluate(cast("dict[str, str]", markers_of(target))):
            name = canonicalize_name(wanted.name)
            yield Other(name=name, requirement=name, reason="The lock has no file of it")


def _check_names(told: dict[str, Any]) -> None:
    """Refuse a lock whose wheels have names that none has: sets of tags in them are multiplied out.

    Raises:
        ValueError: It is one.
    """
    packages = told.get("packages")
    for package in packages if isinstance(packages, list) else ():
        wheels = package.get("wheels") if isinstance(package, dict) else None
        for wheel in wheels if isinstance(wheels, list) else ():
            for key in ("name", "path", "url") if isinstance(wheel, dict) else ():
                within_name(unquote(str(wheel.get(key, "")).partition("#")[0].partition("?")[0].rpartition("/")[2]))


def in_words(target: Target) -> str:
    """Return a target in words."""
    return f"Python {target.python} on {target.platform}"


def markers_of(target: Target) -> Mapping[str, str]:
    """Return the environment that markers are evaluated in."""
    full = target.python if target.python.count(".") > 1 else f"{target.python}.0"
    cpython = target.implementation == "cp"
    return {
        "implementation_name": "cpython" if cpython else "pypy",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": target.architecture,
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "platform_python_implementation": "CPython" if cpython else "PyPy",
        "python_version": ".".join(str(number) for number in target.minor),
        "sys_platform": "linux",
    }


@cache
def tags_of(target: Target) -> tuple[tags.Tag, ...]:
    """Return the tags of wheels that fit a target, best first."""
    platforms = list(_platforms(target))
    every = tags.compatible_tags(target.minor, f"cp{target.minor[0]}{target.minor[1]}", platforms)
    return (*tags.cpython_tags(target.minor, platforms=platforms), *every)


def _platforms(target: Target) -> Iterator[str]:
    """Yield the platform tags of a target: every older C library fits too."""
    machine, _, libc = target.platform.partition("-")
    if "musl" in libc:
        for minor in _MUSL_MINORS:
            yield f"musllinux_1_{minor}_{machine}"
    else:
        told = libc.rpartition("_")[2]
        known = told_count(told) if libc.startswith("manylinux_") else None
        newest = min(known, _NEWEST_GLIBC_MINOR) if known is not None else 17 if "2014" in libc else 28
        for minor in range(newest, _OLDEST_GLIBC_MINOR - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{machine}"
    yield f"linux_{machine}"


def _chosen(package: pylock.Package, chosen: object, place: str, *, local: bool) -> Wheel | Sdist | Other:
    """Return what was selected for one package."""
    version = str(package.version or "")
    if isinstance(chosen, (pylock.PackageVcs, pylock.PackageDirectory)):
        address = (chosen.url if isinstance(chosen, pylock.PackageVcs) else None) or chosen.path or ""
        kind = "a checkout" if isinstance(chosen, pylock.PackageVcs) else "a directory"
        linked = isinstance(chosen, pylock.PackageDirectory) and bool(chosen.editable)
        reason = f"It is {kind}, which is built first"
        return Other(name=package.name, requirement=address, reason=reason, linked=linked)
    assert isinstance(chosen, (pylock.PackageWheel, pylock.PackageSdist, pylock.PackageArchive))  # noqa: S101 - the five kinds
    url = chosen.url or _address(chosen.path or "", place)
    if not local and urlsplit(url).scheme not in {"http", "https"}:
        return Other(name=package.name, requirement=chosen.path or url, reason="It is a file of the build")
    filename = getattr(chosen, "filename", None) or unquote(PurePosixPath(urlsplit(url).path).name)
    form = Wheel if filename.endswith(".whl") else Sdist
    return form(
        name=package.name,
        version=version or _version(filename),
        filename=filename,
        url=url,
        size_bytes=told_count(chosen.size),
        hashes=tuple(sorted(chosen.hashes.items())),
        index=package.index or "",
    )


def _version(filename: str) -> str:
    try:
        return str(wheel_name(filename)[1])
    except ValueError:
        return ""


def _address(path: str, place: str) -> str:
    """Return a path of the lock file as an address."""
    return urljoin(PurePosixPath(place).parent.as_uri() + "/", path) if place.startswith("/") else f"file://{path}"
