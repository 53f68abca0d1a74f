"""The checklist of ``tonnage doctor``, and what it is verified from. Changes nothing; asks no server."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.decide.reports.checklist import checklist
from tonnage.errors import TonnageError
from tonnage.flows.ci_files import repository
from tonnage.flows.forecast import ForecastRequest, gather
from tonnage.flows.history import opened_journal
from tonnage.flows.snapshot import look
from tonnage.flows.stack import build_environment_of, read_if_there
from tonnage.forecast.commands.effects import effects
from tonnage.model.forecast.installs import CacheKind, PythonInstall
from tonnage.model.reports.checklist import Evidence, FoundInstall, FoundTorch
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.flows.ports import RehearsalPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.run import Run
    from tonnage.model.forecast.estimate import Contributor, ServiceForecast
    from tonnage.model.reports.checklist import Item
    from tonnage.model.stack import Service, Stack

_RUNS = 200
_WITHIN_S = 6.0
_SAYS_SO = ("tonnage reclaim", "--cleanup-disk")
_CUDA = ("nvidia-", "triton")


def verified_checklist(ports: RehearsalPorts, flags: StackFlags) -> tuple[str, tuple[Item, ...]]:
    """Verify the checklist of the stack of this directory.

    Returns:
        The stack's name and the items; none where there is no stack, or it cannot be read.
    """
    with contextlib.suppress(TonnageError):
        wanted = read_if_there(ports, flags)
        if wanted.stack.services:
            return wanted.stack.name, checklist(find_evidence(ports, wanted, flags.host))
    return "", ()


def find_evidence(ports: RehearsalPorts, wanted: DesiredState, host: str = "") -> Evidence:
    """Look at a stack, its repository and the journal.

    Args:
        host: The engine whose images builds begin from, as it was typed; empty for the usual one.

    Returns:
        What was found.
    """
    directory = Path(wanted.stack.directory)
    root = repository(directory)
    return Evidence(
        workflows=tuple(_workflows(root)),
        installs=_installs(build_environment_of(ports, wanted.stack)),
        torch=_torch(ports, wanted, host),
        runs=_runs(ports, wanted.stack.name),
        documents=tuple(_documents({directory, root})),
        rehearsals=ports.rehearsals.root(),
    )


def _workflows(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / ".github" / "workflows").glob("*.y*ml")):
        with contextlib.suppress(OSError):
            yield path.name, path.read_text(encoding="utf-8", errors="replace")


def _documents(directories: set[Path]) -> Iterator[str]:
    for directory in sorted(directories):
        for path in sorted((*directory.glob("*.md"), *directory.glob("*.sh"), *directory.glob("docs/*.md"))):
            with contextlib.suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace")
                if any(words in text for words in _SAYS_SO):
                    yield path.name


def _installs(stack: Stack) -> tuple[FoundInstall, ...] | None:
    found: list[FoundInstall] = []
    for service in stack.services:
        if service.build is None:
            continue
        try:
            found += _installs_of(service)
        except (OSError, TonnageError):
            return None
    return tuple(dict.fromkeys(found))


def _installs_of(service: Service) -> Iterator[FoundInstall]:
    spec = service.build
    assert spec is not None  # noqa: S101 - asked for services that are built only
    text = spec.dockerfile_inline or Path(spec.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
    made = recipe(
        read_dockerfile(text, spec.dockerfile or "Dockerfile"), build_args=dict(spec.args), target=spec.target
    )
    for stage in made.stages:
        remembered: dict[str, str] = {}
        for step in stage.steps:
            for effect in effects(step, platform=made.platform, remembered=remembered):
                if isinstance(effect, PythonInstall) and not effect.downloads_only:
                    place = f"{Path(effect.place.file).parent.name}/{Path(effect.place.file).name}:{effect.place.line}"
                    yield FoundInstall(place=place, keeps_cache=effect.cache.kind is CacheKind.IN_LAYER)


def _torch(ports: RehearsalPorts, wanted: DesiredState, host: str) -> tuple[FoundTorch, ...] | None:
    """Return what services install of PyTorch, from what was looked up before; None where that does not tell."""
    stack = build_environment_of(ports, wanted.stack)
    built = stack.built
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes, offline=True, within_s=_WITHIN_S, builders=built
    )
    try:
        forecasts = _forecasts(ports, wanted, built, asked, host)
    except TonnageError:
        return None
    if len(forecasts) != len(built) or any(each.failures or not each.found_out for each in forecasts):
        return None
    found = []
    for service, forecast in zip(built, forecasts, strict=True):
        parts = list(_parts(forecast))
        if any(part.name.split()[0] == "torch" for part in parts):
            cuda = [part for part in parts if part.name.startswith(_CUDA)]
            found.append(
                FoundTorch(
                    service=service.name,
                    cuda=bool(cuda),
                    device=bool(service.devices),
                    bytes_of_cuda=sum(part.disk.likely_bytes for part in cuda),
                )
            )
    return tuple(found)


def _forecasts(
    ports: RehearsalPorts, wanted: DesiredState, built: Sequence[Service], asked: ForecastRequest, host: str
) -> tuple[ServiceForecast, ...]:
    """Forecast builds, also those that are built already, with the base images of the engine where it answers."""
    with contextlib.ExitStack() as opened:
        try:
            facts = opened.enter_context(ports.engines.facts(host))
            inventory = look(facts, wanted).inventory
        except TonnageError:
            return gather(ports, built, ports.engines.kind(None), asked)
        kind = ports.engines.kind(inventory.engine)
        return gather(ports, built, kind, asked, facts=facts, inventory=inventory)


def _parts(forecast: ServiceForecast) -> Iterator[Contributor]:
    for step in forecast.steps:
        yield from (part for part in step.contributors if part.name.split())


def _runs(ports: RehearsalPorts, stack: str) -> tuple[Run, ...]:
    with contextlib.suppress(TonnageError), opened_journal(ports.environment) as journal:
        return journal.runs(_RUNS, stack) if journal is not None else ()
    return ()
