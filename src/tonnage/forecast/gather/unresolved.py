"""What an install brings whose index cannot be reached: bounded by what is known elsewhere under the same names.

The index that everybody asks is asked for the same versions, as pip does it beside an extra index. Where the install
names an index of its own in its place, only packages that everybody knows are asked for: other names may be private.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from tonnage.errors import CannotFetchError, TonnageError
from tonnage.forecast.costs.usual_sizes import heaviest, is_heavy
from tonnage.forecast.costs.wheel_installs import installed
from tonnage.forecast.gather.stage_python import record
from tonnage.forecast.python.parsing import requirement, wheel_name
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, total
from tonnage.model.forecast.python_lock import Lock, Other
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement

    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.stage_python import Installed
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import ResolveRequest, Target

_ASSUMED = "not resolved: assumed"
_ELSEWHERE = "not resolved: at most what the usual index has under these names"
# What of PyTorch belongs to graphics cards.
_CUDA = ("nvidia-", "triton", "cuda-", "pytorch-triton")


class Bound(Struct, frozen=True):
    """What stands in for an install, and what was found elsewhere under its names."""

    deed: SizedEffect
    lock: Lock | None = None


def unresolved(
    effect: PythonInstall,
    request: ResolveRequest | None,
    error: TonnageError,
    target: Target,
    lookups: Lookups,
    assume_bytes: int,
) -> Bound:
    """Return the bound of an install that was not resolved.

    Args:
        request: What was asked for; None where not even that is known.
    """
    asked = list(_read(() if request is None else request.requirements))
    for_cpu = request is not None and _is_for_cpu(request, asked)
    assumed_bytes = max(assume_bytes, heaviest((each.name for each in asked), for_cpu=for_cpu))
    usual = _usual(request, asked) if request is not None and isinstance(error, CannotFetchError) else None
    if usual is not None:
        try:
            lock = lookups.resolve(usual, target)
            found = installed(
                lock, lookups.contents(lock, usual), uv=effect.installer.is_uv, compiles=effect.compiles,
                cache=effect.cache.kind, assumed_bytes=assume_bytes,
            )  # fmt: skip
        except TonnageError:
            pass
        else:
            likely = [each for each in found.pieces if not (for_cpu and each.name.startswith(_CUDA))]
            pieces = found.pieces
            image = _bound(total(e.image for e in likely), total(e.image for e in pieces), assume_bytes)
            disk = _bound(total(e.disk for e in likely), total(e.disk for e in pieces), assume_bytes)
            fetched = _bound(total(e.download for e in likely), total(e.download for e in pieces), assume_bytes)
            return Bound(_deed(effect, image, disk, fetched, _ELSEWHERE), lock)
    bound = assumed(assumed_bytes)
    return Bound(_deed(effect, bound, bound, bound, _ASSUMED))


def remember(
    present: dict[str, Installed], found: Bound, request: ResolveRequest, target: Target, *, certain: bool
) -> None:
    """Write down what is there after an install that was not resolved: what it names, in some version."""
    if found.lock is not None:
        # What comes with it may be something else.
        record(present, found.lock, request, certain=False)
    asked = tuple(
        Other(name=canonicalize_name(each.name), requirement=_plain(each), reason="It was not resolved")
        for each in _read(request.requirements)
    )
    for each in asked:
        present.pop(each.name, None)
    record(present, Lock(target=target, others=asked), request, certain=certain)


def _read(lines: Iterable[str]) -> Iterator[Requirement]:
    """Yield what names a package, archives that are named by their address among it."""
    for line in lines:
        name = unquote(posixpath.basename(urlsplit(line.split(" ;")[0].strip()).path)) if "://" in line else ""
        with suppress(InvalidRequirement):
            yield requirement(line)
            continue
        with suppress(InvalidRequirement, ValueError):
            found, version = wheel_name(name)
            yield requirement(f"{found} @ {line.strip()}" if version else found)


def _version(each: Requirement) -> str:
    """Return the version that is asked for; empty where there is a choice."""
    if each.url:
        with suppress(ValueError):
            return str(wheel_name(unquote(posixpath.basename(urlsplit(each.url).path)))[1])
        return ""
    pins = [part.version for part in each.specifier if part.operator in {"==", "==="} and "*" not in part.version]
    return pins[0] if len(pins) == 1 else ""


def _plain(each: Requirement, *, local: bool = True) -> str:
    """Return a requirement by name and version; without the local part, which only one index has, where told."""
    extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
    version = _version(each)
    told = (
        f"=={version if local else version.partition('+')[0]}" if version else "" if each.url else str(each.specifier)
    )
    return f"{each.name}{extras}{told}"


def _usual(request: ResolveRequest, asked: Iterable[Requirement]) -> ResolveRequest | None:
    """Return the same for the index that everybody asks; None where that was asked, or nothing is left."""
    others = request.index_url or request.no_index
    lines = [
        (each, f" ; {each.marker}" if each.marker else "")
        for each in asked
        if not (others or each.url) or is_heavy(each.name)
    ]
    elsewhere = others or request.extra_index_urls or request.find_links or any(each.url for each, _ in lines)
    if not (elsewhere and lines):
        return None
    limits = [each for each in _read(request.constraints) if not others or is_heavy(each.name)]
    return replace(
        request,
        requirements=tuple(f"{_plain(each, local=False)}{marker}" for each, marker in lines),
        constraints=tuple(_plain(each, local=False) for each in limits),
        index_url="",
        extra_index_urls=(),
        find_links=(),
        no_index=False,
        require_hashes=False,
        kept=(),
    )


def _is_for_cpu(request: ResolveRequest, asked: Iterable[Requirement]) -> bool:
    """Whether what is asked for is a build without support of graphics cards, as the address or the version says."""
    places = (request.index_url, *request.extra_index_urls, *request.find_links, *(each.url or "" for each in asked))
    by_version = any(_version(each).endswith("+cpu") for each in asked)
    return (
        by_version or request.torch_backend == "cpu" or any("cpu" in urlsplit(each).path.split("/") for each in places)
    )


def _bound(likely: Estimate, high: Estimate, assume_bytes: int) -> Estimate:
    """Return a bound: up to a quarter above what the usual index has."""
    high_bytes = max(assume_bytes, high.high_bytes * 5 // 4)
    return Estimate(0, min(likely.likely_bytes, high_bytes), high_bytes, Grade.UNKNOWN)


def _deed(effect: PythonInstall, image: Estimate, disk: Estimate, fetched: Estimate, source: str) -> SizedEffect:
    piece = WrittenBytes.of_size(effect.command[:80], "", image, source, download=fetched)
    piece = replace(piece, disk=disk)
    return SizedEffect(writes=(piece,), transient=NOTHING if effect.installer.is_uv else fetched)
