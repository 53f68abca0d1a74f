"""Compose files that are no compose files: what is said, where, and that it is said soon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.sources.compose import yaml_text
from tonnage.sources.compose.files import FilesHere

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.stack import Stack
    from tonnage.small_files import FileKind

GOOD = "services:\n  web: {image: busybox}\n"


def _load(directory: Path, *files: str) -> Stack:
    request = StackRequest(files=files, working_directory=str(directory))
    return load_stack(request, environment={}, compose=None)


def _refused(directory: Path, *files: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        _load(directory, *files)
    return refused.value


def _written(directory: Path, content: str | bytes) -> Path:
    file = directory / "compose.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_an_empty_file_is_told_what_it_needs(tmp_path: Path) -> None:
    file = _written(tmp_path, "")
    error = _refused(tmp_path)
    assert (error.what, error.place) == ("the compose file is empty", str(file))
    assert "services" in error.todo


@pytest.mark.parametrize("named", [(), ("compose.yaml",)])
def test_a_directory_in_its_place_is_told_as_such(tmp_path: Path, named: tuple[str, ...]) -> None:
    (tmp_path / "compose.yaml").mkdir()
    assert _refused(tmp_path, *named).what == f"the compose file {tmp_path}/compose.yaml is a directory"


def test_standard_input_is_told_to_be_none(tmp_path: Path) -> None:
    assert "standard input" in _refused(tmp_path, "-").what


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, GOOD.encode())
    os.close(writing)
    try:
        assert _load(tmp_path, f"/dev/fd/{reading}").services[0].name == "web"
    finally:
        os.close(reading)


def test_text_that_is_not_utf_8_is_refused_at_its_line(tmp_path: Path) -> None:
    file = _written(tmp_path, b"services:\n  web: {image: \xffx}\n")
    error = _refused(tmp_path)
    assert error.place == f"{file}:2"
    assert "0xff" in error.why


def test_line_ends_and_byte_order_marks_of_other_systems_mean_nothing(tmp_path: Path) -> None:
    _written(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert _load(tmp_path).services[0].image == "busybox"


@pytest.mark.parametrize("content", [GOOD, "services:\n  web: {image: busybox, env_file: /dev/zero}\n"])
def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path, content: str) -> None:
    _written(tmp_path, content)
    error = _refused(tmp_path, *(("/dev/zero",) if content == GOOD else ()))
    assert "/dev/zero cannot be read" in error.what
    assert "It is a device" in error.why


def test_a_few_aliases_that_stand_for_millions_of_values_are_refused(tmp_path: Path) -> None:
    lines = ["x-a: &a0 [a, a, a, a, a, a, a, a, a]"]
    lines += [f"x-{step}: &a{step} [{', '.join([f'*a{step - 1}'] * 9)}]" for step in range(1, 9)]
    file = _written(tmp_path, "\n".join(lines) + "\n" + GOOD)
    error = _refused(tmp_path)
    assert (error.what, error.place) == ("this YAML stands for too many values", f"{file}:7")


def test_a_document_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    _written(tmp_path, f"x-a: {'[' * 3001}{']' * 3001}\n{GOOD}")
    assert _refused(tmp_path).what == "this YAML is nested too deeply"


def test_a_variable_that_is_not_set_is_named_when_its_line_is_wrong(tmp_path: Path) -> None:
    _written(tmp_path, 'services:\n  web: {image: "busybox:${TAG}"}\n')
    assert _refused(tmp_path).why.startswith("The variable TAG is not set; an empty text stands for it.\n")
    _written(tmp_path, 'services:\n  web: {image: busybox, ports: ["${PORT}:x"]}\n')
    assert "The variable PORT is not set" in _refused(tmp_path).why


def test_a_directory_whose_name_cannot_name_a_project_is_told_as_such(tmp_path: Path) -> None:
    directory = tmp_path / "\u65e5\u672c"
    directory.mkdir()
    _written(directory, GOOD)
    assert str(directory) in _refused(directory).what


def test_a_directory_in_place_of_a_dockerfile_is_not_called_missing(tmp_path: Path) -> None:
    _written(tmp_path, "services:\n  web: {build: .}\n")
    (tmp_path / "Dockerfile").mkdir()
    assert _refused(tmp_path).why == f"{tmp_path}/Dockerfile is not a file."


class CountedFiles(FilesHere):
    """Files of this machine, and what was read of them."""

    def __init__(self) -> None:
        self.read_paths: list[str] = []

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        self.read_paths.append(path)
        return super().read(path, what, piped=piped)


def test_a_file_that_many_services_extend_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_bytes(b"services:\n  base: {image: busybox}\n")
    names = [f"s{number}" for number in range(7)]
    base = "{extends: {file: base.yaml, service: base}}"
    _written(tmp_path, "services:\n" + "".join(f"  {name}: {base}\n" for name in names))
    files = CountedFiles()
    request = StackRequest(working_directory=str(tmp_path))
    stack = load_stack(request, environment={}, compose=None, where=files)
    assert [service.name for service in stack.services] == names
    assert files.read_paths.count(str(tmp_path / "base.yaml")) == 1


def test_bytes_of_a_variable_that_are_no_text_are_refused_where_they_would_go(tmp_path: Path) -> None:
    file = _written(tmp_path, "services:\n  web:\n    image: busybox\n    environment: [A]\n")
    request = StackRequest(working_directory=str(tmp_path))
    with pytest.raises(UsageError) as refused:
        load_stack(request, environment={"A": "v\udcffw"}, compose=None)
    assert refused.value.what == "services.web.environment.A holds bytes that are not UTF-8 text"
    assert refused.value.place == f"{file}:4"


def test_a_directory_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "x\udcffy"
    directory.mkdir()
    _written(directory, GOOD)
    assert "holds bytes that are not UTF-8 text" in _refused(directory).what


def test_more_values_than_any_stack_has_are_refused_where_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_text, "_MOST_WRITTEN", 100)
    # Before the entries there are the document, three keys, what stands behind them, and the image.
    file = _written(tmp_path, GOOD + "x-a:\n" + "- a\n" * 200)
    error = _refused(tmp_path)
    assert (error.what, error.place) == ("this YAML has too many values", f"{file}:{3 + 100 - 8}")


def test_more_documents_than_anybody_writes_are_refused(tmp_path: Path) -> None:
    file = _written(tmp_path, GOOD + "---\n{}\n" * 1_000)
    error = _refused(tmp_path)
    assert error.what == "this YAML has more than 1,000 documents"
    assert error.place == f"{file}:{2 + 2 * 999 + 1}"


def test_more_tags_and_anchors_than_anybody_writes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "_MOST_MARKS", 100)
    file = _written(tmp_path, GOOD + "x-a:\n" + "- &a b\n- !c d\n" * 60)
    error = _refused(tmp_path)
    assert (error.what, error.place) == ("this YAML has more than 100 tags and anchors", f"{file}:{3 + 101}")
