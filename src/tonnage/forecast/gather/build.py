"""What building the image of one service does: its Dockerfile read, its instructions looked up, nothing added up yet.

What cannot be found out is a result: a reason, and a bound in place of the bytes. Only a Dockerfile that cannot be read
leaves a service without a forecast, and services whose images are built on each other in a circle are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.addresses import redacted
from tonnage.errors import UsageError
from tonnage.forecast.gather.build_sources import Bases, Contexts
from tonnage.forecast.gather.context import Diagnostics
from tonnage.forecast.gather.stages import BuildAnalysis
from tonnage.model.forecast.estimate import NOTHING, EngineKind, Estimate, Grade
from tonnage.model.forecast.recipe import Builder, CopyInstruction, FileSourceKind, RunInstruction
from tonnage.model.forecast.sized_effects import BuildWork, CacheExport, StageWork
from tonnage.sources.cache_entries import NO_EXPORT, cache_entries
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.platforms import is_platform
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.forecast.gather.context import ForecastContext
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.recipe import BaseConfig, FileSource
    from tonnage.model.forecast.sized_effects import BaseLayers
    from tonnage.model.stack import BuildSpec, Service

_NO = "false"
# Source: buildkit 0.12 to 0.25, ``frontend/attestations/sbom``; measured with Docker 26.1 and 28.5, but for a list of
# contents that a real scanner makes: that has some kB for each package and each file of one.
_SCANNER = "docker/buildkit-syft-scanner:stable-1"
_PROVENANCE = Estimate(4_096, 16_384, 262_144, Grade.DECLARED)
_CONTENTS = Estimate(4_096, 1_000_000, 20_000_000, Grade.DECLARED)


def pulled(service: Service, around: ForecastContext, lookups: Lookups) -> BuildWork:
    """Return what pulling the image of a service does."""
    builder = around.builder_of(service.image)
    if builder is not None:
        return replace(built(builder, around, lookups), service=service.name)
    said = Diagnostics(root=around.root)
    bases = Bases(lookups, said, around)
    base = bases.find(service.image, platform_of(service, around))
    layers = bases.layers(service.image, base)
    stage = StageWork(index=0, base=layers)
    return BuildWork(service=service.name, stages=(stage,), target=0, failures=tuple(said.failures))


def platform_of(service: Service, around: ForecastContext) -> str:
    """Return the platform that the image of a service is pulled for."""
    said = str(service.config.get("platform") or "")
    # A value of the environment may choose one, and must not become a part of an address by that way.
    return around.platform if around.platform_forced or not is_platform(said) else said


def built(service: Service, around: ForecastContext, lookups: Lookups) -> BuildWork:
    """Return what building the image of a service does.

    Raises:
        UsageError: The Dockerfile cannot be read, or asks for what is not there; the message says where.
    """
    assert service.build is not None  # noqa: S101 - asked for services that are built only
    said = Diagnostics(root=around.root)
    gathering = _gathered(service, around, lookups, said, (service.name,))
    whole = NOTHING
    if around.engine is EngineKind.CLASSIC:
        whole = lookups.context(service.build).whole().disk.or_assumed(around.assume_bytes)
    attached, scanner = NOTHING, None
    if around.engine is EngineKind.CONTAINERD:
        attached, scanner = _attestations(service.build, around, lookups, said)
    return BuildWork(
        service=service.name,
        stages=gathering.stages,
        target=gathering.target,
        context=whole,
        attached=attached,
        scanner=scanner,
        exports=_exports(service.build, around, said),
        platforms=1 if around.platform_forced else max(1, len(service.build.platforms)),
        python=", ".join(said.targets),
        failures=tuple(dict.fromkeys(said.failures)),
        findings=tuple(dict.fromkeys(said.findings)),
        notes=tuple(dict.fromkeys(said.notes)),
        broken=said.broken,
    )


def _attestations(
    spec: BuildSpec, around: ForecastContext, lookups: Lookups, said: Diagnostics
) -> tuple[Estimate, BaseLayers | None]:
    """Return the bytes of what a build section has the builder attach, and the program that makes a list of contents.

    What is attached without being asked for is counted with every image.
    """
    attached = NOTHING if spec.provenance in {"", _NO} else _PROVENANCE
    if spec.sbom in {"", _NO}:
        return attached, None
    options = dict(each.partition("=")[::2] for each in spec.sbom.split(","))
    name = options.get("generator") or _SCANNER
    bases = Bases(lookups, said, around)
    return attached + _CONTENTS, bases.layers(name, bases.find(name, around.platform))


def _exports(spec: BuildSpec, around: ForecastContext, said: Diagnostics) -> tuple[CacheExport, ...]:
    """Return where a build's cache goes, as far as the builder exports it, and say what is not counted."""
    said.notes += [
        f"cache_from {redacted(each.shown)}: what it has is fetched and not built; that is not taken off"
        for each in cache_entries(spec.cache_from)
    ]
    entries = [each for each in cache_entries(spec.cache_to) if not each.is_inline]
    if around.engine in {EngineKind.CLASSIC, EngineKind.BUILDKIT}:
        said.notes += [f"cache_to {redacted(each.shown)}: {NO_EXPORT}" for each in entries]
        return ()
    return tuple(CacheExport(directory=each.directory, whole=each.whole, text=redacted(each.shown)) for each in entries)


