"""Installs for Node.js and of other package managers in a Dockerfile: what they cost by locks, and what is removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.forecasts.stacks import FactImage, FactLookups, Facts

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import Grade
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import InstructionForecast, ServiceForecast

FACTS = Facts(
    images={
        "node:20-slim": FactImage(layers=[70_000_003], system="debian 12"),
        "python:3.11-slim": FactImage(layers=[120_000_007], python="3.11.9", system="debian 12"),
        "alpine:3.19": FactImage(layers=[7_000_003], system="alpine 3.19"),
    }
)
LOCK: dict[str, Any] = {
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"typescript": "^5.0.0"}, "devDependencies": {"next": "14.2.5"}},
        "node_modules/typescript": {"version": "5.4.0"},
        "node_modules/next": {"version": "14.2.5", "dev": True},
        "node_modules/@next/swc-linux-x64-gnu": {
            "version": "14.2.5", "dev": True, "optional": True, "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"],
        },
        "node_modules/@next/swc-linux-x64-musl": {
            "version": "14.2.5", "optional": True, "os": ["linux"], "cpu": ["x64"], "libc": ["musl"],
        },
    },
}  # fmt: skip
PROJECT = {"dependencies": {"typescript": "^5.0.0"}, "devDependencies": {"next": "14.2.5"}}


def forecast(directory: Path, text: str) -> ServiceForecast:
    (directory / "Dockerfile").write_text(text)
    spec = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
    with FactLookups(FACTS, directory / "cache") as lookups:
        [found] = forecast_services([Service(name="web", image="web", build=spec)], ForecastContext(), lookups)
    assert not found.broken
    return found


def last(directory: Path, *lines: str, base: str = "node:20-slim") -> InstructionForecast:
    return forecast(directory, "\n".join((f"FROM {base}", *lines, ""))).steps[-1]


def project(directory: Path, lock: object = None) -> None:
    (directory / "package.json").write_text(json.dumps(PROJECT))
    (directory / "package-lock.json").write_text(json.dumps(LOCK if lock is None else lock))


def names(step: InstructionForecast) -> str:
    return " ".join(each.name for each in step.contributors)


def test_a_lock_gives_a_figure_where_nobody_can_be_asked(tmp_path: Path) -> None:
    project(tmp_path)
    step = last(tmp_path, "WORKDIR /app", "COPY package*.json ./", "RUN npm ci")

    assert step.disk.grade is Grade.DECLARED
    assert "next 14.2.5" in names(step)
    assert "swc-linux-x64-gnu" in names(step)
    assert "musl" not in names(step)


def test_what_is_for_development_stays_away_where_it_is_left_out(tmp_path: Path) -> None:
    project(tmp_path)
    copied = ("WORKDIR /app", "COPY package*.json ./")
    whole = last(tmp_path, *copied, "RUN npm ci")
    ways = (
        ("RUN npm ci --omit=dev",),
        ("RUN npm ci --only=production",),
        ("ENV NODE_ENV=production", "RUN npm ci"),
        ("RUN NODE_ENV=production npm install",),
    )
    for way in ways:
        step = last(tmp_path, *copied, *way)
        assert "next" not in names(step).replace("@next", "")
        assert step.disk.high_bytes < whole.disk.high_bytes


def test_a_cache_that_is_cleaned_in_the_same_run_is_needed_on_top_alone(tmp_path: Path) -> None:
    project(tmp_path)
    copied = ("WORKDIR /app", "COPY package*.json ./")
    kept = last(tmp_path, *copied, "RUN npm ci")
    cleaned = last(tmp_path, *copied, "RUN npm ci && npm cache clean --force")

    assert "cache of npm" in names(kept)
    assert cleaned.disk.likely_bytes < kept.disk.likely_bytes
    assert cleaned.disk.high_bytes + cleaned.transient.high_bytes >= kept.disk.high_bytes


def test_a_cache_on_a_mount_is_not_in_the_image(tmp_path: Path) -> None:
    project(tmp_path)
    step = last(tmp_path, "WORKDIR /app", "COPY package*.json ./", "RUN --mount=type=cache,target=/root/.npm npm ci")

    kept = last(tmp_path, "WORKDIR /app", "COPY package*.json ./", "RUN npm ci")
    assert step.image.likely_bytes < kept.image.likely_bytes
    assert any(each.key.startswith("cache:") for each in step.holdings)


def test_a_lock_that_cannot_be_read_is_assumed_and_does_not_stop_the_stack(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "package-lock.json").write_text("<html>Sign in</html>")
    found = forecast(tmp_path, "FROM node:20-slim\nCOPY package*.json ./\nRUN npm ci\n")

    assert found.steps[-1].disk.grade is Grade.UNKNOWN
    assert found.steps[-1].disk.high_bytes >= 500_000_000
    assert any("package-lock.json is not a valid lock file" in each for each in found.failures)


def test_a_lock_that_does_not_fit_has_figures_that_nobody_promises(tmp_path: Path) -> None:
    project(tmp_path, {**LOCK, "packages": {**LOCK["packages"], "": {"dependencies": {}}}})
    found = forecast(tmp_path, "FROM node:20-slim\nCOPY package*.json ./\nRUN npm ci\n")

    assert found.steps[-1].disk.grade is Grade.UNKNOWN
    assert any("does not fit package.json" in each for each in found.notes)


def test_without_a_lock_it_is_not_known_what_comes(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps(PROJECT))
    step = last(tmp_path, "COPY package.json ./", "RUN npm install")

    assert step.disk.grade is Grade.UNKNOWN


def test_a_script_that_nobody_knows_keeps_the_bound_of_the_unknown(tmp_path: Path) -> None:
    lock = {
        **LOCK,
        "packages": {**LOCK["packages"], "node_modules/odd": {"version": "1.0.0", "hasInstallScript": True}},
    }
    project(tmp_path, lock)
    copied = ("COPY package*.json ./",)

    assert last(tmp_path, *copied, "RUN npm ci").disk.grade is Grade.UNKNOWN
    assert last(tmp_path, *copied, "RUN npm ci --ignore-scripts").disk.grade is Grade.DECLARED


def test_what_apk_removes_in_the_same_run_is_needed_on_top_alone(tmp_path: Path) -> None:
    base = "alpine:3.19"
    kept = last(tmp_path, "RUN apk add --no-cache --virtual .build gcc musl-dev", base=base)
    gone = last(tmp_path, "RUN apk add --no-cache --virtual .build gcc musl-dev && apk del .build", base=base)

    assert kept.disk.high_bytes > 100_000_000
    assert kept.disk.grade is Grade.DECLARED
    assert gone.disk.high_bytes < 10_000_000
    assert gone.transient.high_bytes > 100_000_000


@pytest.mark.parametrize(
    ("line", "least_high_bytes"),
    [
        # apk writes its database of what is there as a whole, and so does rpm: tens of megabytes where much is there.
        ("RUN apk add --no-cache gcc && apk del gcc", 1_000_000),
        ("RUN apk add gcc && apk del gcc", 9_000_000),
        ("RUN apk del gcc", 1_000_000),
        ("RUN dnf remove -y gcc", 50_000_000),
        ("RUN dnf autoremove -y", 50_000_000),
        ("RUN rpm --import https://example.org/key.asc", 50_000_000),
        ("RUN rpm -e tzdata", 50_000_000),
        ("RUN dnf makecache", 300_000_000),
        ("RUN npm uninstall -g x", 100_000),
        ("RUN npm prune --omit=dev", 100_000),
        ("RUN npm config set registry https://example.org/", 100_000),
        ("RUN conda remove -y numpy", 100_000),
    ],
)
def test_what_a_removal_leaves_is_never_a_counted_nothing(tmp_path: Path, line: str, least_high_bytes: int) -> None:
    found = last(tmp_path, line, base="alpine:3.19")

    assert found.image.grade is not Grade.EXACT
    assert found.image.low_bytes == 0
    assert found.image.high_bytes >= least_high_bytes


def test_what_dnf_removes_in_the_same_run_may_stay_where_something_else_needs_it(tmp_path: Path) -> None:
    kept = last(tmp_path, "RUN dnf install -y gcc && dnf clean all", base="fedora:40")
    gone = last(tmp_path, "RUN dnf install -y gcc && dnf remove -y gcc && dnf clean all", base="fedora:40")

    assert (gone.image.low_bytes, gone.image.high_bytes) == (0, kept.image.high_bytes)
    assert gone.transient.high_bytes > 300_000_000


def test_what_npm_prunes_need_not_be_there_and_what_it_does_not_is(tmp_path: Path) -> None:
    project(tmp_path, LOCK)
    whole = last(tmp_path, "COPY package*.json ./", "RUN npm ci --ignore-scripts")
    pruned = last(tmp_path, "COPY package*.json ./", "RUN npm ci --ignore-scripts && npm prune --omit=dev")

    assert whole.image.low_bytes > 0
    assert pruned.image.low_bytes < whole.image.low_bytes
    assert pruned.image.high_bytes >= whole.image.high_bytes


def test_a_package_that_no_table_has_stays_unknown_beside_those_that_one_has(tmp_path: Path) -> None:
    known = last(tmp_path, "RUN apk add --no-cache curl", base="alpine:3.19")
    both = last(tmp_path, "RUN apk add --no-cache curl nobody-wrote-this", base="alpine:3.19")

    assert known.disk.grade is Grade.DECLARED
    assert both.disk.grade is Grade.UNKNOWN
    assert both.disk.high_bytes >= known.disk.high_bytes + 500_000_000


def test_modules_and_crates_are_counted_in_their_locks(tmp_path: Path) -> None:
    (tmp_path / "go.sum").write_text("a v1 h1:x\na v1/go.mod h1:x\nb v2 h1:x\nb v2/go.mod h1:x\n")
    (tmp_path / "Cargo.lock").write_text('[[package]]\nname = "a"\n\n[[package]]\nname = "b"\n')
    modules = last(tmp_path, "COPY go.sum ./", "RUN go mod download")
    crates = last(tmp_path, "COPY Cargo.lock ./", "RUN cargo build --release")

    assert "2 modules" in modules.contributors[0].source
    assert "2 packages" in crates.contributors[0].source
    assert last(tmp_path, "RUN go mod download").disk.grade is Grade.UNKNOWN


def test_more_requirements_than_are_looked_up_are_assumed_and_can_be_built(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("".join(f"a{number}==1\n" for number in range(10_001)))
    found = forecast(tmp_path, "FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n")

    assert found.steps[-1].disk.grade is Grade.UNKNOWN
    assert found.steps[-1].disk.high_bytes >= 500_000_000
    assert any("more than 10,000 requirements" in each for each in found.failures)


def test_npm_asks_for_packages_whose_lock_does_not_say_where_they_lie_and_keeps_what_it_hears(tmp_path: Path) -> None:
    kept = []
    for address in ("", "https://registry.example.org/typescript/-/typescript-5.4.0.tgz"):
        package = {"version": "5.4.0"} | ({"resolved": address} if address else {})
        project(tmp_path, LOCK | {"packages": {"": {}, "node_modules/typescript": package}})
        step = last(tmp_path, "WORKDIR /app", "COPY package*.json ./", "RUN npm ci")
        assert step.download.grade is not Grade.EXACT
        assert "compile cache of Node.js" in {each.name for each in step.contributors}
        kept.append(next(each.disk for each in step.contributors if each.name == "cache of npm"))
    assert kept[0].high_bytes > kept[1].high_bytes + 5_000_000


def test_the_caches_of_npm_are_gone_where_they_are_cleaned(tmp_path: Path) -> None:
    project(tmp_path)
    cleaned = last(tmp_path, "WORKDIR /app", "COPY package*.json ./", "RUN npm ci && npm cache clean --force")
    assert "cache of npm" not in {each.name for each in cleaned.contributors}
    assert cleaned.transient.likely_bytes > 3_000_000
