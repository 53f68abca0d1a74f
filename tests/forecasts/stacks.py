"""A case of forecasting as a directory: a stack as users write it, and ``facts.json`` with what the outside would say.

Nothing is asked of any network. ``facts.json`` is read strictly into :class:`Facts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tonnage.decide.deploy.changes import in_order
from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.costs.totals import fit_into, forecast_stack
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, Distribution, ReadFrom
from tonnage.model.forecast.debian_package import AptForecast, Chosen
from tonnage.model.forecast.estimate import EngineKind, Estimate, Grade, exactly
from tonnage.model.forecast.fit import Room
from tonnage.model.forecast.python_lock import Lock, Wheel, WheelContents, in_blocks
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.model.inventory import Filesystem
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.units import parse_bytes
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.model.forecast.effects import AptInstall, AptUpdate
    from tonnage.model.forecast.fit import FilesystemFit
    from tonnage.model.forecast.python_lock import ResolveRequest, Target
    from tonnage.model.forecast.stack_forecast import StackForecast


class FactImage(msgspec.Struct, forbid_unknown_fields=True):
    """An image: the bytes of its layers, and what lies in it."""

    layers: list[int]
    python: str = ""
    system: str = ""
    local: bool = False
    environment: dict[str, str] = {}


class FactWheel(msgspec.Struct, forbid_unknown_fields=True):
    """A wheel: its bytes, those of its contents, those of its modules, and what it needs."""

    version: str
    wheel: int
    content: int
    modules: list[int] = []
    needs: list[str] = []


class Facts(msgspec.Struct, forbid_unknown_fields=True):
    """What the outside would say."""

    engine: str = "buildkit"
    disk: str = "14GB"
    platform: str = "linux/amd64"
    python: str = ""
    assume: str = "500MB"
    explain: list[str] = []
    images: dict[str, FactImage] = {}
    wheels: dict[str, FactWheel] = {}
    packages: dict[str, tuple[int, int]] = {}
    addresses: dict[str, int] = {}


class FactLookups(RealLookups):
    """Answers from facts; the files of a context are those of the case."""

    def __init__(self, facts: Facts, cache: Path) -> None:
        super().__init__({}, cache, offline=True)
        self._facts = facts

    def base_image(self, reference: str, platform: str) -> BaseImage:
        told = self._facts.images.get(reference)
        if told is None:
            raise CannotFetchError(f"the registry of {reference} refuses", "refused", why="It answers 401.")
        name, _, version = told.system.partition(" ")
        official = {"PYTHON_VERSION": told.python} if reference.startswith("python:") else {}
        return BaseImage(
            reference=reference,
            platform=platform,
            layers=tuple(
                BaseLayer(
                    chain_id=f"{reference}/{number}",
                    diff_id=f"{reference}/{number}",
                    image=exactly(count_bytes),
                    disk=exactly(in_blocks(count_bytes)),
                    source="facts",
                    compressed_bytes=count_bytes // 3,
                )
                for number, count_bytes in enumerate(told.layers)
            ),
            config=BaseConfig(environment=official | told.environment),
            origin=ReadFrom.ENGINE if told.local else ReadFrom.REGISTRY,
            python=told.python,
            distribution=Distribution(name=name, version=version) if name else None,
        )

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        wanted = [line.split(" ")[0] for line in request.requirements]
        found: dict[str, Wheel] = {}
        while wanted:
            name, _, version = wanted.pop(0).partition("==")
            told = self._facts.wheels.get(name)
            if told is None or (version and version != told.version):
                raise CannotResolveError(f"there is no {name}{f' {version}' if version else ''}", "not found")
            if name not in found:
                found[name] = Wheel(
                    name=name,
                    version=told.version,
                    filename=f"{name}-{told.version}-py3-none-any.whl",
                    url=f"https://example.org/{name}",
                    size_bytes=told.wheel,
                )
                wanted += told.needs
        needs = tuple((name, needed) for name in found for needed in self._facts.wheels[name].needs)
        return Lock(target=target, wheels=tuple(found[name] for name in sorted(found)), needs=needs)

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:
        del request
        return [self._contents(wheel) for wheel in lock.wheels]

    def _contents(self, wheel: Wheel) -> WheelContents:
        told = self._facts.wheels[wheel.name]
        return WheelContents(
            wheel=wheel,
            files=1 + len(told.modules),
            directories=1,
            content_bytes=told.content,
            block_bytes=in_blocks(told.content),
            directory_bytes=4096,
            python_file_bytes=tuple(told.modules),
            python_directories=1 if told.modules else 0,
            bytecode_directory_bytes=4096 if told.modules else 0,
            python_path_bytes=31 * len(told.modules),
            small_packed_bytes=sum(told.modules) // 4,
            packed_bytes=max(0, told.wheel - sum(told.modules) // 4),
        )

    def packages(
        self, installs: Sequence[AptInstall], updates: Sequence[AptUpdate], base: BaseImage, platform: str
    ) -> AptForecast | None:
        del updates, base, platform
        if not self._facts.packages:
            return None
        names = [name for each in installs for name in each.packages]
        chosen = [
            Chosen(name=name, version="1", installed_bytes=told[0], deb_bytes=told[1])
            for name in names
            if (told := self._facts.packages.get(name))
        ]
        image = sum(each.installed_bytes for each in chosen)
        debs = sum(each.deb_bytes for each in chosen)
        return AptForecast(
            image=Estimate(image * 9 // 10, image, image * 11 // 10, Grade.DECLARED),
            disk=Estimate(image, image * 21 // 20, image * 12 // 10, Grade.DECLARED),
            debs=Estimate(debs, debs, debs, Grade.DECLARED),
            compressed=Estimate(debs, debs * 13 // 10, debs * 18 // 10, Grade.DECLARED),
            lists=Estimate(19_000_003, 20_000_003, 21_000_011, Grade.DECLARED),
            lists_download=Estimate(9_000_011, 9_000_011, 9_000_011, Grade.DECLARED),
            packages=tuple(chosen),
            missing=tuple(name for name in names if name not in self._facts.packages),
            by="facts",
        )

    def address(self, address: str) -> tuple[Estimate | None, str]:
        told = self._facts.addresses.get(address)
        return (None, "the address answers 404") if told is None else (exactly(told), "")


def facts_of(case: Path) -> Facts:
    """Return the facts of a case."""
    return msgspec.json.decode((case / "facts.json").read_bytes(), type=Facts)


def forecast_of(case: Path, cache: Path, **changed: object) -> tuple[StackForecast, tuple[FilesystemFit, ...]]:
    """Return the forecast of a case, some of its facts changed, and how it fits."""
    facts = msgspec.structs.replace(facts_of(case), **changed)
    request = StackRequest(files=(str(case / "compose.yaml"),), working_directory=str(case))
    stack = load_stack(request, environment={}, compose=None)
    kind = EngineKind(facts.engine)
    around = ForecastContext(
        engine=kind,
        platform=facts.platform,
        python=facts.python,
        assume_bytes=parse_bytes(facts.assume),
        builders=stack.built,
    )
    services = in_order(stack, [service.name for service in stack.services])
    with FactLookups(facts, cache) as lookups:
        found = forecast_services(services, around, lookups)
    size_bytes = parse_bytes(facts.disk)
    disk = Filesystem(mount="the disk", roles=("data-root",), size_bytes=size_bytes, available_bytes=size_bytes)
    room = Room(
        mount="the disk",
        roles=disk.roles,
        available_bytes=size_bytes,
        reserve_bytes=reserve_bytes(disk, None),
        size_bytes=size_bytes,
    )
    whole = forecast_stack(stack.name, kind, found)
    return whole, fit_into(whole, [room])
