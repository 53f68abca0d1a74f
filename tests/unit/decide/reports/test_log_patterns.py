from __future__ import annotations

from pathlib import Path

import pytest

from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.model.reports.symptom import SymptomKind

LOGS = Path(__file__).parents[3] / "logs"
DIRECTORIES = {"full": SymptomKind.DISK_FULL, **{kind.value: kind for kind in SymptomKind}}
SHOWING = sorted(path for path in LOGS.glob("*/*.log") if path.parent.name in DIRECTORIES)
SILENT = sorted(LOGS.glob("nothing/*.log"))


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _log(name: str) -> str:
    return (LOGS / f"{name}.log").read_text()


def test_there_are_enough_logs() -> None:
    assert len(list(LOGS.glob("full/*.log"))) >= 40
    assert len(SILENT) >= 20


@pytest.mark.parametrize("path", SHOWING, ids=_named)
def test_a_log_shows_its_symptom(path: Path) -> None:
    kinds = {symptom.kind for symptom in find_symptoms(path.read_text())}

    assert DIRECTORIES[path.parent.name] in kinds
    if path.parent.name != "full":
        assert SymptomKind.DISK_FULL not in kinds


@pytest.mark.parametrize("path", SILENT, ids=_named)
def test_a_log_that_only_has_the_words_shows_nothing(path: Path) -> None:
    assert find_symptoms(path.read_text()) == ()


@pytest.mark.parametrize(
    ("name", "told_by", "path"),
    [
        ("full/uv-extract", "uv", "/root/.cache/uv/.tmpX1/nvidia/cublas/lib/libcublasLt.so.12"),
        ("full/apt-archives", "apt", "/var/cache/apt/archives"),
        ("full/tar", "tar", ""),
        ("full/ld", "the linker", ""),
        ("full/sqlite", "SQLite", ""),
        ("full/npm", "npm", ""),
        ("full/daemon-mkdir", "the engine", "/var/lib/docker/overlay2/0c7d-init"),
        ("full/runner-diag", "the runner", "/home/runner/actions-runner/cached/_diag/pages/4b.log"),
        ("full/buildkit-pip", "pip", ""),
    ],
)
def test_who_complains_and_about_which_path(name: str, told_by: str, path: str) -> None:
    first = next(each for each in find_symptoms(_log(name)) if each.kind is SymptomKind.DISK_FULL)

    assert (first.told_by, first.path) == (told_by, path)


def test_colours_and_times_are_taken_off_and_the_time_is_kept() -> None:
    (symptom,) = find_symptoms(_log("full/github-colours"))

    assert symptom.when == "2026-11-02T09:18:21.7712450Z"
    assert symptom.line == 2
    assert symptom.text.startswith("#14 201.3 ERROR: Could not install")
    assert symptom.in_build


def test_a_path_of_a_build_is_a_path_inside_of_the_image() -> None:
    assert find_symptoms(_log("full/classic-builder-commit"))[0].in_build
    assert not find_symptoms(_log("full/cp"))[0].in_build


@pytest.mark.parametrize(
    ("name", "named_bytes"), [("full/yum", 1_374_000_000), ("low-disk/warned", 71_000_000), ("full/cp", None)]
)
def test_bytes_that_a_line_names_are_kept(name: str, named_bytes: int | None) -> None:
    assert find_symptoms(_log(name))[0].named_bytes == named_bytes


def test_a_long_log_is_read_quickly_and_line_numbers_hold() -> None:
    text = "#7 1.0 Downloading example.org/some-package-1.2.3.whl (12.3 MB)\n" * 50_000 + _log("full/gzip")

    assert [symptom.line for symptom in find_symptoms(text)] == [50_001]


@pytest.mark.parametrize(
    "line",
    [
        'ERROR: process "/bin/sh -c echo \\"a\\" > /etc/b" did not complete: [Errno 28] No space left on device',
        "The command '/bin/sh -c pip install torch' returned a non-zero code: 1: No space left on device",
    ],
)
def test_a_path_of_the_command_that_a_builder_quotes_is_not_what_was_full(line: str) -> None:
    (found,) = find_symptoms(line)

    assert found.path == ""
