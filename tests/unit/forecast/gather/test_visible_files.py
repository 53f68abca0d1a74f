from __future__ import annotations

import pytest

from tonnage.forecast.gather.visible_files import StageFiles, TextFile
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

FILES = {"requirements.txt": "numpy\n", "app/deps/base.txt": "torch\n", "more/a.txt": "a\n"}
DOCKERFILE = """\
FROM scratch AS one
WORKDIR /app
COPY requirements.txt ./
COPY app /srv/
COPY more/*.txt /texts/
COPY <<EOF /inline.txt
pandas
EOF
FROM scratch
COPY --from=one /app /two
COPY requirements.txt /renamed.txt
RUN --mount=type=bind,source=app/deps,target=/mnt true
"""


def read(path: str) -> TextFile | None:
    """Return a file of the context, which lies in ``/project``."""
    return TextFile(FILES[path], f"/project/{path}") if path in FILES else None


def stages() -> tuple[StageFiles, StageFiles, StageFiles]:
    """Return the files of both stages, and what the last instruction sees."""
    made = recipe(read_dockerfile(DOCKERFILE))
    found: dict[int, StageFiles] = {}
    for stage in made.stages:
        found[stage.index] = StageFiles()
        for step in stage.steps:
            found[stage.index].take(step, lambda _origin: read, found)
    return found[0], found[1], found[1].seen_by(made.final.steps[-1], lambda _origin: read, found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/app/requirements.txt", "numpy\n"),
        ("/srv/deps/base.txt", "torch\n"),
        ("/texts/a.txt", "a\n"),
        ("/inline.txt", "pandas\n"),
        ("/requirements.txt", None),
        ("/srv/app/deps/base.txt", None),
    ],
)
def test_a_stage_sees_what_was_copied_to_it(path: str, text: str | None) -> None:
    assert stages()[0].text(path) == text


def test_a_stage_sees_what_it_takes_from_another() -> None:
    _, last, _ = stages()

    assert last.text("/two/requirements.txt") == "numpy\n"
    assert last.text("/renamed.txt") == "numpy\n"
    assert last.text("/app/requirements.txt") is None


def test_a_file_is_seen_behind_thousands_that_are_copied_by_name() -> None:
    names = " ".join(f"f{number}" for number in range(5_000))
    made = recipe(read_dockerfile(f"FROM scratch\nCOPY requirements.txt {names} /app/\n"))
    files = StageFiles()
    files.take(made.final.steps[0], lambda _origin: read, {})
    assert files.text("/app/requirements.txt") == "numpy\n"


def test_a_bind_mount_is_seen_by_its_own_instruction_only() -> None:
    _, last, seen = stages()

    assert seen.text("/mnt/base.txt") == "torch\n"
    assert last.text("/mnt/base.txt") is None


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/renamed.txt", "/project/requirements.txt"),
        ("/two/requirements.txt", "/project/requirements.txt"),
        ("/mnt/base.txt", "/project/app/deps/base.txt"),
        ("/never/copied.txt", "/never/copied.txt"),
    ],
)
def test_a_file_is_shown_where_the_user_finds_it(path: str, place: str) -> None:
    assert stages()[2].shown(path) == place
