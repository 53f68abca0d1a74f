"""What pages are made of in tests: a deploy of three services with a rollback before it, and names of strangers."""

from __future__ import annotations

import math

from tonnage.model.deploy.disk_history import DiskHistory, StepSpan
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.run import InstructionOutcome, Measured, Outcome, Run, StepOutcome
from tonnage.model.forecast.estimate import (
    Contributor,
    EngineKind,
    Estimate,
    Grade,
    InstructionForecast,
    ServiceForecast,
    exactly,
)
from tonnage.model.forecast.finding import Finding
from tonnage.model.forecast.fit import DeployNeed, FilesystemFit, FitVerdict, ForecastAnswer, Remedy, Room
from tonnage.model.forecast.stack_forecast import FilesystemForecast, StackForecast
from tonnage.model.reports.run_report import RunReport
from tonnage.model.stack import Place

MOUNT = "/var/lib/docker"
RESERVE_BYTES = 1_400_000_003
EVIL = "<script>alert('x')</script>\"><img src=http://evil.example.org/x onerror=alert(1)>\u202e]]>&amp;"
MB = 1_000_003
PACKAGES = (
    ("torch 2.9.1", 1_741), ("nvidia-cudnn-cu12 9.10", 727), ("nvidia-cublas-cu12 12.8", 566), ("triton 3.5.1", 480),
    ("pip cache", 391), ("opencv-python-headless 4.12", 154), ("scipy 1.16", 118), ("numpy 2.3", 72),
    ("pillow 12.0", 21), ("fastapi 0.121", 3), ("uvicorn 0.38", 1),
)  # fmt: skip


def measured(before: int, after: int, lowest: int) -> Measured:
    return Measured(mount=MOUNT, before_bytes=before, after_bytes=after, lowest_bytes=lowest, samples=911)


def step(name: str, disk: Measured | None, seconds: float, forecast: int | None, **more: object) -> StepOutcome:
    service, _, kind = name.partition(".")
    fields: dict[str, object] = {
        "name": name, "service": service, "kind": kind, "outcome": Outcome.DONE, "seconds": seconds,
        "measured": (disk,) if disk else (), "forecast_kept_bytes": forecast,
        "forecast_grade": "exact" if forecast is not None else "unknown",
    }  # fmt: skip
    return StepOutcome(**{**fields, **more})  # type: ignore[arg-type]


