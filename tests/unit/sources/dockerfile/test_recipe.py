from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.model.forecast.recipe import (
    BaseConfig,
    Builder,
    CopyInstruction,
    FileSource,
    FileSourceKind,
    RunInstruction,
    RunMount,
    WorkdirInstruction,
)
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.forecast.recipe import Recipe


def made(
    text: str,
    *,
    target: str = "",
    args: Mapping[str, str] | None = None,
    contexts: Mapping[str, str] | None = None,
    platform: str = "linux/amd64",
    builder: Builder = Builder.BUILDKIT,
    base: Callable[[FileSource], BaseConfig | None] | None = None,
) -> Recipe:
    return recipe(
        read_dockerfile(text),
        target=target,
        build_args=args,
        contexts=contexts,
        platform=platform,
        builder=builder,
        base_config=base,
    )


def failing(text: str, *, target: str = "") -> UsageError:
    with pytest.raises(UsageError) as caught:
        made(text, target=target)
    return caught.value


STAGES = """\
FROM a AS one
RUN x
FROM one AS two
FROM b AS unused
RUN y
FROM c AS last
COPY --from=two /a /b
RUN --mount=type=bind,from=0,target=/m z
"""


def test_only_the_stages_that_the_target_needs_are_built() -> None:
    assert [stage.index for stage in made(STAGES).stages] == [0, 1, 3]
    assert made(STAGES).final.needs == (1, 0)
    assert [stage.index for stage in made(STAGES, target="TWO").stages] == [0, 1]
    assert [stage.index for stage in made(STAGES, target="2").stages] == [2]


def test_the_classic_builder_builds_every_stage_up_to_the_target() -> None:
    assert [stage.index for stage in made(STAGES, builder=Builder.CLASSIC).stages] == [0, 1, 2, 3]
    assert [stage.index for stage in made(STAGES, target="two", builder=Builder.CLASSIC).stages] == [0, 1]


def test_bases_are_stages_named_contexts_images_or_nothing() -> None:
    text = (
        "ARG I=img\nFROM ${I}:1 AS a\nFROM a\nCOPY --from=ctx / /x\nCOPY --from=kit / /y\nCOPY --from=other:2 / /z\n"
        "FROM ctx AS b\nFROM scratch AS c\n"
    )
    contexts = {"ctx": "/srv/ctx", "kit": "docker-image://example.org/kit:3"}
    built = made(text, target="1", contexts=contexts)
    assert [stage.base for stage in built.stages] == [
        FileSource(FileSourceKind.IMAGE, "img:1", None, "linux/amd64"),
        FileSource(FileSourceKind.STAGE, "a", 0),
    ]
    copies = [step.action for step in built.final.steps]
    assert [each.origin for each in copies if isinstance(each, CopyInstruction)] == [
        FileSource(FileSourceKind.NAMED, "/srv/ctx"),
        FileSource(FileSourceKind.IMAGE, "example.org/kit:3", None, "linux/amd64"),
        FileSource(FileSourceKind.IMAGE, "other:2", None, "linux/amd64"),
    ]
    assert made(text, target="b", contexts=contexts).final.base == FileSource(FileSourceKind.NAMED, "/srv/ctx")
    assert made(text, target="c", contexts=contexts).final.base == FileSource(FileSourceKind.SCRATCH)


def test_a_context_of_a_stages_name_replaces_the_stage() -> None:
    built = made("FROM a AS kit\nRUN x\nFROM kit\n", contexts={"kit": "docker-image://ready:1"})
    assert built.stages[0].base.name == "ready:1"
    assert built.stages[0].steps == ()


def test_arguments_before_the_first_from_count_in_from_alone_until_they_are_declared() -> None:
    text = "ARG V=1\nARG W=${V}2\nFROM i:$W\nENV A=$V\nARG V\nENV B=$V\nARG V=3\nENV C=$V\n"
    final = made(text, args={"W": "9"}).final
    assert final.base.name == "i:9"
    assert {name: final.ending.environment[name] for name in "ABC"} == {"A": "", "B": "1", "C": "3"}
    assert made(text, args={"V": "7"}).final.ending.environment["C"] == "7"


def test_an_argument_without_a_value_is_known_to_have_none() -> None:
    assert made("FROM i\nARG A\nRUN x\n").final.steps[1].surroundings.unset == ("A",)


def test_what_stands_last_counts_and_the_classic_builder_lets_env_win() -> None:
    text = "FROM i\nENV A=env\nARG A=arg\nENV B=$A\nRUN x\n"
    assert made(text).final.ending.environment["B"] == "arg"
    assert made(text).final.ending.environment["A"] == "env"
    assert made(text).final.steps[-1].surroundings.variables["A"] == "arg"
    assert made(text, builder=Builder.CLASSIC).final.ending.environment["B"] == "env"


