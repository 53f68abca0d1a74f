"""What of one service could be shared: the wheels that pip installs into the Python of an official image, as root.

The base has to be one that is known to bring nothing but pip along, and to be named once. Whatever is done to the place
of installation besides keeps everything apart.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.model.deploy.sharing import Apart, SharedWheel, WheelOffer
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.sized_effects import InstallTerms, SizedEffect  # noqa: TC001 - fields of a struct
from tonnage.model.references import tagged
from tonnage.sources.dockerfile.base_images import base_reference, why_base_stays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.forecast.sized_effects import BuildWork, StageWork, StepWork, WrittenBytes
    from tonnage.model.stack import BuildSpec

_PYTHON = "python"
_LISTED = regex(r"\bpip[0-9.]*\s+(?:freeze|list|inspect|show)\b[^;&\n]*[>|]")
_WILD = frozenset("*?[")
_OTHER_LIBRARY = ("alpine", "windowsservercore", "nanoserver")


class _Install(Struct, frozen=True):
    """An install, and the layer that its instruction makes."""

    effect: SizedEffect
    terms: InstallTerms
    layer: str


def offer_of(
    service: str,
    spec: BuildSpec,
    dockerfile: str,
    work: BuildWork,
    kind: EngineKind,
    *,
    layers: Mapping[tuple[str, int], str] | None = None,
    ignored_beside: bool = False,
) -> WheelOffer:
    """Return what of a service could be shared.

    Args:
        dockerfile: The text of its Dockerfile.
        work: What its build does.
        kind: What builds it.
        layers: The layer that each instruction makes, by stage and line; empty for one that the engine has.
        ignored_beside: What is left out of its context is said beside the Dockerfile.
    """
    chain = _chain(work)
    base = chain[0].base
    why = _why_nothing(spec, kind, ignored_beside=ignored_beside)
    if not why:
        why = _why_not_on(base.name if base is not None else "", spec, dockerfile)
    if why or base is None:
        return WheelOffer(service=service, apart=(Apart("everything", why),))
    steps = [step for stage in chain for step in stage.steps]
    installs = list(_installs(service, chain, layers or {}))
    if not installs:
        return WheelOffer(service=service, apart=(Apart("everything", "it installs no Python packages"),))
    unknown = next((each.terms for each in installs if each.terms.names is None), None)
    if unknown is not None:
        return WheelOffer(service=service, apart=(Apart(unknown.command, unknown.apart),))
    first = next((each.terms for each in installs if not each.terms.apart), None)
    apart = [Apart(each.terms.command, each.terms.apart) for each in installs if each.terms.apart]
    if first is None:
        return WheelOffer(service=service, apart=tuple(apart))
    if why := _why_place_is_touched(steps, first.place):
        return WheelOffer(service=service, apart=(*apart, Apart("everything", why)))
    if "manylinux" not in first.target:
        apart.append(Apart("everything", "its base has another library than glibc"))
        return WheelOffer(service=service, apart=tuple(apart))
    wheels, others = _wheels(installs, first, kind)
    return WheelOffer(
        service=service,
        base=base.name,
        ground=base.layers[-1].chain_id if base.layers else base.identity,
        target=first.target,
        compiles=first.compiles,
        wheels=tuple(wheels),
        layers=tuple(wheels.values()),
        apart=(*apart, *others),
    )


def _installs(service: str, chain: Iterable[StageWork], layers: Mapping[tuple[str, int], str]) -> Iterator[_Install]:
    for stage in chain:
        for step in stage.steps:
            layer = layers.get((stage.name or str(stage.index), step.line), f"{service} {stage.index} {step.line}")
            for effect in step.effects:
                if effect.terms is not None:
                    yield _Install(effect, effect.terms, layer)


def _chain(work: BuildWork) -> list[StageWork]:
    """Return the stages that the image consists of, lowest first."""
    by_index = {stage.index: stage for stage in work.stages}
    found = [by_index[work.target]]
    while (below := found[0].on_stage) is not None:
        found.insert(0, by_index[below])
    return found


def _why_nothing(spec: BuildSpec, kind: EngineKind, *, ignored_beside: bool) -> str:
    if kind is EngineKind.CLASSIC:
        return "the builder before BuildKit builds it"
    if kind.is_beside:
        return "a builder beside the engine sees no image of the engine"
    if "://" in spec.context or spec.context.startswith("git@"):
        return "its context is not on this machine"
    if spec.pull or spec.no_cache:
        return f"{'pull' if spec.pull else 'no_cache'}: true pulls its base each time"
    if spec.cache_from or spec.cache_to:
        return "cache_from or cache_to names layers of builds that share nothing"
    if len(spec.platforms) > 1:
        return "it is built for several platforms"
    if spec.network or spec.extra_hosts:
        return "its build has a network of its own"
    if ignored_beside and spec.dockerfile:
        return "a .dockerignore lies beside its Dockerfile"
    if "BUILDKIT_SYNTAX" in dict(spec.args):
        return "it is read by a frontend of its own"
    proxies = [name for name, _ in spec.args if name.lower().endswith("_proxy")]
    return f"its build is given {proxies[0]}" if proxies else ""


def _why_not_on(base: str, spec: BuildSpec, dockerfile: str) -> str:
    arguments, contexts = dict(spec.args), dict(spec.additional_contexts)
    named = base_reference(dockerfile, arguments, spec.target, contexts)
    if not base or not named or tagged(named) != tagged(base):
        return "it stands on no image that its Dockerfile names"
    if any(tagged(name) == tagged(base) for name in contexts):
        return f"additional_contexts says what {base} is"
    name, _, tag = tagged(base).partition(":")
    if name.partition("@")[0] != _PYTHON or any(each in tag for each in _OTHER_LIBRARY):
        return f"what {base} brings along is not known: only official images of Python with glibc are shared"
    return why_base_stays(dockerfile, arguments, base)


def _why_place_is_touched(steps: Sequence[StepWork], place: str) -> str:
    """Return what is done to the place of installation besides installing; empty for nothing."""
    installed = False
    last = max(number for number, step in enumerate(steps) if any(map(_is_open, step.effects)))
    for step in steps[:last]:
        if _LISTED.search(step.text):
            return f"line {step.line} keeps what pip lists before all is installed"
    for step in steps:
        # What is copied over an install is over it in either case.
        if not installed and step.from_stage is not None and _meet(step.into, place):
            return f"line {step.line} copies into {step.into} before it is installed"
        for effect in step.effects:
            if effect.terms is not None:
                installed = installed or not effect.terms.apart
                continue
            written = (path for piece in effect.writes for path in _written(piece))
            if not installed and any(_meet(each, place) for each in written):
                return f"line {step.line} writes into {place} before it is installed"
            if _changes(effect, place):
                return f"line {step.line} removes or changes what is installed"
        if any(effect.uninstalls for effect in step.effects):
            return f"line {step.line} removes or replaces what is installed"
    return ""


def _is_open(effect: SizedEffect) -> bool:
    return effect.terms is not None and not effect.terms.apart


def _meet(one: str, other: str) -> bool:
    """Return whether one of two paths lies below the other; a pattern may mean all that its fixed part holds."""
    first, second = _parts(one), _parts(other)
    length = min(len(first), len(second))
    return first[:length] == second[:length]


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return list(takewhile(lambda part: not _WILD & set(part), parts))


def _written(piece: WrittenBytes) -> list[str]:
    if piece.package:
        # What comes of a package of the system lies in the system's places.
        return []
    return [path for path, *_ in piece.files] or ([piece.place] if piece.place else [])


def _changes(effect: SizedEffect, place: str) -> bool:
    paths = [*effect.removes, *effect.rewrites, *effect.alters, *(source for source, _ in (*effect.moves,))]
    paths += [path for found in effect.finds for path in found.paths]
    return any(_meet(path, place) for path in paths)


def _wheels(
    everything: Sequence[_Install], first: InstallTerms, kind: EngineKind
) -> tuple[dict[SharedWheel, str], tuple[Apart, ...]]:
    """Return the wheels that may be shared, each with the layer that has it as it is written, and what may not."""
    installs = [each for each in everything if not each.terms.apart]
    others = {name: why for each in installs for name, why in each.terms.others}
    elsewhere = {name: each.terms for each in everything if each.terms.apart for name in each.terms.names or ()}
    like = [each for each in installs if (each.terms.target, each.terms.compiles) == (first.target, first.compiles)]
    clashing = dict(_clashes(everything, first.place))
    found: dict[SharedWheel, str] = {}
    for piece, layer in [(piece, each.layer) for each in like for piece in each.effect.writes]:
        wheel = piece.wheel
        if wheel is None:
            continue
        if wheel.name in elsewhere:
            others[wheel.name] = f"it is installed besides by {elsewhere[wheel.name].command}"
        elif wheel.name in clashing:
            others[wheel.name] = f"it writes {clashing[wheel.name]}, as another one does: the later one wins"
        else:
            kept_bytes = piece.disk.likely_bytes
            if kind is EngineKind.CONTAINERD:
                kept_bytes = 2 * kept_bytes + piece.compressed.likely_bytes
            found[SharedWheel(wheel.name, wheel.version, wheel.digest, wheel.index, kept_bytes)] = layer
    return found, tuple(Apart(name, why) for name, why in others.items())


def _clashes(installs: Iterable[_Install], place: str) -> Iterator[tuple[str, str]]:
    """Yield the wheels that own a path which another one owns as well, whether that one may be shared or not."""
    owners: dict[str, set[str]] = {}
    for each in installs:
        if each.terms.place != place:
            continue
        for path, name in each.terms.taken:
            owners.setdefault(path, set()).add(name)
        for wheel in (piece.wheel for piece in each.effect.writes):
            for path in wheel.paths if wheel is not None else ():
                owners.setdefault(path, set()).add(wheel.name if wheel is not None else "")
    for path, names in owners.items():
        if len(names) > 1:
            yield from ((name, path) for name in sorted(names))
