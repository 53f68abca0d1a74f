from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.calls import calls_of

from tonnage.adapters.context.inputs_digest import build_inputs
from tonnage.errors import UsageError
from tonnage.model.stack import BuildSpec, Place, Service
from tonnage.sources.dockerfile.base_images import base_reference

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.inventory import Inputs

PLACE = Place("/srv/shop/compose.yaml", 17)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY . /app\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("print(17)\n")
    return tmp_path


def _spec(context: Path) -> BuildSpec:
    return BuildSpec(context=str(context), dockerfile=str(context / "Dockerfile"), place=PLACE)


def _inputs(spec: BuildSpec) -> Inputs:
    return build_inputs(Service(name="web", image="web", build=spec))


def _digest(spec: BuildSpec) -> str:
    return _inputs(spec).digest


def test_the_same_inputs_have_the_same_digest_whatever_their_times(context: Path) -> None:
    before = _digest(_spec(context))
    os.utime(context / "src" / "app.py", (1009, 1013))
    assert _digest(_spec(context)) == before


def test_the_bytes_of_the_context_are_those_of_its_files(context: Path) -> None:
    (context / "weights").write_bytes(b"x" * 10_007)
    sizes = [path.stat().st_size for path in context.rglob("*") if path.is_file()]
    assert _inputs(_spec(context)).context_bytes == sum(sizes)


@pytest.mark.parametrize(
    "change",
    [
        {"args": (("VERSION", "2"),)},
        {"target": "test"},
        {"platforms": ("linux/arm64",)},
        {"network": "host"},
        {"labels": (("a", "b"),)},
        {"additional_contexts": (("more", "docker-image://alpine"),)},
        {"dockerfile": "", "dockerfile_inline": "FROM scratch\n"},
    ],
)
def test_each_part_of_the_build_section_that_shapes_the_image_counts(context: Path, change: dict[str, object]) -> None:
    spec = _spec(context)
    assert _digest(replace(spec, **change)) != _digest(spec)


def test_the_order_of_build_arguments_counts_for_nothing(context: Path) -> None:
    there = replace(_spec(context), args=(("A", "1"), ("B", "2")))
    assert _digest(there) == _digest(replace(there, args=(("B", "2"), ("A", "1"))))


def test_contents_permissions_names_and_links_count(context: Path) -> None:
    file = context / "src" / "app.py"
    seen = [_digest(_spec(context))]
    file.write_text("print(19)\n")
    seen.append(_digest(_spec(context)))
    file.chmod(0o755)
    seen.append(_digest(_spec(context)))
    file.rename(context / "src" / "main.py")
    seen.append(_digest(_spec(context)))
    (context / "link").symlink_to("src")
    seen.append(_digest(_spec(context)))
    (context / "link").unlink()
    (context / "link").symlink_to("elsewhere")
    seen.append(_digest(_spec(context)))
    assert len(set(seen)) == len(seen)


