"""What may be changed for a stack to fit: where in its Dockerfiles, and what is to be written there. Pure.

Whether it helps is for a further forecast to say.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a field of a struct
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.build_environment import TORCH_CPU_ONLY, TORCH_INDEX_URL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.reports.checklist import FoundTorch

_CACHES = frozenset({"pip cache", "uv cache"})
_KEPT = "kept in the layer"
_NO_CACHE = "ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1"
_CPU_INSTALL = "RUN pip install --no-cache-dir --index-url {index} torch=={version}"


class ProposedChange(Struct, frozen=True, kw_only=True):
    """One change of what is written.

    Args:
        what: For people.
        todo: Lines to copy, and what must be known of them.
        lines: By service, lines that are put before a line of its Dockerfile.
        args: By service, build arguments that it gets.
        likely_bytes: What it saves of what is kept, where no forecast can tell.
    """

    kind: str
    what: str
    todo: tuple[str, ...] = ()
    lines: Mapping[str, Mapping[int, str]] = {}
    args: Mapping[str, Mapping[str, str]] = {}
    likely_bytes: int = 0


def without_caches(forecasts: Iterable[ServiceForecast], dockerfiles: Mapping[str, str]) -> ProposedChange | None:
    """Return that installers leave no cache in a layer; None where none does.

    Args:
        dockerfiles: By service, how people name its Dockerfile.
    """
    lines: dict[str, dict[int, str]] = {}
    kept_bytes = 0
    for forecast in forecasts:
        for step in forecast.steps:
            kept = [part for part in step.contributors if part.name in _CACHES and part.source == _KEPT]
            if kept and step.line and not step.present:
                lines.setdefault(forecast.service, {})[step.line] = _NO_CACHE
                kept_bytes += sum(part.disk.likely_bytes for part in kept)
    if not lines:
        return None
    places = [f"{dockerfiles[service]}:{line}" for service, found in lines.items() for line in sorted(found)]
    return ProposedChange(
        kind="no-cache",
        what="no cache of pip or uv in the image",
        todo=("--no-cache-dir for pip, --no-cache for uv, in", *(f"  {place}" for place in places)),
        lines=lines,
        likely_bytes=kept_bytes,
    )


def without_cuda(
    found: Sequence[FoundTorch],
    declared: Mapping[str, Iterable[str]],
    dockerfiles: Mapping[str, str],
    *,
    index_url: str,
) -> ProposedChange | None:
    """Return that PyTorch comes without CUDA where no device is asked for; None where it does not, or cannot.

    Args:
        declared: By service, the build arguments that its Dockerfile declares.
        dockerfiles: By service, how people name its Dockerfile.
        index_url: The index that has PyTorch without CUDA.
    """
    lines: dict[str, dict[int, str]] = {}
    args: dict[str, dict[str, str]] = {}
    exports: dict[str, None] = {}
    written: dict[str, list[str]] = {}
    kept_bytes = 0
    for each in found:
        if not each.cuda or each.device:
            continue
        names = {TORCH_CPU_ONLY: "1", TORCH_INDEX_URL: index_url}
        takes = {name: value for name, value in names.items() if name in declared.get(each.service, ())}
        if takes:
            args[each.service] = takes
            exports.update(dict.fromkeys(f"  export {name}={value}" for name, value in takes.items()))
        elif each.by_pip and each.line:
            version = each.version.partition("+")[0]
            lines[each.service] = {each.line: _CPU_INSTALL.format(index=index_url, version=version)}
            written.setdefault(version, []).append(f"{dockerfiles[each.service]}:{each.line}")
        else:
            continue
        kept_bytes += each.bytes_of_cuda
    if not args and not lines:
        return None
    todo = ["for the build arguments that are declared:", *exports] if exports else []
    for version, places in written.items():
        why = f"no ARG {TORCH_INDEX_URL} is declared there, so exporting it or {TORCH_CPU_ONLY} has no effect"
        todo += [
            f"{why}; before {', '.join(places)} write",
            f"  ARG {TORCH_INDEX_URL}={index_url}",
            f"  {_CPU_INSTALL.format(index=f'${TORCH_INDEX_URL}', version=version)}",
        ]
    if lines:
        todo += ["or have it written with exact builds, and checked:", f"  tonnage torch cpu {' '.join(lines)}"]
    services = ", ".join((*args, *lines))
    return ProposedChange(
        kind="torch-cpu",
        what=f"PyTorch without CUDA in {services}, which request no GPU",
        todo=tuple(todo),
        lines=lines,
        args=args,
        likely_bytes=kept_bytes,
    )


def with_lines(text: str, lines: Mapping[int, str]) -> str:
    """Return a Dockerfile with lines put before some of its own (1-based)."""
    written = text.split("\n")
    for number in sorted(lines, reverse=True):
        written.insert(number - 1, lines[number])
    return "\n".join(written)