def test_arguments_go_on_to_a_stage_on_this_one_with_buildkit_alone() -> None:
    text = "FROM i AS a\nARG X=1\nFROM a\nENV Y=$X\n"
    assert made(text).final.ending.environment["Y"] == "1"
    assert made(text, builder=Builder.CLASSIC).final.ending.environment["Y"] == ""


def test_the_platform_has_its_arguments() -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM i\nARG TARGETARCH\nARG TARGETVARIANT\nARG BUILDARCH\n"
        "ENV A=$TARGETARCH-$TARGETVARIANT-$BUILDARCH\n"
    )
    built = recipe(read_dockerfile(text), platform="linux/arm/v7", build_platform="linux/amd64")
    assert built.final.platform == "linux/amd64"
    assert built.final.ending.environment["A"] == "arm-v7-amd64"
    assert built.unused == ()


def test_arguments_that_nothing_takes_are_told() -> None:
    args = {"A": "1", "HTTP_PROXY": "p", "BUILDKIT_INLINE_CACHE": "1", "TARGETARCH": "x", "B": "2"}
    built = made("FROM i\nARG A\nRUN x\n", args=args)
    assert built.unused == ("B",)
    assert built.final.steps[-1].surroundings.variables["HTTP_PROXY"] == "p"


def test_the_base_images_configuration_is_where_a_stage_begins() -> None:
    config = BaseConfig(
        environment={"PATH": "/opt/bin", "PYTHON_VERSION": "3.11.9"},
        working_directory="/srv",
        user="app",
        shell=("/bin/bash", "-c"),
        onbuild=("COPY a b", "RUN make $PYTHON_VERSION"),
    )
    final = made("FROM i\nENV PATH=/x:$PATH\nWORKDIR in\n", base=lambda _: config).final
    assert [step.instruction.keyword for step in final.steps] == ["COPY", "RUN", "ENV", "WORKDIR"]
    assert [step.inherited for step in final.steps] == [True, True, False, False]
    assert final.steps[1].text == "RUN make 3.11.9"
    assert final.ending.environment["PATH"] == "/x:/opt/bin"
    assert final.ending.working_directory == "/srv/in"
    assert (final.ending.user, final.ending.shell, final.ending.base_known) == ("app", ("/bin/bash", "-c"), True)


def test_an_unknown_base_is_told_and_the_usual_path_assumed() -> None:
    ending = made("FROM i\n").final.ending
    assert not ending.base_known
    assert ending.environment["PATH"].startswith("/usr/local/sbin:")


def test_a_base_is_asked_for_once() -> None:
    asked: list[FileSource] = []
    made("FROM i AS a\nFROM i AS b\nCOPY --from=a / /\n", base=asked.append)
    assert len(asked) == 1


def test_what_a_stage_keeps_runs_in_the_stage_on_it() -> None:
    built = made("FROM i AS tools\nFROM j AS kit\nONBUILD COPY --from=tools /a /b\nFROM kit\nRUN x\n")
    assert [stage.index for stage in built.stages] == [0, 1, 2]
    assert [step.instruction.keyword for step in built.final.steps] == ["COPY", "RUN"]


def test_directories_users_and_shells_are_in_force_from_their_line() -> None:
    text = 'FROM i\nRUN a\nWORKDIR /w\nWORKDIR x/../y\nUSER me\nSHELL ["/bin/bash", "-c"]\nRUN b\n'
    steps = made(text).final.steps
    assert steps[0].surroundings.working_directory == "/"
    assert steps[2].action == WorkdirInstruction(directory="/w/y")
    last = steps[-1].surroundings
    assert (last.working_directory, last.user, last.shell) == ("/w/y", "me", ("/bin/bash", "-c"))


def test_mounts_are_read_with_their_usual_values() -> None:
    text = (
        "FROM i AS tools\nFROM j\nARG D=/cache\nWORKDIR /w\n"
        "RUN --mount=type=cache,target=$D,id=pip --mount=target=src,rw --mount=type=cache,target=rel "
        "--mount=type=bind,from=tools,source=/a,dst=/b --mount=type=secret,id=tok x\n"
    )
    run = made(text).final.steps[-1].action
    assert isinstance(run, RunInstruction)
    assert run.mounts == (
        RunMount(kind="cache", target="/cache", identity="pip"),
        RunMount(kind="bind", target="/w/src", origin=FileSource(FileSourceKind.CONTEXT)),
        RunMount(kind="cache", target="/w/rel", identity="/w/rel"),
        RunMount(kind="bind", target="/b", source="/a", origin=FileSource(FileSourceKind.STAGE, "tools", 0)),
        RunMount(kind="secret", identity="tok"),
    )