def test_a_link_is_not_followed_out_of_the_context(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (context / "link").symlink_to(outside)
    before = _inputs(_spec(context))
    (outside / "new").write_bytes(b"x" * 1_000_003)
    assert _inputs(_spec(context)) == before


def test_pipes_and_sockets_are_not_opened(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(context / "pipe")
    monkeypatch.chdir(context)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert _digest(_spec(context))


def _ignores(context: Path, ignored: str, file: str) -> bool:
    (context / ".dockerignore").write_text(ignored)
    path = context / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("one")
    before = _digest(_spec(context))
    path.write_text("two")
    return _digest(_spec(context)) == before


@pytest.mark.parametrize(
    ("ignored", "file", "left_out"),
    [
        (".git\n", ".git/HEAD", True),
        ("# .git\n", ".git/HEAD", False),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "src/a.pyc", False),
        ("**/*.pyc", "src/deep/a.pyc", True),
        ("/build/", "build/out", True),
        ("build", "src/build/out", False),
        ("*\n!src", "src/app.py", False),
        ("*\n!src", "other.py", True),
        ("**\n!**/keep.txt", "deep/down/keep.txt", False),
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs\n!docs/README.md", "docs/other.md", True),
        ("docs\n!docs/README.md\ndocs/README.md", "docs/README.md", True),
        ("src/../data", "data/file", True),
        ("data/[a-c]*", "data/beta", True),
        ("data/?", "data/ab", False),
        (".", "data/ab", False),
    ],
)
def test_what_dockerignore_leaves_out_does_not_count(context: Path, ignored: str, file: str, *, left_out: bool) -> None:
    assert _ignores(context, ignored, file) is left_out


def test_the_dockerfiles_own_ignore_file_goes_first(context: Path) -> None:
    (context / "Dockerfile.dockerignore").write_text("secret")
    assert _ignores(context, "", "secret")


def test_a_named_context_that_is_a_directory_counts(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    spec = replace(_spec(context), additional_contexts=(("other", str(other)),))
    before = _digest(spec)
    (other / "file").write_text("x")
    assert _digest(spec) != before


def test_of_a_remote_context_the_address_counts() -> None:
    spec = BuildSpec(context="https://example.org/app.git#v17", dockerfile="Dockerfile")
    inputs = _inputs(spec)
    assert (inputs.context_bytes, inputs.base_reference) == (0, "")
    assert _digest(replace(spec, context="https://example.org/app.git#v19")) != inputs.digest


def test_a_missing_dockerfile_is_named_with_the_place_of_the_build_section(context: Path) -> None:
    (context / "Dockerfile").unlink()
    with pytest.raises(UsageError) as caught:
        _digest(_spec(context))
    assert caught.value.place == "/srv/shop/compose.yaml:17"
    assert str(context / "Dockerfile") in caught.value.what


def test_a_missing_context_is_named_with_its_place() -> None:
    with pytest.raises(UsageError, match="/nowhere/17") as caught:
        _digest(BuildSpec(context="/nowhere/17", dockerfile="/nowhere/17/Dockerfile", place=PLACE))
    assert caught.value.place == "/srv/shop/compose.yaml:17"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(context: Path) -> None:
    (context / "locked").write_text("x")
    (context / "locked").chmod(0)
    with pytest.raises(UsageError, match="locked"):
        _digest(_spec(context))


def test_a_directory_in_place_of_a_dockerignore_is_named(context: Path) -> None:
    (context / ".dockerignore").mkdir()
    with pytest.raises(UsageError, match=r"\.dockerignore cannot be read"):
        _digest(_spec(context))


def test_each_further_file_is_as_much_work_as_the_one_before(context: Path) -> None:
    (context / ".dockerignore").write_text("\n".join(f"**/{number}.tmp" for number in range(19)))
    calls = []
    for folder in range(22):
        (context / f"d{folder}").mkdir()
        for number in range(17):
            (context / f"d{folder}" / f"f{number}").write_bytes(b"x" * 1009)
        calls.append(calls_of(lambda: _inputs(_spec(context))))
    assert _inputs(_spec(context)).context_bytes > 377_366
    # The first time more is called, which is remembered.
    assert calls[21] - calls[11] < 1.2 * (calls[11] - calls[1])


@pytest.mark.parametrize(
    ("dockerfile", "target", "base"),
    [
        ("FROM python:3.11-slim\n", "", "python:3.11-slim"),
        ("FROM a AS one\nFROM b AS two\n", "", "b"),
        ("FROM a AS one\nFROM b AS two\n", "one", "a"),
        ("FROM a AS one\nFROM b AS two\n", "0", "a"),
        ("FROM a as One\nFROM one AS two\nFROM two\n", "", "a"),
        ("FROM --platform=$BUILDPLATFORM a\n", "", "a"),
        ("FROM scratch\n", "", ""),
        ("ARG TAG=3.11\nFROM python:${TAG}-slim\n", "", "python:3.11-slim"),
        ("ARG TAG\nFROM python:${TAG:-3.11}\n", "", "python:3.11"),
        ("ARG BASE=python:3.11\nARG FULL=$BASE-slim\nFROM $FULL\n", "", "python:3.11-slim"),
        ("ARG GIVEN=no\nFROM $GIVEN\n", "", "given:17"),
        ("FROM named\n", "", "alpine:3.20"),
        ("FROM folder\n", "", ""),
        ("FROM a\n", "none", ""),
        ("", "", ""),
        ("# syntax=docker/dockerfile:1\n# FROM x\n\nFROM \\\n  # inside\n  a\n", "", "a"),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\n", "", "a"),
        ("# escape=`\nFROM a\nRUN x `\n  FROM b\n", "", "a"),
    ],
)
def test_the_base_is_the_image_below_the_built_stage(dockerfile: str, target: str, base: str) -> None:
    contexts = {"named": "docker-image://alpine:3.20", "folder": "/srv/folder"}
    assert base_reference(dockerfile, {"GIVEN": "given:17"}, target, contexts) == base
