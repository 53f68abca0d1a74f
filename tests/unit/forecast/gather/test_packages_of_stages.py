"""Packages of the system that a stage installs, and what is copied of them into another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.test_node_installs import forecast

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import Estimate

BASE_BYTES = 7_000_003


def copied(directory: Path, install: str, path: str, base: str = "alpine:3.19") -> Estimate:
    text = f"FROM {base} AS build\n{install}\nFROM alpine:3.19\nCOPY --from=build {path} {path}\n"
    return forecast(directory, text).steps[-1].image


@pytest.mark.parametrize("path", ["/usr/lib", "/usr", "/lib/", "/usr/lib/*", "/usr/lib/x86_64-linux-gnu", "/usr/bin"])
@pytest.mark.parametrize("install", ["RUN apk add --no-cache ffmpeg", "RUN dnf install -y ffmpeg"])
def test_directories_of_the_system_may_hold_all_that_packages_brought(tmp_path: Path, install: str, path: str) -> None:
    told = copied(tmp_path, install, path)

    assert told.low_bytes == 0
    assert told.high_bytes > 500_000_000
    assert told.grade is not Grade.EXACT


def test_a_stage_on_nothing_has_what_its_packages_brought(tmp_path: Path) -> None:
    assert copied(tmp_path, "RUN apk add --no-cache ffmpeg", "/usr/lib", base="scratch").high_bytes > 500_000_000


def test_one_program_is_no_whole_set_of_packages(tmp_path: Path) -> None:
    told = copied(tmp_path, "RUN apk add --no-cache ffmpeg gcc git", "/usr/bin/ffmpeg")

    assert BASE_BYTES < told.high_bytes <= BASE_BYTES + 100_000_000


@pytest.mark.parametrize("path", ["/usr/local/bin", "/app", "/usr/share/nginx/html", "/home/app", "/usr/local/lib"])
def test_packages_put_nothing_where_a_build_puts_its_own(tmp_path: Path, path: str) -> None:
    without = copied(tmp_path, "RUN true", path)

    assert copied(tmp_path, "RUN apk add --no-cache ffmpeg", path) == without


@pytest.mark.parametrize("output", ["/out/app", "/usr/local/bin/app", "/src/app"])
@pytest.mark.parametrize("mounts", ["", "--mount=type=cache,target=/root/.cache/go-build "])
def test_what_go_builds_is_found_wherever_it_is_put(tmp_path: Path, output: str, mounts: str) -> None:
    (tmp_path / "go.sum").write_text("".join(f"example.org/m{number} v1.0.0 h1:x=\n" for number in range(40)))
    lines = ("FROM alpine:3.19 AS build", "WORKDIR /src", "COPY go.sum ./", f"RUN {mounts}go build -o {output} .")
    copies = (f"COPY --from=build {output} /app", "COPY --from=build /etc/passwd /etc/passwd")
    text = "\n".join((*lines, "FROM scratch", *copies, ""))

    *_, built, copied_program, beside = forecast(tmp_path, text).steps

    # Source: usual sizes of builds by the number of modules in their lock.
    assert built.disk.high_bytes > 100_000_000
    assert copied_program.image.high_bytes > 100_000_000
    assert copied_program.image.grade is not Grade.EXACT
    assert beside.image.high_bytes <= BASE_BYTES


def test_what_go_builds_without_a_lock_is_one_thing_at_one_place(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.org/app\n")
    lines = ("FROM alpine:3.19 AS build", "WORKDIR /src", "COPY go.mod go.sum* ./", "RUN go mod download")
    built = "RUN CGO_ENABLED=0 go build -tags netgo -ldflags '-s -w' -o /out/app ./cmd/server"
    text = "\n".join((*lines, built, "FROM scratch", "COPY --from=build /out/app /app", ""))

    *_, program, copied_program = forecast(tmp_path, text).steps

    assert [each.name for each in program.contributors] == ["go ./cmd/server"]
    first, *others = copied_program.contributors
    assert first.name == "go ./cmd/server"
    # What else was fetched lies nobody knows where.
    assert [each.disk.likely_bytes for each in others] == [0] * len(others)
