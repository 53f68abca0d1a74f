from __future__ import annotations

from tonnage.sources.dockerfile.base_images import images_in


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