@pytest.mark.parametrize(
    ("written", "destination"),
    [("a b", "/w/b"), ("a .", "/w/"), ("a ./", "/w/"), ("a b c", "/w/c/"), ("a /x/", "/x/"), ('["a b", "/y"]', "/y")],
)
def test_a_destination_is_absolute_and_a_directory_ends_in_a_slash(written: str, destination: str) -> None:
    copy = made(f"FROM i\nWORKDIR /w\nCOPY {written}\n").final.steps[-1].action
    assert isinstance(copy, CopyInstruction)
    assert copy.destination == destination


def test_copies_carry_their_flags_and_documents() -> None:
    text = (
        "FROM i\nARG U=me\nADD --chown=$U:$U --chmod=640 --link --exclude=*.md --exclude=$U --unpack=false "
        "a <<E /d/\n$U\nE\n"
    )
    copy = made(text).final.steps[-1].action
    assert isinstance(copy, CopyInstruction)
    assert (copy.sources, copy.owner, copy.mode, copy.link, copy.unpacks) == (("a",), "me:me", "640", True, False)
    assert copy.excludes == ("*.md", "me")
    assert copy.inline[0].body == "me\n"
    assert copy.adds


def test_a_step_is_shown_as_the_builder_shows_it() -> None:
    text = 'FROM i\nARG V=1\nRUN echo "$V" $U && \\\n  x\nCOPY a-$V /b\n'
    steps = made(text).final.steps
    assert steps[1].text == 'RUN echo "1" $U &&   x'
    assert steps[2].text == "COPY a-1 /b"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("FROM $NONE\n", "Dockerfile:1", "the base image $NONE is empty"),
        ("FROM --platform=$X i\n", "Dockerfile:1", "the platform $X is empty"),
        ("FROM i\nENV A=${B\n", "Dockerfile:2", "${B cannot be read"),
        ("FROM i\nCOPY --from=$S a b\n", "Dockerfile:2", "--from=$S cannot have a variable"),
        ("FROM i\nCOPY --from=0 a b\n", "Dockerfile:2", "--from=0 means no stage before this one"),
        (
            "FROM i AS a\nCOPY --from=b x y\nFROM j AS b\nFROM a\n",
            "Dockerfile:2",
            "copied from b, which stands further",
        ),
        ("FROM i\nRUN --mount=type=cach,target=/x y\n", "Dockerfile:2", "no mount of type cach"),
        ("FROM i\nRUN --mount=type=cache y\n", "Dockerfile:2", "the cache mount has no target"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_line(text: str, place: str, what: str) -> None:
    error = failing(text)
    assert what in error.what
    assert error.place == place
    assert error.todo


def test_a_stage_that_is_not_there_is_suggested() -> None:
    assert "Perhaps build is meant" in failing("FROM i AS build\nFROM j\n", target="biuld").todo


@pytest.mark.parametrize("mount", ["--mount=" * 20_000, '--mount=type=cache,target="' + "a" * 200_000])
def test_a_mount_that_is_too_long_is_refused_with_its_line(mount: str) -> None:
    with pytest.raises(UsageError, match="a --mount cannot be read") as refused:
        recipe(read_dockerfile(f"FROM a\nRUN {mount}\n", "Dockerfile"))
    assert "Dockerfile:2" in str(refused.value)


@pytest.mark.parametrize(
    ("before", "behind", "kept"),
    [("RUN ", "\n", 131_071), ("RUN <<END\n", "\nEND\n", 131_070), ("RUN python <<END\n", "\nEND\n", 131_070)],
)
def test_a_run_that_linux_starts_no_shell_with_is_refused(before: str, behind: str, kept: int) -> None:
    assert made(f"FROM a\n{before}{'x' * kept}{behind}").final.steps
    too_long = "\u00e9" * (kept // 2 + 1)
    error = failing(f"FROM a\nRUN y\n{before}{too_long}{behind}")
    assert str(error.place).endswith(":3")
    assert "no build can start it" in error.what


@pytest.mark.parametrize("run", [f'RUN ["sh", "{"x" * 140_000}"]', f"RUN <<END\n#!/bin/sh\n{'x' * 140_000}\nEND"])
def test_what_is_no_argument_of_a_shell_may_be_longer(run: str) -> None:
    assert made(f"FROM a\n{run}\n").final.steps
