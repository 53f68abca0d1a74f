"""The value of a build argument is on no command line, where every user could read it, and reaches the build."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.simulator import Heard

from tonnage.adapters.docker.acts import DockerActs
from tonnage.adapters.docker.build import run_build
from tonnage.adapters.docker.compose.command import switch
from tonnage.adapters.docker.tools import BuilderKind, BuildTool, ComposeTool, Tools
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tests.real_engine import RealEngine

SECRET = 's3cr3t=of the "user"\nin two lines'
PROXY_SECRET = "http://me:pa55word@proxy.example.org:3128"
NEVER = threading.Event()
BUILDX = ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins")


def stand_in(folder: Path, rest: str) -> Path:
    """Write a program that notes its own command line and environment, as other users and itself see them."""
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\ncat "/proc/$$/cmdline" >> {folder}/cmdline\ncat "/proc/$$/environ" >> {folder}/environ\n{rest}\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("kind", "buildx"), [(BuilderKind.LEGACY, False), (BuilderKind.PLAIN, True)])
def test_no_command_line_of_a_build_holds_a_value(tmp_path: Path, kind: BuilderKind, *, buildx: bool) -> None:
    write_id = 'while [ $# -gt 0 ]; do case "$1" in --iidfile) printf sha256:17 > "$2";; esac; shift; done'
    program = stand_in(tmp_path, write_id)
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    spec = BuildSpec(
        context=str(tmp_path),
        dockerfile=str(tmp_path / "Dockerfile"),
        args=(("TOKEN", SECRET), ("HTTPS_PROXY", PROXY_SECRET), ("PATH", "/of/the/build")),
        secrets=("id=a,env=TOKEN",) if buildx else (),
    )
    environment = {"PATH": os.environ["PATH"], "TOKEN": "another"}
    tool = BuildTool(str(program), kind, buildx, "17")
    told = run_build(tool, spec, "web", {}, environment=environment, progress=Heard(), cancel=NEVER)

    assert told == ("sha256:17",)
    words = (tmp_path / "cmdline").read_bytes().split(b"\0")
    assert [words[place + 1] for place, word in enumerate(words) if word == b"--build-arg"] == [
        b"TOKEN", b"HTTPS_PROXY", b"PATH=/of/the/build",
    ]  # fmt: skip
    assert not any(secret in b"\0".join(words) for secret in (b"s3cr3t", b"pa55word", b"another"))
    variables = (tmp_path / "environ").read_bytes().split(b"\0")
    assert f"TOKEN={SECRET}".encode() in variables
    assert f"PATH={os.environ['PATH']}".encode() in variables
    assert (b"TONNAGE_BUILD_SECRET_0=another" in variables) is buildx


def test_no_command_line_of_compose_holds_a_value(tmp_path: Path) -> None:
    program = stand_in(tmp_path, "exit 0")
    definition = {"name": "shop", "services": {"web": {"image": "web", "environment": {"TOKEN": SECRET}}}}
    switch(
        ComposeTool((str(program),), 2, "2.40.0"), "shop", str(tmp_path), "web", definition,
        environment={"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere.sock"},
        on_line=print, holder=lambda _port: "", cancel=NEVER, labels={},
    )  # fmt: skip

    assert b"--project-directory" in (tmp_path / "cmdline").read_bytes()
    assert b"s3cr3t" not in (tmp_path / "cmdline").read_bytes()


def buildx_plugin() -> Path | None:
    """Return the buildx of this machine, or the one that ``TONNAGE_TEST_BUILDX`` names."""
    named = os.environ.get("TONNAGE_TEST_BUILDX", "")
    places = [Path(named)] if named else [Path(each, "docker-buildx") for each in BUILDX]
    return next((each for each in places if each.is_file()), None)


@pytest.mark.engine
@pytest.mark.parametrize("builder", ["classic", "inside", "buildx"])
def test_values_reach_the_build_of_a_real_engine(engine: RealEngine, tmp_path: Path, builder: str) -> None:
    environment = {**engine.environment, "DOCKER_CONFIG": str(tmp_path / "config"), "TOKEN": "of this machine"}
    (tmp_path / "config" / "cli-plugins").mkdir(parents=True)
    if builder == "buildx":
        plugin = buildx_plugin()
        if plugin is None:
            pytest.skip("there is no buildx")
        (tmp_path / "config" / "cli-plugins" / "docker-buildx").symlink_to(plugin)
    values = {
        "TOKEN": "s3cr3t",
        "PATH": "/bin:/of/the/build",
        "HTTP_PROXY": "proxy.example.org:3128",
        "https_proxy": PROXY_SECRET,
        "DOCKER_HOST": "unix:///nowhere.sock",
        "DOCKER_CONFIG": "/nowhere",
        "TZ": "Mars/Olympus",
        "EMPTY": "",
    }
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(
        "FROM busybox:latest\n" + "".join(f"ARG {name}=default\n" for name in values) + "RUN env > /values\n"
    )
    real = Tools(environment).need_build()
    program = stand_in(tmp_path, f'exec {real.program} "$@"')
    environment["TONNAGE_DOCKER"] = str(program)
    if builder == "classic":
        environment["DOCKER_BUILDKIT"] = "0"
    tools = Tools(environment)
    if tools.need_build().buildx != (builder == "buildx") or (
        builder == "inside" and tools.need_build().kind is BuilderKind.LEGACY
    ):
        pytest.skip(f"this docker program has no such builder: {builder}")
    spec = BuildSpec(
        context=str(tmp_path / "context"),
        dockerfile=str(tmp_path / "context" / "Dockerfile"),
        args=tuple(values.items()),
    )
    image = DockerActs(engine.connection, tools, environment).build(
        spec, "values:1", {}, progress=Heard(), cancel=NEVER
    )

    told = engine.client.containers.run(image, ["cat", "/values"], remove=True).decode().splitlines()
    if builder == "classic":
        # It sets a PATH of its own for each command, whatever it is given.
        del values["PATH"]
    assert not {f"{name}={value}" for name, value in values.items()} - set(told)
    assert not any(secret in (tmp_path / "cmdline").read_bytes() for secret in (b"s3cr3t", b"pa55word"))
