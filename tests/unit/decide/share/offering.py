"""Offers of services that are written as Dockerfiles, with packages that a table offers."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tonnage.decide.share.offers import offer_of
from tonnage.errors import CannotResolveError
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, Distribution, ReadFrom
from tonnage.model.forecast.estimate import EngineKind, exactly
from tonnage.model.forecast.python_lock import Lock, Rejected, Sdist, Wheel, WheelContents, WheelPart
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.model.deploy.sharing import WheelOffer
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.forecast.python_lock import ResolveRequest, Target

MB = 1_000_000
# Name, bytes, what it needs, and the paths that its files lie below.
PACKAGES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "torch": (900 * MB, ("numpy",), ()),
    "numpy": (60 * MB, (), ()),
    "needs-old-torch": (1 * MB, ("torch",), ()),
    "odd-archive": (2 * MB, (), ("cv2/cv2.so",)),
    "picky": (1 * MB, ("numpy",), ()),
    "flask": (3 * MB, (), ()),
    "pip": (8 * MB, (), ()),
    "opencv": (80 * MB, ("numpy",), ("cv2/cv2.so",)),
    "opencv-headless": (70 * MB, ("numpy",), ("cv2/cv2.so",)),
}
SOURCE = "builtfromsource"
MUSL = Distribution(name="alpine", version="3.20")


class TableLookups(RealLookups):
    """Answers from the table; files are those of the context."""

    def dockerfile(self, spec: BuildSpec) -> str:
        return spec.dockerfile_inline

    def base_image(self, reference: str, platform: str) -> BaseImage:
        layer = BaseLayer(
            chain_id=f"{reference}/0", diff_id="0", image=exactly(99), disk=exactly(4096), source="table",
            compressed_bytes=33,
        )  # fmt: skip
        return BaseImage(
            reference=reference,
            platform=platform,
            layers=(layer,),
            config=BaseConfig(environment={"PYTHON_VERSION": "3.11.9", "PATH": "/usr/local/bin:/usr/bin:/bin"}),
            origin=ReadFrom.ENGINE,
            python="3.11.9",
            distribution=MUSL if "@sha256:" in reference else Distribution(name="debian", version="12"),
        )

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        if "needs-old-torch" in request.requirements and "torch==2.0" in request.requirements:
            raise CannotResolveError("needs-old-torch 1.0 needs torch<2", "no solution")
        wanted = [re.split(r"[ =<>]", line)[0] for line in request.requirements]
        versions = dict(line.split("==") for line in request.requirements if "==" in line)
        found: dict[str, Wheel] = {}
        sdists = []
        while wanted:
            name = wanted.pop(0)
            if name == SOURCE:
                sdists.append(Sdist(name=name, version="1.0"))
            elif name not in PACKAGES:
                raise CannotResolveError(f"there is no {name}", "not found")
            elif name not in found:
                version = versions.get(name, "1.0")
                digest = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
                found[name] = Wheel(
                    name=name, version=version, filename=f"{name}.whl", url=f"https://example.org/{name}.whl",
                    size_bytes=PACKAGES[name][0] // 3, hashes=(("sha256", digest),), index="https://example.org/simple",
                )  # fmt: skip
                wanted += PACKAGES[name][1]
        passed_over = (Rejected(name="picky", version="2.0", count=1, size_bytes=None),) if "picky" in found else ()
        return Lock(target=target, wheels=tuple(found.values()), sdists=tuple(sdists), rejected=passed_over)

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:
        del request
        return [
            WheelContents(
                wheel=each,
                files=1,
                content_bytes=PACKAGES[each.name][0],
                block_bytes=PACKAGES[each.name][0],
                alike=each.name != "odd-archive",
                commands=("cv",) if each.name in {"flask", "opencv"} else (),
                parts=tuple(
                    WheelPart(path, PACKAGES[each.name][0], PACKAGES[each.name][0], 0, each.name)
                    for path in PACKAGES[each.name][2] or (each.name,)
                ),
            )
            for each in lock.wheels
        ]


def forecast_of(
    tmp_path: Path, dockerfile: str, service: str = "web", kind: EngineKind = EngineKind.BUILDKIT, **changes: object
) -> tuple[ServiceForecast, BuildSpec]:
    fields: dict[str, object] = {"context": str(tmp_path), "dockerfile_inline": dockerfile, **changes}
    spec = BuildSpec(**fields)  # type: ignore[arg-type]
    with TableLookups({}, tmp_path / "cache", offline=True) as lookups:
        [found] = forecast_services(
            [Service(name=service, image=service, build=spec)], ForecastContext(engine=kind), lookups
        )
    return found, spec


def offered(
    tmp_path: Path, dockerfile: str, service: str = "web", kind: EngineKind = EngineKind.BUILDKIT, **changes: object
) -> WheelOffer:
    """Return what a service could share."""
    found, spec = forecast_of(tmp_path, dockerfile, service, kind, **changes)
    assert found.work is not None, found.failures
    return offer_of(service, spec, dockerfile, found.work, kind)
