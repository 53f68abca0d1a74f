from __future__ import annotations

import pytest

from tonnage.sources.dockerfile.base_images import images_in, stages_on, why_base_stays, with_base


def test_every_stage_that_stands_on_an_image_from_outside_is_told_once() -> None:
    dockerfile = """
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
RUN pip install numpy
FROM build AS test
FROM scratch AS files
FROM python:${PYTHON}-slim
COPY --from=build /x /x
"""
    assert images_in(dockerfile, {"PYTHON": "3.12"}, {}) == ("python:3.12-slim",)


def test_images_that_files_are_copied_from_are_needed_too() -> None:
    dockerfile = """
FROM debian:12 AS base
COPY --from=example/tool:1.7 /bin/tool /bin/
COPY --from=0 /a /b
COPY --from=base /a /c
COPY --from=prepared /a /d
RUN --mount=type=bind,from=example/data:3,source=/d,target=/d cp /d/x /x
"""
    needed = images_in(dockerfile, {}, {"prepared": "/srv/prepared"})
    assert needed == ("debian:12", "example/tool:1.7", "example/data:3")


SHARED = "localhost/tonnage/shared:0"


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("FROM python:3.11-slim", f"FROM {SHARED}"),
        ("FROM docker.io/library/python:3.11-slim", f"FROM {SHARED}"),
        ("from   --platform=linux/amd64 python:3.11-slim AS app", None),
        ("FROM --platform=linux/amd64 python:3.11-slim AS app", f"FROM --platform=linux/amd64 {SHARED} AS app"),
        ("ARG V=3.11\nFROM python:${V}-slim AS app\nFROM app", f"ARG V=3.11\nFROM {SHARED} AS app\nFROM app"),
        (
            "FROM debian:12 AS python\nFROM python:3.11-slim\n# FROM python:3.11-slim",
            f"FROM debian:12 AS python\nFROM {SHARED}\n# FROM python:3.11-slim",
        ),
    ],
)
def test_the_base_of_one_stage_is_replaced_and_every_line_stays_where_it_is(written: str, becomes: str | None) -> None:
    text = f"# syntax=docker/dockerfile:1\n{written}\nRUN echo python:3.11-slim\n"
    why = why_base_stays(text, {}, "python:3.11-slim")
    if becomes is None:
        assert "certainty" in why
    else:
        assert why == ""
        found = with_base(text, {}, "python:3.11-slim", SHARED)
        assert found == f"# syntax=docker/dockerfile:1\n{becomes}\nRUN echo python:3.11-slim\n"


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM python:3.11 AS a\nFROM python:3.11\n", "2 stages stand on"),
        ("FROM debian:12\n", "no stage stands on"),
        ("FROM python:3.11 AS python\nFROM python\nCOPY --from=python:3.11 /a /b\n", "copied from"),
        ("FROM python:3.11\nRUN --mount=type=bind,from=python:3.11,target=/x ls /x\n", "copied from"),
        ("FROM \\\n  python:3.11\n", "certainty"),
        ("nonsense", "no stage stands on"),
    ],
)
def test_a_base_that_is_not_named_once_and_plainly_stays(dockerfile: str, why: str) -> None:
    assert why in why_base_stays(dockerfile, {}, "python:3.11")


def test_an_argument_of_the_build_says_which_base_it_is() -> None:
    text = "ARG BASE=debian:12\nFROM $BASE\n"
    assert why_base_stays(text, {"BASE": "python:3.11"}, "python:3.11") == ""
    assert with_base(text, {"BASE": "python:3.11"}, "python:3.11", SHARED) == f"ARG BASE=debian:12\nFROM {SHARED}\n"


def test_of_several_stages_on_one_image_the_one_that_begins_in_a_line_gets_another() -> None:
    text = "FROM python:3.11 AS one\nRUN true\nFROM --platform=linux/amd64 python:3.11\nCOPY --from=one /x /x\n"
    assert stages_on(text, {}, "python:3.11") == 2
    assert "2 stages stand on" in why_base_stays(text, {}, "python:3.11")
    assert "no stage stands on" in why_base_stays(text, {}, "python:3.11", 2)
    assert why_base_stays(text, {}, "python:3.11", 1) == why_base_stays(text, {}, "python:3.11", 3) == ""
    assert with_base(text, {}, "python:3.11", SHARED, 1) == text.replace("FROM python:3.11 AS", f"FROM {SHARED} AS")
    assert with_base(text, {}, "python:3.11", SHARED, 3) == text.replace("amd64 python:3.11", f"amd64 {SHARED}")