def deploy(run_id: int, started_s: float, *, names: tuple[str, ...] = ("web", "worker", "vision")) -> Run:
    available = 13_100_000_007
    steps = []
    freed = available + 2_200_000_011
    steps.append(
        step(
            "reclaim.build-cache",
            measured(available, freed, available),
            6.4,
            -2_000_000_011,
            service="",
            kind="reclaim",
        )
    )
    available = freed
    for at, name in enumerate(names, 1):
        kept = at * 1_310_000_017 + run_id * 7_000_003
        lowest = available - kept - 900_000_007
        steps.append(step(f"{name}.build", measured(available, available - kept, lowest), 41.5 * at, kept * 101 // 100))
        available -= kept
        steps.append(step(f"{name}.switch", measured(available, available, available), 2.25, 0))
        steps.append(step(f"{name}.prove", measured(available, available, available), 4.5, 0))
        cleaned = available + 400_000_003
        steps.append(step(f"{name}.clean-cache", measured(available, cleaned, available), 1.5, -410_000_009))
        available = cleaned
    return Run(
        run_id=run_id, stack="shop", engine_id="ENGI", purpose=Purpose.DEPLOY, started_s=started_s,
        seconds=sum(each.seconds for each in steps), outcome=Outcome.DONE, filesystem=MOUNT,
        reserve_bytes=RESERVE_BYTES, steps=tuple(steps),
    )  # fmt: skip


def disk_history(run: Run) -> DiskHistory:
    spans, points, at_s = [], [], 0.0
    for each in run.steps:
        spans.append(StepSpan(name=each.name, began_s=at_s, seconds=each.seconds))
        disk = each.measured[0]
        for part in range(12):
            # Down to the lowest and up again.
            way = part / 11
            level = disk.before_bytes + (disk.after_bytes - disk.before_bytes) * way
            dip = (min(disk.before_bytes, disk.after_bytes) - disk.lowest_bytes) * math.sin(math.pi * way)
            points.append((round(at_s + each.seconds * way, 2), int(level - dip)))
        at_s += each.seconds
    return DiskHistory(run_id=run.run_id, points=tuple(points), spans=tuple(spans), sampled=True)


def instruction(service: str, line: int, text: str, size_bytes: int, **more: object) -> InstructionOutcome:
    forecast = exactly(size_bytes * 99 // 100)
    fields: dict[str, object] = {
        "run_id": 9, "service": service, "stage": "0", "line": line, "text": text, "forecast_image": forecast,
        "forecast_disk": forecast, "forecast_transient": exactly(0), "image_bytes": size_bytes,
    }  # fmt: skip
    return InstructionOutcome(**{**fields, **more})  # type: ignore[arg-type]


def instructions(services: tuple[str, ...]) -> tuple[InstructionOutcome, ...]:
    found = []
    for service in services:
        parts = tuple((name, count * MB) for name, count in PACKAGES)
        found += [
            instruction(service, 1, "FROM python:3.11-slim", 131 * MB),
            instruction(
                service, 3, "RUN apt-get update && apt-get install -y libgl1", 83 * MB,
                parts=(("libllvm19 19.1", 41 * MB), ("libgl1 1.7", 12 * MB), ("package lists", 19 * MB)),
            ),
            instruction(service, 5, "RUN pip install -r requirements.txt", 4_400 * MB, parts=parts),
            instruction(service, 6, "COPY . .", 37 * MB),
        ]  # fmt: skip
    return tuple(found)


def run_report(runs: int = 6, *, names: tuple[str, ...] = ("web", "worker", "vision")) -> RunReport:
    history = [deploy(number, 1_795_000_007.0 + number * 90_061, names=names) for number in range(1, runs + 1)]
    failed = step(f"{names[0]}.switch", None, 3.5, 0, outcome=Outcome.FAILED, message="not healthy")
    if runs > 1:
        broken = history[-2]
        history[-2] = Run(
            run_id=broken.run_id, stack="shop", engine_id="ENGI", purpose=Purpose.DEPLOY, started_s=broken.started_s,
            seconds=51.0, outcome=Outcome.FAILED, filesystem=MOUNT, reserve_bytes=RESERVE_BYTES,
            steps=(*broken.steps[:2], failed), message=f"{names[0]} is not healthy\nIt answers 500.",
        )  # fmt: skip
    return RunReport(
        runs=(history[-1],),
        history=tuple(history),
        disk_histories={history[-1].run_id: disk_history(history[-1])},
        instructions=instructions(names),
        made_s=1_796_000_011.0,
    )


def around(count_bytes: int, grade: Grade = Grade.EXACT) -> Estimate:
    return Estimate(count_bytes * 97 // 100, count_bytes, count_bytes * 108 // 100, grade)


def service_forecast(name: str) -> ServiceForecast:
    parts = tuple(
        Contributor(name=package, disk=around(count * MB), image=around(count * MB), source="torch")
        for package, count in PACKAGES
    )
    base = around(131 * MB)
    return ServiceForecast(
        service=name,
        image=around(4_570 * MB),
        disk=around(4_600 * MB),
        transient=around(2_100 * MB),
        download=around(2_300 * MB),
        steps=(
            InstructionForecast(stage="0", line=1, text="FROM python:3.11-slim", image=base, disk=base),
            InstructionForecast(
                stage="0", line=4, text="RUN pip install -r requirements.txt", image=around(4_400 * MB),
                disk=around(4_430 * MB), transient=around(2_100 * MB), contributors=parts, how="by uv",
            ),
            InstructionForecast(
                stage="0", line=5, text="COPY . .", image=around(37 * MB, Grade.UNKNOWN), disk=around(37 * MB)
            ),
        ),
        findings=(
            Finding(
                rule="pip-cache", place=Place(file=f"{name}/Dockerfile", line=4), text="pip keeps its cache",
                todo="Add --no-cache-dir.",
            ),
        ),
    )  # fmt: skip


def forecast_answer(names: tuple[str, ...] = ("web", "worker"), *, disk: bool = True) -> ForecastAnswer:
    services = tuple(service_forecast(name) for name in names)
    peak, every, kept = around(7_900 * MB), around(11_400 * MB), around(5_900 * MB)
    room = Room(
        mount=MOUNT, roles=("data-root",), available_bytes=9_200_000_017, reserve_bytes=RESERVE_BYTES,
        size_bytes=14_000_000_029,
    )  # fmt: skip
    fit = FilesystemFit(
        room=room, fit=FitVerdict.DOUBTFUL, missing_bytes=610_000_007, kept=kept, one_after_the_other=peak,
        all_at_once=every,
    )  # fmt: skip
    return ForecastAnswer(
        stack=StackForecast(
            stack="shop", engine=EngineKind.BUILDKIT, services=services, image=around(6_100 * MB), disk=kept,
            transient=around(2_100 * MB), download=around(2_300 * MB),
            filesystems=(FilesystemForecast(role="data-root", kept=kept, one_after_the_other=peak, all_at_once=every),),
        ),
        fits=(fit,) if disk else (),
        disk_known=disk,
        deploy=DeployNeed(purpose="deploy", mount=MOUNT, peak=peak, kept=kept, step="worker.build") if disk else None,
        remedies=(
            Remedy(kind="no-cache", what="keep no cache of pip", todo=("PIP_NO_CACHE_DIR=1",), saves_bytes=391 * MB),
        ),
        notes=("the engine does not tell its cache",),
    )  # fmt: skip
