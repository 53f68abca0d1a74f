from __future__ import annotations

import pytest

from tonnage.decide.reports.other_workflows import done_elsewhere

IMAGES = ("ghcr.io/someone/web:1", "localhost:5000/worker")


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("      - run: sudo rm -rf /usr/share/dotnet /opt/ghc", "cleans"),
        ("          docker system prune --all --force", "cleans"),
        ("      - uses: someone/free-disk-space@v1", "cleans"),
        ("      - uses: docker/build-push-action@v6", "builds"),
        ("      - run: docker compose -f a.yaml build web", "builds"),
        ("      - run: docker compose up --detach --build", "builds"),
        ("      - run: docker buildx bake", "builds"),
        ("      # run: docker build .", ""),
        ("      - run: docker compose up --detach", ""),
        ("      - run: rm -rf ./build", ""),
    ],
)
def test_lines_that_do_the_same_are_found(line: str, does: str) -> None:
    found = done_elsewhere("build.yml", f"on: push\n{line}\n", IMAGES)

    assert [(each.line, each.does) for each in found] == ([(2, does)] if does else [])


def test_an_image_of_the_stack_is_named() -> None:
    text = "      - uses: docker/build-push-action@v6\n        with: {tags: 'ghcr.io/someone/web:latest'}\n"

    assert done_elsewhere("build.yml", text, IMAGES)[0].image == "ghcr.io/someone/web:1"
    assert done_elsewhere("build.yml", "      - run: docker build .\n", IMAGES)[0].image == ""


def test_no_more_than_twenty_are_told() -> None:
    assert len(done_elsewhere("build.yml", "docker build .\n" * 100, ())) == 20