def _gathered(
    service: Service, around: ForecastContext, lookups: Lookups, said: Diagnostics, path: tuple[str, ...]
) -> BuildAnalysis:
    """Look up a build, and before it those of the services on whose images it stands."""
    spec = service.build
    assert spec is not None  # noqa: S101 - asked for services that are built only
    bases = Bases(lookups, said, around)
    platform = around.platform if around.platform_forced or not spec.platforms else spec.platforms[0]
    if not is_platform(platform):
        # A value of the environment may choose a platform, and must not become a part of an address by that way.
        raise UsageError(
            f"nothing is built for the platform {platform}", todo="Write one such as linux/amd64.",
            place=str(spec.place or ""),
        )  # fmt: skip
    known: dict[str, BuildAnalysis] = {}

    def other(reference: str) -> BuildAnalysis | None:
        builder = around.builder_of(reference)
        if builder is None or builder.name == service.name:
            return None
        if builder.name in path:
            raise circle((*path[path.index(builder.name) :], builder.name), str(spec.place or ""))
        if builder.name not in known:
            known[builder.name] = _gathered(builder, around, lookups, said, (*path, builder.name))
        return known[builder.name]

    def config(origin: FileSource) -> BaseConfig | None:
        below = other(origin.name) if origin.kind is FileSourceKind.IMAGE else None
        return below.config if below is not None else bases.config(origin, platform)

    made = recipe(
        read_dockerfile(lookups.dockerfile(spec), spec.dockerfile or "Dockerfile"),
        build_args=dict(spec.args),
        target=spec.target,
        platform=platform,
        contexts=dict(spec.additional_contexts),
        base_config=config,
        builder=Builder.CLASSIC if around.engine is EngineKind.CLASSIC else Builder.BUILDKIT,
    )
    named = {value: lookups.context(spec, value) for _, value in spec.additional_contexts}
    packing = around.engine is EngineKind.CONTAINERD or around.engine.is_beside
    contexts = Contexts(lookups.context(spec), named, around.assume_bytes, said, packing=packing)
    found = BuildAnalysis(service.name, made, around, lookups, said, bases, contexts, other)
    said.notes += [f"no ARG takes the build argument {name}" for name in made.unused]
    return found


def refuse_circles(around: ForecastContext, lookups: Lookups) -> None:
    """Refuse services that can never be built, because each stands on the image of the next one.

    Raises:
        UsageError: There is a circle; the message names it, and the line that closes it.
    """
    needs = {service.name: _needs(service, around, lookups) for service in around.builders}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        for other, place in needs[name].items():
            if other in path:
                raise circle((*path[path.index(other) :], other), place)
            if other not in done:
                visit(other, (*path, other))
        done.add(name)

    for name in needs:
        visit(name, (name,))


def circle(names: Sequence[str], place: str) -> UsageError:
    """Return the failure of services that are built on each other."""
    return UsageError(
        f"services are built on each other's images in a circle: {' -> '.join(names)}",
        todo="Let one of them stand on another image.",
        place=place,
    )


def _needs(service: Service, around: ForecastContext, lookups: Lookups) -> dict[str, str]:
    """Return the other services whose images a build reads, each with the place of the first one that says so."""
    spec = service.build
    assert spec is not None  # noqa: S101 - asked for services that are built only
    found: dict[str, str] = {}
    try:
        made = recipe(
            read_dockerfile(lookups.dockerfile(spec), spec.dockerfile or "Dockerfile"),
            build_args=dict(spec.args),
            target=spec.target,
            platform=around.platform,
            contexts=dict(spec.additional_contexts),
        )
    except UsageError:
        return found
    origins: list[tuple[FileSource, str]] = []
    for stage in made.stages:
        origins.append((stage.base, str(stage.place)))
        origins += [(origin, str(step.place)) for step in stage.steps for origin in _origins(step.action)]
    for origin, place in origins:
        other = around.builder_of(origin.name) if origin.kind is FileSourceKind.IMAGE else None
        if other is not None and other.name != service.name:
            found.setdefault(other.name, place)
    return found


def _origins(action: object) -> Iterator[FileSource]:
    if isinstance(action, CopyInstruction):
        yield action.origin
    elif isinstance(action, RunInstruction):
        yield from (mount.origin for mount in action.mounts if mount.origin is not None)
